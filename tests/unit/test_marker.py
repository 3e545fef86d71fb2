"""Marker arguments: merged, parametrized, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.budget import ACCURACY, SPEED_AND_COST
from pytest_infer.errors import UsageError
from pytest_infer.marker import LISTED, Request, cases, merged, parse
from pytest_infer.metrics import METRICS
from pytest_infer.workload import Precision, Scenario

CONTRACT = {
    *("model", "backend", "precision", "batch", "shapes", "inputs", "calibration", "reference", "scenario", "options"),
    *("max_latency_ms", "max_p90_latency_ms", "max_p95_latency_ms", "max_p99_latency_ms", "max_device_ms"),
    *("min_throughput", "max_build_s", "max_load_ms", "min_speedup_over"),
    *("max_device_memory_mb", "max_host_memory_mb", "max_engine_mb", "max_power_w", "max_energy_mj"),
    *("min_cosine", "max_abs_error", "max_rel_error", "min_top1", "min_top5", "max_top1_drop", "max_top5_drop"),
    *("max_regression", "gate"),
}
"""Every key that users are promised."""

RIGHT: dict[str, Any] = {
    "model": "net.onnx",
    "backend": "onnxruntime",
    "precision": "int8",
    "batch": 8,
    "shapes": {"x": (3, 224, 224)},
    "inputs": [1.0],
    "calibration": [{"x": 1.0}],
    "reference": "fp32",
    "scenario": "single_stream",
    "options": {"threads": 2},
    **dict.fromkeys(SPEED_AND_COST, 5),
    "min_speedup_over": {"fp32": 2.0},
    **dict.fromkeys(ACCURACY, 0.5),
    "max_regression": 0.05,
    "gate": ("latency", "p99_latency"),
}


# --- inheritance -----------------------------------------------------------------------------------------------------


@given(st.lists(st.dictionaries(st.sampled_from("abcde"), st.integers()), max_size=5))
def test_the_nearest_mark_wins_key_by_key(marks: list[dict[str, int]]) -> None:
    """Each key has the value of the first mark that gives it, and no key is lost or made up."""
    result = merged(((), mark) for mark in marks)
    assert result.keys() == {key for mark in marks for key in mark}
    for key, value in result.items():
        assert value == next(mark[key] for mark in marks if key in mark)


def test_an_explicit_none_is_a_value_that_wins() -> None:
    """A test takes an inherited value back by giving None."""
    assert merged([((), {"inputs": None}), ((), {"inputs": [1.0]})]) == {"inputs": None}


def test_positional_arguments_are_refused() -> None:
    """The error shows the argument and how to write it."""
    with pytest.raises(UsageError, match=r"keyword arguments only, not 'net\.onnx'; write infer\(model="):
        merged([(("net.onnx",), {})])


# --- parametrization -------------------------------------------------------------------------------------------------


def test_nothing_listed_parametrizes_nothing() -> None:
    """Single values make no ids."""
    assert cases({"precision": "fp32", "batch": 1, "model": "net.onnx"}) == ([], [])


def test_lists_multiply_in_the_order_of_the_ids() -> None:
    """The ids hold the listed keys only, backend before precision before batch, however the marker orders them."""
    values, ids = cases({"batch": (1, 8), "precision": ["fp32", "int8"], "backend": ["onnxruntime"], "model": "m"})
    assert ids == ["onnxruntime-fp32-b1", "onnxruntime-fp32-b8", "onnxruntime-int8-b1", "onnxruntime-int8-b8"]
    assert values[1] == {"backend": "onnxruntime", "precision": "fp32", "batch": 8}


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "backend": st.lists(st.sampled_from(["onnxruntime", "tensorrt", "openvino:CPU"]), unique=True),
            "precision": st.lists(st.sampled_from([str(p) for p in Precision]), unique=True),
            "batch": st.lists(st.integers(1, 64), unique=True, max_size=4),
        },
    )
)
def test_every_combination_is_one_case_with_an_id_of_its_own(arguments: dict[str, list[Any]]) -> None:
    """As many cases as the product of the lists, all different, ids too; empty lists don't count."""
    values, ids = cases(arguments)
    lengths = [len(value) for value in arguments.values() if value]
    expected = 1 if lengths else 0
    for length in lengths:
        expected *= length
    assert len(values) == len(ids) == len(set(ids)) == expected
    assert len({tuple(sorted(case.items())) for case in values}) == expected
    for case in values:
        parse(case)


