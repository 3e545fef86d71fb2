"""Shapes that go through a workload, and its identity."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.errors import UsageError
from pytest_infer.workload import Precision, Scenario, TensorSpec, Workload, plain

if TYPE_CHECKING:
    from random import Random

IMAGE = TensorSpec(name="image", dtype="float32", shape=("N", 3, "H", "W"))
WORKLOAD = Workload(
    target="resnet50.onnx",
    backend="onnxruntime",
    precision=Precision.INT8,
    batch=8,
    inputs=(TensorSpec(name="x", dtype="float32", shape=(8, 3, 224, 224)),),
    options={"threads": 2, "providers": ["CPU"]},
)
dimensions = st.lists(st.one_of(st.integers(1, 64), st.sampled_from(["N", "H", "W"])), max_size=4).map(tuple)


# --- shapes ----------------------------------------------------------------------------------------------------------


def test_a_dynamic_first_dimension_takes_the_batch() -> None:
    """And is one where nobody asked."""
    spec = TensorSpec(name="x", dtype="float32", shape=("N", 10))
    assert spec.resolved(8, {}, "m").shape == (8, 10)
    assert spec.resolved(None, {}, "m").shape == (1, 10)


def test_fixed_shapes_stay() -> None:
    """A tensor without dynamic dimensions is itself, whatever the batch: others may carry it."""
    spec = TensorSpec(name="anchors", dtype="int64", shape=(100, 4))
    assert spec.resolved(8, {}, "m") == spec


def test_dimensions_that_stay_open_are_named() -> None:
    """The error has the model, the input, each open dimension with its name, and the way to give them."""
    with pytest.raises(UsageError, match=r"m\.onnx: input 'image' .* 2 \('H'\), 3 \('W'\).*shapes=\{'image': "):
        IMAGE.resolved(8, {}, "m.onnx")


@pytest.mark.parametrize("given_shape", [(8, 3, 32, 48), (3, 32, 48)])
def test_shapes_may_leave_the_batch_out(given_shape: tuple[int, ...]) -> None:
    """Whole or without the first dimension, they mean the same."""
    assert IMAGE.resolved(8, {"image": given_shape}, "m").shape == (8, 3, 32, 48)


def test_shapes_alone_set_the_first_dimension() -> None:
    """Without a batch the shapes' own counts."""
    assert IMAGE.resolved(None, {"image": (4, 3, 32, 48)}, "m").shape == (4, 3, 32, 48)
    assert IMAGE.resolved(None, {"image": (3, 32, 48)}, "m").shape == (1, 3, 32, 48)


def test_two_different_batches_contradict() -> None:
    """Neither wins in silence."""
    with pytest.raises(UsageError, match="two different first dimensions"):
        IMAGE.resolved(8, {"image": (4, 3, 32, 48)}, "m")


@pytest.mark.parametrize("given_shape", [(8, 4, 32, 48), (8, 3, 32), (1, 8, 3, 32, 48), (), (32, 48)])
def test_shapes_must_fit_the_fixed_dimensions(given_shape: tuple[int, ...]) -> None:
    """The number of dimensions and the fixed ones can't be changed."""
    with pytest.raises(UsageError, match="does not fit that input's shape"):
        IMAGE.resolved(8, {"image": given_shape}, "m")


def test_a_scalar_takes_an_empty_shape() -> None:
    """Zero dimensions are a shape like any other, with a batch too."""
    scalar = TensorSpec(name="temperature", dtype="float32", shape=())
    assert scalar.resolved(8, {}, "m") == scalar
    assert scalar.resolved(8, {"temperature": ()}, "m") == scalar


def test_shapes_of_other_inputs_say_nothing() -> None:
    """Only its own name counts."""
    with pytest.raises(UsageError, match="dynamic dimensions"):
        IMAGE.resolved(8, {"picture": (8, 3, 32, 48)}, "m")


