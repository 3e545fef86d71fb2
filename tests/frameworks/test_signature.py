"""Which arrays a Python function takes, by its signature, an example and shapes; and what it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

from pytest_infer.engines.base import CompileRequest
from pytest_infer.engines.signature import named_outputs, read_signature, resolve_signature
from pytest_infer.errors import UsageError
from pytest_infer.workload import TensorSpec
from tests.frameworks.conftest import CPU

if TYPE_CHECKING:
    from collections.abc import Callable

PICTURE = np.zeros((2, 3, 4), np.float32)


def one(x: Any) -> None:
    """Take one array."""


def optional(x: Any, mask: Any = None, *, scale: Any = None) -> None:
    """Take one array, and others by name or not at all."""


def keyword(x: Any, *, scale: Any) -> None:
    """Take one array by name alone."""


def many(*arrays: Any, **others: Any) -> None:
    """Take anything."""


def specs(function: Callable[..., Any], **given: Any) -> list[tuple[str, str, tuple[int | str, ...]]]:
    """Names, types and shapes of what the function takes."""
    found = read_signature(function, CompileRequest(model=function, device=CPU, **given), "f")
    return [(spec.name, spec.dtype, spec.shape) for spec in found.inputs]


@pytest.mark.parametrize(
    "example",
    [PICTURE, (PICTURE,), {"x": PICTURE}, [PICTURE, PICTURE], [{"x": PICTURE}], lambda: [(PICTURE,)]],
    ids=["array", "tuple", "dict", "list", "list of dicts", "callable"],
)
def test_examples(example: Any) -> None:
    """An example comes as an array, in order, by name, as one of several, or from a callable."""
    assert specs(one, example=example) == [("x", "float32", (2, 3, 4))]


def test_parameters_with_a_default() -> None:
    """They are inputs where an example or a shape names them."""
    assert [name for name, *_ in specs(optional, example=PICTURE)] == ["x"]
    assert [name for name, *_ in specs(optional, example=(PICTURE, PICTURE))] == ["x", "mask"]
    assert [name for name, *_ in specs(optional, example=PICTURE, shapes={"scale": ()})] == ["x", "scale"]


def test_arguments() -> None:
    """Inputs go by position up to the first that is left out, the rest by name."""
    request = CompileRequest(model=optional, device=CPU, example={"scale": 1.0, "x": PICTURE})
    found = read_signature(optional, request, "f")
    assert found.arguments({"scale": 2, "x": 1}) == ((1,), {"scale": 2})


def test_functions_that_take_anything() -> None:
    """Their inputs are those of the example."""
    assert specs(many, example=(PICTURE, PICTURE)) == [
        ("input_0", "float32", (2, 3, 4)),
        ("input_1", "float32", (2, 3, 4)),
    ]
    assert specs(many, example={"a": PICTURE}) == [("a", "float32", (2, 3, 4))]
    with pytest.raises(UsageError, match="nothing says what it takes"):
        specs(many)


def test_types() -> None:
    """Arrays keep their type, plain floats are float32 as networks take them, a range stands for int64."""
    given = {"example": {"x": range(9), "scale": 2.0}, "shapes": {"x": (5,)}}
    assert specs(keyword, **given) == [("x", "int64", (5,)), ("scale", "float32", ())]
    assert specs(one, example=np.zeros(3)) == [("x", "float64", (3,))]
    assert specs(one, example=([1, 2],)) == [("x", "int64", (2,))]


def test_batch() -> None:
    """It replaces the first dimension of every input that has the example's, and stands before those of `shapes`."""
    example = {"x": PICTURE, "mask": np.zeros((4, 4), np.float32), "scale": np.float32(1)}
    assert [shape for *_, shape in specs(optional, example=example, batch=7)] == [(7, 3, 4), (4, 4), ()]
    assert specs(one, shapes={"x": (3, 4)}, batch=7) == [("x", "float32", (7, 3, 4))]
    assert specs(one, shapes={"x": (3, 4)}) == [("x", "float32", (3, 4))]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, r"nothing says what shape the input 'x' has; give inputs=\{'x': array\}, or shapes="),
        ({"example": {"x": range(3)}}, "what shape the input 'x' has"),
        ({"example": {"y": PICTURE}}, "no input 'y'; its inputs are 'x'"),
        ({"shapes": {"y": (1,)}}, "no input 'y'"),
        ({"example": (PICTURE, PICTURE)}, r"2 input\(s\) given, it takes 1: 'x'"),
        ({"example": []}, r"inputs=\[\] holds no input"),
        ({"example": object()}, "numpy arrays can't hold"),
    ],
    ids=["nothing", "range", "name", "shape", "two", "none", "object"],
)
def test_what_is_missing(given: dict[str, Any], told: str) -> None:
    """An input that nobody described, or that isn't one, is told with what to give."""
    with pytest.raises(UsageError, match=f"f: .*{told}"):
        specs(one, **given)


def test_declared_inputs() -> None:
    """A program that declares its inputs needs no example; batch, example and shapes set what is dynamic."""
    declared = [TensorSpec(name="x", dtype="float32", shape=("n", 3, "w"))]

    def shape(**given: Any) -> tuple[int | str, ...]:
        return resolve_signature(declared, 1, CompileRequest(model=None, device=CPU, **given), "f").inputs[0].shape

    assert shape(example=PICTURE) == (2, 3, 4)
    assert shape(example=PICTURE, batch=5) == (5, 3, 4)
    assert shape(shapes={"x": (3, 8)}, batch=5) == (5, 3, 8)
    with pytest.raises(UsageError, match=r"dynamic dimensions 2 \('w'\)"):
        shape(batch=5)
    with pytest.raises(UsageError, match="does not fit that input's shape"):
        shape(example=np.zeros((1, 4, 4), np.float32))
    with pytest.raises(UsageError, match="no input 'y'"):
        shape(shapes={"y": (1,)})


def test_a_batch_for_fixed_dimensions() -> None:
    """It is an error that says what is fixed."""
    declared = [TensorSpec(name="x", dtype="float32", shape=(1, 3))]
    with pytest.raises(UsageError, match="batch=2 was asked for, but its first dimensions are fixed"):
        resolve_signature(declared, 1, CompileRequest(model=None, device=CPU, batch=2), "f")


class Pair(NamedTuple):
    """Two outputs by name."""

    low: int
    high: int


@pytest.mark.parametrize(
    ("returned", "names"),
    [
        (1, {"output": 1}),
        ((1, 2), {"output_0": 1, "output_1": 2}),
        ([1], {"output_0": 1}),
        ({"a": 1, "b": (2, None, {"c": 3})}, {"a": 1, "b_0": 2, "b_2.c": 3}),
        (Pair(1, 2), {"low": 1, "high": 2}),
        ({"output": {"a": 1}}, {"output.a": 1}),
        (None, {}),
    ],
    ids=["one", "tuple", "list", "nested", "namedtuple", "named output", "nothing"],
)
def test_outputs(returned: Any, names: dict[str, int]) -> None:
    """Whatever holds the outputs, each has a name."""
    assert named_outputs(returned) == names