def test_an_id_can_stand_on_a_command_line() -> None:
    """A backend's own variant is written without the colon that node ids use."""
    assert cases({"backend": ["openvino:CPU"]})[1] == ["openvino_CPU"]


@pytest.mark.parametrize("key", LISTED)
def test_an_empty_list_is_an_error_and_no_vanished_test(key: str) -> None:
    """It parametrizes nothing, and the check says so."""
    assert cases({key: []}) == ([], [])
    with pytest.raises(UsageError, match="it lists nothing"):
        parse({key: []})


@pytest.mark.parametrize("key", LISTED)
def test_a_list_that_was_not_parametrized_is_named(key: str) -> None:
    """A list in a parameter's own marks comes too late to make cases of it."""
    with pytest.raises(UsageError, match=f"{key}=.*a list parametrizes the test"):
        parse({key: [RIGHT[key]]})


# --- checks ----------------------------------------------------------------------------------------------------------


def test_no_argument_at_all_is_fine() -> None:
    """The defaults are those of the contract."""
    request = parse({})
    assert request == Request()
    assert (request.max_regression, request.gate, request.scenario) == (0.02, ("latency",), Scenario.SINGLE_STREAM)


def test_every_promised_key_is_taken() -> None:
    """All keys together, each with a right value; the sample holds the whole contract and nothing else."""
    assert RIGHT.keys() == CONTRACT
    request = parse(RIGHT)
    assert (request.model, request.batch, request.precision) == ("net.onnx", 8, Precision.INT8)
    assert request.shapes == {"x": (3, 224, 224)}
    assert (request.reference, request.options) == ("fp32", {"threads": 2})
    assert (request.max_regression, request.gate) == (0.05, ("latency", "p99_latency"))
    assert request.speedups == (Precision.FP32,)
    assert {limit.key for limit in request.budget.accuracy} == set(ACCURACY)
    assert {limit.key for limit in request.budget.cost} == {*SPEED_AND_COST, "min_speedup_over[fp32]"}


@pytest.mark.parametrize("key", sorted(CONTRACT))
def test_each_key_is_taken_alone(key: str) -> None:
    """No key needs another."""
    assert isinstance(parse({key: RIGHT[key]}), Request)


def test_models_may_be_paths_callables_or_left_out() -> None:
    """Each is kept as it was written."""
    path = Path("net.onnx")
    assert parse({"model": path}).model is path
    assert parse({"model": len}).model is len
    assert parse({"model": None}).model is None


def test_calibration_may_be_a_callable() -> None:
    """It is not called while the marker is read."""
    assert parse({"calibration": pytest.fail}).calibration is pytest.fail


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("max_latency", "max_latency_ms"),
        ("precisions", "precision"),
        ("batch_size", "batch"),
        ("max_p99_ms", "max_p99_latency_ms"),
        ("top1_drop", "max_top1_drop"),
    ],
)
def test_an_unknown_key_gets_the_nearest_name(wrong: str, near: str) -> None:
    """A slip of the pen is answered with the word that was meant."""
    with pytest.raises(UsageError, match=f"no argument '{wrong}'; did you mean '{near}'"):
        parse({wrong: 1})


