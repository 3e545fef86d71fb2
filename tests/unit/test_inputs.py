"""What goes through an engine: given inputs checked, missing ones made up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.engines.inputs import ROTATION, batch_of, filled, named, rotation
from pytest_infer.errors import UsageError
from pytest_infer.workload import TensorSpec

X = TensorSpec(name="x", dtype="float32", shape=(4, 3))
IDS = TensorSpec(name="ids", dtype="int64", shape=(4, 8))
SCALAR = TensorSpec(name="s", dtype="float32", shape=())


def ones(*shape: int) -> Any:
    """Float32 ones."""
    return np.ones(shape, np.float32)


# --- by name ---------------------------------------------------------------------------------------------------------


def test_inputs_come_by_name_by_place_or_alone() -> None:
    """A dict is itself, a tuple is in order, a single array is the only input."""
    assert named({"x": 1}, [X, IDS], "m") == {"x": 1}
    assert named((1, 2), [X, IDS], "m") == {"x": 1, "ids": 2}
    assert named(1, [X], "m") == {"x": 1}


@pytest.mark.parametrize(
    ("value", "specs", "told"),
    [
        ({"y": 1}, [X, IDS], r"m\.onnx: no input 'y'; the model's inputs are 'x', 'ids'"),
        ((1, 2, 3), [X, IDS], r"m\.onnx: 3 input\(s\) given, the model takes 2: 'x', 'ids'"),
        (1, [X, IDS], r"1 input\(s\) given, the model takes 2"),
        ((), [X], r"0 input\(s\) given, the model takes 1"),
    ],
)
def test_names_and_numbers_must_fit(value: Any, specs: list[TensorSpec], told: str) -> None:
    """The error has the model, what was given and what it takes."""
    with pytest.raises(UsageError, match=told):
        named(value, specs, "m.onnx")


def test_a_missing_input_is_named() -> None:
    """A dict may not leave one out."""
    with pytest.raises(UsageError, match=r"m\.onnx: input 'ids' is missing; the model takes x, ids"):
        filled({"x": ones(4, 3)}, [X, IDS], "m.onnx")


# --- types -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "spec", "told"),
    [
        (np.ones((4, 3)), X, r"'x' has type float64, the model takes float32; convert it with \.astype\('float32'\)"),
        (np.ones((4, 3), np.int64), X, "type int64, the model takes float32"),
        (np.ones((4, 8), np.int32), IDS, "type int32, the model takes int64"),
        ([["a"] * 3] * 4, X, "'x'.*(type|float32)"),
        ([[None] * 3] * 4, X, "'x'.*(type|float32)"),
        ([[0.5] * 8] * 4, IDS, "'ids' has type float64, the model takes int64"),
        ([[1.0, 2.0, 3.0], [1.0]], X, "'x'"),
        ([[2**63] * 8] * 4, IDS, "'ids'"),
    ],
)
def test_types_must_fit(value: Any, spec: TensorSpec, told: str) -> None:
    """Arrays are never cast in silence; what can't be an array of the type is this input's error."""
    with pytest.raises(UsageError, match=told):
        filled({spec.name: value}, [spec], "m")


@pytest.mark.parametrize(
    ("dtype", "value", "kept"),
    [
        ("float32", [[0.5, 1, 2]] * 4, 0.5),
        ("float16", [[0.5, 1.0, 2.0]] * 4, 0.5),
        ("float32", [[1, 1, 2]] * 4, 1.0),
        ("uint8", [[7, 1, 255]] * 4, 7),
    ],
)
def test_plain_numbers_take_the_model_s_type(dtype: str, value: Any, kept: float) -> None:
    """Lists have no type of their own."""
    array = filled(value, [TensorSpec(name="x", dtype=dtype, shape=(4, 3))], "m")["x"]
    assert array.dtype == np.dtype(dtype)
    assert array[0, 0] == kept


@pytest.mark.parametrize("value", [300, -300])
def test_numbers_that_don_t_fit_are_not_wrapped(value: int) -> None:
    """300 in an int8 input is an error, not 44."""
    with pytest.raises(UsageError, match="'x'"):
        filled([value], [TensorSpec(name="x", dtype="int8", shape=(1,))], "m")


# --- shapes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "spec", "told"),
    [
        (ones(4, 2), X, r"shape \[4, 2\], the engine takes \[4, 3\] or a smaller first dimension"),
        (ones(5, 3), X, r"shape \[5, 3\]"),
        (ones(0, 3), X, r"shape \[0, 3\]"),
        (ones(3), X, r"shape \[3\]"),
        (ones(1, 4, 3), X, r"shape \[1, 4, 3\]"),
        (ones(1), SCALAR, r"shape \[1\], the engine takes \[\]$"),
        (ones(2, 3), TensorSpec(name="x", dtype="float32", shape=(1, 3)), r"the engine takes \[1, 3\]$"),
    ],
)
def test_shapes_must_fit(value: Any, spec: TensorSpec, told: str) -> None:
    """Only a smaller batch is right beside the exact shape, and the error says so where there is one."""
    with pytest.raises(UsageError, match=told):
        filled({spec.name: value}, [spec], "m")


@given(st.integers(1, 9), st.integers(1, 9))
def test_a_smaller_batch_is_repeated_up_to_the_engine_s(batch: int, full: int) -> None:
    """Row i is row i modulo the batch that was given; the array lies in one piece."""
    spec = TensorSpec(name="x", dtype="float32", shape=(full, 3))
    rows = np.arange(batch * 3, dtype=np.float32).reshape(batch, 3)
    if batch > full:
        with pytest.raises(UsageError):
            filled(rows, [spec], "m")
        return
    array = filled(rows, [spec], "m")["x"]
    assert array.shape == (full, 3)
    assert array.flags.c_contiguous
    assert all((array[i] == rows[i % batch]).all() for i in range(full))


def test_scalars_and_strided_arrays_are_taken() -> None:
    """A scalar has no batch; a transposed array is laid out anew."""
    assert filled(np.float32(2), [SCALAR], "m")["s"] == 2
    strided = ones(3, 4).T
    assert filled(strided, [X], "m")["x"].flags.c_contiguous


def test_the_batch_of_a_call_is_what_it_brings() -> None:
    """Where it is smaller than the engine's; None where nothing is."""
    assert batch_of({"x": ones(2, 3)}, [X]) == 2
    assert batch_of({"x": ones(4, 3)}, [X]) is None
    assert batch_of({"s": np.array(1, np.float32)}, [SCALAR]) is None


