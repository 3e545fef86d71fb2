"""The figures that every report shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.report.rows import by_severity, device_named, digits, row_of
from pytest_infer.verdict import Outcome
from tests.report_told.conftest import report_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.measurement import Measurement
    from pytest_infer.result import Result
    from pytest_infer.verdict import Change


def test_a_row_is_whole(
    make_result: Callable[..., Result],
    make_change: Callable[..., Change],
    make_measurement: Callable[..., Measurement],
) -> None:
    """Every cell with its unit; of the accuracy what was held to a limit, of the costs what was measured."""
    measurement = make_measurement(
        name="second",
        metrics={
            "latency": 2.0,
            "p99_latency": 2.5,
            "throughput": 22150.4,
            "power": 311.6,
            "energy": 41.23,
            "load": 9.0,
        },
        accuracy={"cosine": 0.99996, "max_abs_error": 0.5, "top1_drop": 0.0125},
    )
    change = make_change(estimate=0.013, low=-0.002, high=0.028, detectable=0.04, provisional=True)
    row = row_of(make_result(measurement=measurement, changes=(change,), held=("cosine", "top1_drop", "top5")))
    assert row.test == "tests/test_net.py::test_net[fp32-b1] second"
    assert (row.outcome, row.p50, row.p99, row.throughput) == ("passed", "2 ms", "2.5 ms", "22150/s")
    assert (row.change, row.detectable) == ("+1.3% [-0.2%, +2.8%]", "+4.0% (provisional)")
    assert (row.accuracy, row.cost) == ("cosine 0.99996, top1_drop 0.0125", "311.6 W, 41.23 mJ")


def test_changes_of_other_metrics_are_named(
    make_result: Callable[..., Result], make_change: Callable[..., Change]
) -> None:
    """A plus is bad news: of what is better when it is higher, it is called worse."""
    throughput = make_change(metric="throughput", estimate=0.05, detectable=0.01)
    assert row_of(make_result(changes=(throughput,))).change.startswith("throughput worse by +5.0% [")
    p99 = make_change(metric="p99_latency", estimate=0.02, detectable=0.07)
    row = row_of(make_result(changes=(make_change(detectable=0.01), p99)))
    assert row.change == "latency +0.1% [-1.0%, +1.2%], p99_latency +2.0% [-1.0%, +1.2%]"
    assert row.detectable == "latency +1.0%, p99_latency +7.0%"


def test_without_a_comparison(make_result: Callable[..., Result]) -> None:
    """Nothing is detectable, unless nothing was to be."""
    assert row_of(make_result()).detectable == "no baseline"
    assert not row_of(make_result(against="main")).detectable


@given(st.floats(1e-12, 1e12, allow_nan=False))
def test_digits_are_near_the_value(value: float) -> None:
    """Four digits, so within half a thousandth; no exponent from a ten-thousandth to a thousand million."""
    text = digits(value)
    assert float(text) == pytest.approx(value, rel=5.1e-4)
    assert "e" not in text or not 1e-4 <= value < 1e9


def test_the_worst_comes_first(make_result: Callable[..., Result], make_change: Callable[..., Change]) -> None:
    """What fails, by what is wrong with it, then by how much."""
    little, much = (
        make_result(outcome=Outcome.REGRESSED, failed=True, changes=(make_change(estimate=size),))
        for size in (0.1, 0.9)
    )
    wrong = make_result(outcome=Outcome.INACCURATE, failed=True)
    invalid = make_result(outcome=Outcome.INVALID)
    fine = make_result()
    assert by_severity([fine, invalid, little, wrong, much]) == [wrong, much, little, invalid, fine]


def test_devices_have_names(make_result: Callable[..., Result], make_measurement: Callable[..., Measurement]) -> None:
    """Of one device and of several; a slug has to do where nothing else is known."""
    there = make_result(measurement=make_measurement(device="gpu-y"))
    assert device_named(make_result(), report_of()) == "CPU X (cpu-x-4c)"
    assert device_named(there, report_of()) == "gpu-y"
    both = ({"slug": "cpu-x-4c", "name": "CPU X"}, {"slug": "gpu-y", "name": "GPU Y"})
    assert device_named(there, report_of(devices=both)) == "GPU Y (gpu-y)"
