"""From the device's times to figures."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.measure.device_summary import device_intervals, device_metrics, device_state
from pytest_infer.measure.device_timer import DeviceTimes
from pytest_infer.measurement import Measurement
from pytest_infer.report.rows import row_of
from pytest_infer.result import Result
from pytest_infer.verdict import Outcome


def times(device_ns: list[int], *, launches: int = 1) -> DeviceTimes:
    """With a quick host."""
    return DeviceTimes(
        device_ns=tuple(device_ns), enqueue_ns=(1_000,) * 3, launches=launches, cold=False, timed_by="CUDA events"
    )


@given(st.lists(st.integers(1, 10**10), min_size=1, max_size=200))
def test_the_median_in_ms(device_ns: list[int]) -> None:
    """With an interval around it, where there are enough for one."""
    found = device_metrics(times(device_ns))["device"]
    assert found == pytest.approx(statistics.median(device_ns) / 1e6)
    for low, high in device_intervals(times(device_ns)).values():
        assert low <= found * (1 + 1e-9)
        assert found <= high * (1 + 1e-9)


@pytest.mark.parametrize(
    ("count", "launches", "told"),
    [(63, 1, set()), (64, 1, {90}), (130, 1, {90, 95}), (662, 1, {90, 95, 99}), (662, 10, set())],
)
def test_percentiles_only_of_enough_single_calls(count: int, launches: int, told: set[int]) -> None:
    """A group's mean has none, and few samples have no extreme ones."""
    state = device_state(times(list(range(1, count + 1)), launches=launches))
    assert {name for name in state if name.startswith("device_p")} == {f"device_p{p}_ms" for p in told}
    assert state["launches_a_mark"] == launches


def test_what_is_told_beside() -> None:
    """What it is bound by, how it was timed."""
    assert device_state(times([10_000_000])) == {
        "device_ms": 10.0, "enqueue_ms": 0.001, "launches_a_mark": 1, "timed_by": "CUDA events", "bound": "device",
    }  # fmt: skip
    assert device_state(times([1_000]))["bound"] == "host"


@pytest.mark.parametrize(("bound", "told"), [("host", "device 0.5 ms, host-bound"), ("device", "device 0.5 ms")])
def test_the_label_stands_in_the_report(bound: str, told: str) -> None:
    """Beside the device's own time."""
    measurement = Measurement(name="", workload={}, digest="", metrics={"device": 0.5}, device_state={"bound": bound})
    result = Result(nodeid="t", outcome=Outcome.PASSED, failed=False, reasons=(), measurement=measurement)
    assert row_of(result).cost == told