def test_two_different_batches_in_one_call_are_an_error() -> None:
    """Which of them the outputs should be cut to, nobody knows."""
    with pytest.raises(UsageError, match="different batches"):
        batch_of({"x": ones(2, 3), "ids": np.ones((3, 8), np.int64)}, [X, IDS])


def test_a_full_batch_beside_a_smaller_one_is_an_error() -> None:
    """Samples of one input would meet repeated ones of the other."""
    with pytest.raises(UsageError, match=r"different batches: {'x': 4, 'ids': 3}"):
        batch_of({"x": ones(4, 3), "ids": np.ones((3, 8), np.int64)}, [X, IDS])


def test_what_counts_no_samples_has_its_shape() -> None:
    """A first dimension that means something else is neither repeated, nor taken for a batch."""
    given = {"x": ones(2, 3), "ids": np.ones((4, 8), np.int64)}
    assert filled(given, [X, IDS], "m", {"x"})["x"].shape == (4, 3)
    assert batch_of(given, [X, IDS], {"x"}) == 2
    assert batch_of({**given, "x": ones(4, 3)}, [X, IDS], {"x"}) is None
    with pytest.raises(UsageError, match=r"'ids' has shape \[4, 8\].*the engine takes \[8, 8\]$"):
        filled(given, [X, TensorSpec(name="ids", dtype="int64", shape=(8, 8))], "m", {"x"})


# --- the rotation ----------------------------------------------------------------------------------------------------


def test_made_up_inputs_are_several_distinct_and_never_zero() -> None:
    """One set would sit in the caches, and zeros are faster than life."""
    sets = rotation(None, [X], "m")
    assert len(sets) == ROTATION > 1
    assert len({one["x"].tobytes() for one in sets}) == ROTATION
    assert all(one["x"].dtype == np.float32 and one["x"].all() for one in sets)