@given(dimensions, st.one_of(st.none(), st.integers(1, 64)), st.data())
def test_what_is_resolved_is_all_numbers_and_final(
    shape: tuple[int | str, ...], batch: int | None, data: st.DataObject
) -> None:
    """Given sizes for what is open, the result keeps every fixed dimension, has no open one, and resolves to itself."""
    sizes = tuple(d if isinstance(d, int) else data.draw(st.integers(1, 9)) for d in shape)
    if shape and isinstance(shape[0], str):
        sizes = (batch or sizes[0], *sizes[1:])
    spec = TensorSpec(name="x", dtype="float32", shape=shape)
    resolved = spec.resolved(batch, {"x": sizes}, "m")
    assert resolved.shape == sizes
    assert all(mine in {asked, resolved_d} for mine, asked, resolved_d in zip(shape, shape, sizes, strict=True))
    assert resolved.resolved(batch, {}, "m") == resolved


# --- identity --------------------------------------------------------------------------------------------------------


def test_the_digest_stays_what_it_was() -> None:
    """Stored baselines are found by it: another value for the same meaning orphans them all."""
    assert WORKLOAD.digest() == "2874c5eddf72"


@pytest.mark.parametrize(
    "change",
    [
        {"backend": "tensorrt"},
        {"precision": Precision.FP32},
        {"precision": None},
        {"batch": 1},
        {"batch": None},
        {"inputs": ()},
        {"inputs": (TensorSpec(name="x", dtype="float16", shape=(8, 3, 224, 224)),)},
        {"inputs": (TensorSpec(name="x", dtype="float32", shape=(8, 3, 224, 225)),)},
        {"scenario": Scenario.OFFLINE},
        {"options": {"threads": 1, "providers": ["CPU"]}},
        {"options": {"threads": "2", "providers": ["CPU"]}},
    ],
)
def test_the_digest_changes_with_the_meaning(change: dict[str, Any]) -> None:
    """Each thing that makes timings incomparable makes another digest."""
    assert replace(WORKLOAD, **change).digest() != WORKLOAD.digest()


def test_the_name_does_not_count() -> None:
    """A model file that moved is still compared."""
    assert replace(WORKLOAD, target="other.onnx").digest() == WORKLOAD.digest()


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), values, max_size=4), st.randoms())
def test_the_order_of_options_does_not_count(options: dict[str, Any], random: Random) -> None:
    """Options written in another order mean the same."""
    items = list(options.items())
    random.shuffle(items)
    shuffled = replace(WORKLOAD, options=dict(items))
    assert shuffled.digest() == replace(WORKLOAD, options=options).digest()
    assert shuffled.describe() == replace(WORKLOAD, options=options).describe()


@given(values)
def test_plain_keeps_what_json_can_hold(value: Any) -> None:
    """Through JSON and back it is the same."""
    assert json.loads(json.dumps(plain(value))) == value


def test_plain_tells_the_rest_by_name() -> None:
    """Functions and classes by their qualified name, tuples as lists, keys as text."""
    assert plain({1: (len, Precision.FP32, dict)}) == {"1": ["len", "fp32", "dict"]}
    assert plain({"b", "a", "c"}) == ["a", "b", "c"]
    assert " at 0x" not in plain(object())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_plain_gives_json_even_of_what_json_lacks(value: float) -> None:
    """NaN and infinity are no JSON: a file that held them could not be read again."""
    json.dumps(plain({"x": [value]}), allow_nan=False)


def test_identity_is_the_same_in_every_process() -> None:
    """Neither the order of a set nor an object's address gets into the digest."""
    code = (
        "import functools\n"
        "from pytest_infer.workload import Workload\n"
        "class Thing: pass\n"
        "o = {'set': {'a', 'b', 'c', 'd'}, 'object': Thing(), 'partial': functools.partial(print, 1)}\n"
        "for key in o: print(key, Workload(target='t', backend='b', options={key: o[key]}).digest())\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1, said


def test_a_partial_is_told_from_another() -> None:
    """What a callable option wraps belongs to its identity."""
    one, other = (
        Workload(target="t", backend="b", options={"f": functools.partial(f, 1)}).digest() for f in (max, min)
    )
    assert one != other


def test_the_description_is_readable() -> None:
    """Plain values by name, as reports and baselines show them."""
    described = WORKLOAD.describe()
    assert described["precision"] == "int8"
    assert described["inputs"] == [{"name": "x", "dtype": "float32", "shape": [8, 3, 224, 224]}]
    assert list(described["options"]) == ["providers", "threads"]
    assert described == json.loads(json.dumps(described))