def test_a_key_like_no_other_gets_the_list() -> None:
    """Where nothing is near, every key is named."""
    with pytest.raises(UsageError, match=r"no argument 'zzz'; it takes .*") as caught:
        parse({"zzz": 1})
    assert all(key in str(caught.value) for key in CONTRACT)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("model", 3, "a path or a callable"),
        ("backend", 3, "a name"),
        ("backend", "", "a name"),
        ("precision", "fp33", r"no such precision; did you mean 'fp32'\?"),
        ("precision", "FP16", r"no such precision; did you mean 'fp16'\?"),
        ("precision", "zzz", "no such precision; it takes"),
        ("precision", 16, "a name"),
        ("reference", "FP32", r"no precision and no model file; did you mean 'fp32'\?"),
        ("reference", "fp32", ""),
        ("reference", "resnet50", ""),
        ("reference", "fp32.onnx", ""),
        ("scenario", "ofline", r"no such scenario; did you mean 'offline'\?"),
        ("batch", 0, "a whole number of at least 1"),
        ("batch", -1, "a whole number"),
        ("batch", 1.0, "a whole number"),
        ("batch", True, "a whole number"),
        ("batch", "8", "a whole number"),
        ("shapes", [(1, 3)], "a dict of input name"),
        ("shapes", {"x": 3}, "a dict of input name"),
        ("shapes", {"x": (0,)}, "a dict of input name"),
        ("shapes", {"x": (True,)}, "a dict of input name"),
        ("shapes", {3: (1,)}, "a dict of input name"),
        ("calibration", "samples.npz", "an iterable"),
        ("calibration", 3, "an iterable"),
        ("scenario", "singlestream", r"no such scenario; did you mean .single_stream.\? \(single_stream, "),
        ("options", ["threads"], "a dict of option name"),
        ("options", {1: 2}, "a dict of option name"),
        ("min_speedup_over", {}, "a dict of precision to factor"),
        ("min_speedup_over", 2.0, "a dict of precision to factor"),
        ("min_speedup_over", {"fp31": 2.0}, "'fp31': no such precision; did you mean 'fp32'"),
        ("min_speedup_over", {"fp32": 0}, "'fp32': a positive number"),
        ("min_cosine", 1.1, "a number from -1 to 1"),
        ("min_cosine", "0.9", "a number from -1 to 1"),
        ("max_abs_error", -1e-9, "a number of at least 0"),
        ("max_rel_error", float("nan"), "a number of at least 0"),
        ("min_top1", 76.1, "a number from 0 to 1"),
        ("min_top5", -0.1, "a number from 0 to 1"),
        ("max_top1_drop", 2, "a number from 0 to 1"),
        ("max_top5_drop", None, "a number from 0 to 1"),
        ("max_regression", -0.01, "a number from 0 to 10"),
        ("max_regression", 5, ""),
        ("gate", "latency", r"a tuple of metric names is needed: \('latency',\)"),
        ("gate", {"latency"}, "a tuple of metric names"),
        ("gate", ("latncy",), "no metric 'latncy'; did you mean 'latency'"),
        ("gate", (["latency"],), "no metric"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(key: str, value: Any, problem: str) -> None:
    """The error names the key, shows the value and says what is needed."""
    if not problem:
        parse({key: value})
        return
    with pytest.raises(UsageError, match=rf"infer\({key}=.*\): .*{problem}"):
        parse({key: value})


@pytest.mark.parametrize("key", sorted(SPEED_AND_COST))
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), True, "5", None, 10**400])
def test_budgets_are_positive_finite_numbers(key: str, value: Any) -> None:
    """A budget that nothing or everything keeps is a mistake; how a number is written doesn't matter."""
    with pytest.raises(UsageError, match=f"{key}=.*a positive number is needed"):
        parse({key: value})


def test_a_long_value_is_cut_in_the_message() -> None:
    """An array in the wrong place doesn't fill the terminal."""
    with pytest.raises(UsageError) as caught:
        parse({"batch": "x" * 10_000})
    assert len(str(caught.value)) < 200
    assert "..." in str(caught.value)


def test_every_budget_holds_a_known_metric() -> None:
    """No budget points at a metric that no measurement can have."""
    assert set(SPEED_AND_COST.values()) <= METRICS.keys()


@given(st.fixed_dictionaries({}, optional={key: st.just(value) for key, value in RIGHT.items()}))
def test_parsing_forgets_nothing(arguments: dict[str, Any]) -> None:
    """Every budget given becomes one limit with its number, and no other appears."""
    budget = parse(arguments).budget
    found = {limit.key: limit.bound for limit in (*budget.cost, *budget.accuracy)}
    expected = {key: value for key, value in arguments.items() if key in {*SPEED_AND_COST, *ACCURACY}}
    if "min_speedup_over" in arguments:
        expected["min_speedup_over[fp32]"] = 2.0
    assert found == expected