def test_made_up_inputs_are_the_same_every_time() -> None:
    """Seeded: two runs measure the same work."""
    one, other = rotation(None, [X], "m"), rotation(None, [X], "m")
    assert all((a["x"] == b["x"]).all() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("dtype", ["int64", "int32", "bool"])
def test_made_up_integers_would_mean_nothing(dtype: str) -> None:
    """They must be given, and the error shows both ways."""
    spec = TensorSpec(name="ids", dtype=dtype, shape=(4, 8))
    with pytest.raises(UsageError, match=r"nobody gave the input 'ids'.*inputs=\{'ids': array\}.*range\(0, 1000\)"):
        rotation(None, [spec], "m")


@given(st.integers(-50, 50), st.integers(1, 50), st.integers(1, 5))
def test_a_range_is_drawn_from(start: int, count: int, step: int) -> None:
    """Every integer belongs to it; the other inputs are made up beside."""
    of = range(start, start + count * step, step)
    sets = rotation({"ids": of}, [X, IDS], "m")
    assert len(sets) == ROTATION
    for one in sets:
        assert one["ids"].dtype == np.int64
        assert set(one["ids"].ravel().tolist()) <= set(of)
        assert one["x"].shape == (4, 3)


def test_a_large_range_costs_no_memory() -> None:
    """It is drawn from, not laid out: a vocabulary may be any size."""
    drawn = rotation({"ids": range(2**40)}, [IDS], "m")[0]["ids"]
    assert drawn.max() > 2**20


@pytest.mark.parametrize(
    ("of", "dtype", "told"),
    [
        (range(0), "int64", r"'ids' is to be drawn from the empty range\(0, 0\)"),
        (range(1000), "int8", r"range\(0, 1000\) goes beyond int8"),
        (range(-1, 5), "uint8", "goes beyond uint8"),
        (range(5, -2, -1), "uint8", "goes beyond uint8"),
    ],
)
def test_a_range_must_hold_numbers_of_the_type(of: range, dtype: str, told: str) -> None:
    """Nothing is drawn from nothing, and nothing wraps."""
    with pytest.raises(UsageError, match=told):
        rotation({"ids": of}, [TensorSpec(name="ids", dtype=dtype, shape=(4, 8))], "m")


def test_truth_values_are_drawn_from_a_range() -> None:
    """Of masks both occur; there is no third one."""
    mask = TensorSpec(name="mask", dtype="bool", shape=(4, 8))
    drawn = rotation({"mask": range(2)}, [mask], "m")
    assert {bool(value) for one in drawn for value in one["mask"].ravel()} == {True, False}
    assert rotation({"mask": range(1, 2)}, [mask], "m")[0]["mask"].all()
    with pytest.raises(UsageError, match=r"range\(0, 3\) goes beyond bool"):
        rotation({"mask": range(3)}, [mask], "m")


def test_ranges_in_a_list_are_drawn_from_too() -> None:
    """Once for each set, from the range of that set."""
    one, other = rotation([{"x": ones(4, 3), "ids": range(9)}, (ones(4, 3), range(9, 10))], [X, IDS], "m")
    assert one["ids"].shape == (4, 8)
    assert set(one["ids"].ravel().tolist()) <= set(range(9))
    assert (other["ids"] == 9).all()
    with pytest.raises(UsageError, match="input 'ids' is missing"):
        rotation([{"x": ones(4, 3)}], [X, IDS], "m")


def test_a_list_is_several_sets_and_a_callable_gives_any() -> None:
    """Each set is checked and filled; the callable's answer is read like the value itself."""
    sets = rotation([ones(4, 3), {"x": 2 * ones(1, 3)}], [X], "m")
    assert [float(one["x"].max()) for one in sets] == [1.0, 2.0]
    assert len(rotation(lambda: [ones(4, 3)], [X], "m")) == 1
    assert len(rotation(lambda: None, [X], "m")) == ROTATION


def test_one_array_is_one_set() -> None:
    """What the user gave is what is measured, nothing beside it."""
    (only,) = rotation(ones(2, 3), [X], "m")
    assert only["x"].shape == (4, 3)


def test_an_empty_list_is_an_error() -> None:
    """Nothing to measure on is a mistake."""
    with pytest.raises(UsageError, match=r"inputs=\[\] holds no input"):
        rotation([], [X], "m")
