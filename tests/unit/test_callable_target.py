"""A Python callable under measurement: what it is called with."""

from __future__ import annotations

import functools
import inspect
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_infer.engines.target import CallableTarget
from pytest_infer.errors import UsageError
from pytest_infer.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Callable

X = np.zeros((2, 3), np.float32)


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        (None, []),
        (X, [("0", "float32", ["2", "3"])]),
        ((X, 5, 0.5, "text"), [("0", "float32", ["2", "3"]), ("1", "5", [])]),
        ({"x": {"deep": X}}, [("x", "dict", ["1"]), ("x.deep", "float32", ["2", "3"])]),
        (([7, 8, 9],), [("0", "list", ["3"])]),
        ([(1,), (2,)], [("0", "1", []), ("0", "2", [])]),
    ],
)
def test_types_and_shapes_of_its_arguments_are_known(inputs: Any, told: list[tuple[str, str, list[str]]]) -> None:
    """Arrays by type and shape, however deep, counts by what they are, lists by length; all else may differ."""
    target = CallableTarget(lambda *_, **__: None, workload=Workload(target="f", backend="callable"))
    target.runnable(inputs)
    assert [(leaf["name"], leaf["dtype"], leaf["shape"]) for leaf in target.measured_on()] == told


def of(function: Callable[..., Any], given: Any = None) -> CallableTarget:
    """A target whose marker has these inputs."""
    return CallableTarget(function, workload=Workload(target="m:f", backend="callable"), given_inputs=given)


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        (None, "m:f can't be called with no argument: missing a required argument: 'x'; give inputs=, a tuple of"),
        ({}, "with no argument: missing a required argument: 'x'"),
        ((), "with no argument: missing a required argument: 'x'"),
        ((1, 2, 3), "with 3 arguments: too many positional arguments"),
        ({"z": 1}, "with the arguments 'z': missing a required argument: 'x'"),
        ([(1,), {"x": 1, "z": 2}], "with the arguments 'x', 'z': got an unexpected keyword argument 'z'"),
    ],
)
def test_arguments_that_it_does_not_take_are_told_before_it_is_called(inputs: Any, told: str) -> None:
    """In the words of its signature, wherever they come from."""

    def function(x: int, y: int = 0) -> None:
        pytest.fail(f"called with {x}, {y}")

    for target, given in ((of(function), inputs), (of(function, inputs), None)):
        with pytest.raises(UsageError, match=re.escape(told)):
            target.runnable(given)


@pytest.mark.parametrize("inputs", [None, {}, ()])
def test_no_argument_is_right_for_who_takes_none(inputs: Any) -> None:
    """An empty dict, too; and C functions that tell no signature are asked by calling them."""
    assert of(lambda: 5).runnable(inputs)() == 5
    assert of(dict).runnable(inputs)() == {}


def test_a_wrapper_may_add_arguments() -> None:
    """What it wraps takes more than who calls it gives."""

    def times(x: int, y: int) -> int:
        return x * y

    @functools.wraps(times)
    def doubled(x: int) -> int:
        return times(x, 2)

    assert of(doubled).runnable(5)() == 10


def test_what_the_test_s_body_called_it_with_is_not_doubted() -> None:
    """That call worked."""

    def function(*args: int) -> int:
        return sum(args)

    function.__signature__ = inspect.Signature()  # type: ignore[attr-defined]
    target = of(function)
    assert target(1, 2) == target.runnable()() == 3
