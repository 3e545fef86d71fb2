"""The message of a failing test: someone reads only this in a CI log."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from pytest_infer.device.fingerprint import Device
from pytest_infer.measurement import Samples
from pytest_infer.report.failure import failure, measured
from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.measurement import Measurement
    from pytest_infer.result import Result
    from pytest_infer.verdict import Change

CPU = Device(slug="cpu-x-4c", kind="cpu", name="CPU X")


def test_a_regression_tells_everything(make_result: Callable[..., Result], make_change: Callable[..., Change]) -> None:
    """What was measured with its interval, the change, the device, what differs, and the command that accepts it."""
    change = make_change(regressed=True, estimate=0.05)
    result = make_result(
        outcome=Outcome.REGRESSED, failed=True, reasons=(str(change),), changes=(change,), differs=("numpy: 1 → 2",)
    )
    text = failure(result, CPU)
    for part in (
        "regressed: tests/test_net.py::test_net[fp32-b1]",
        str(change),
        "measured: latency 2 ms [1.98, 2.02], p99_latency 2.5 ms, throughput 500 samples/s, 700 samples",
        "device: CPU X (cpu-x-4c)",
        "numpy: 1 → 2",
        "pytest 'tests/test_net.py::test_net[fp32-b1]' --infer-update-baselines --infer-force",
    ):
        assert part in text


def test_a_regression_in_the_same_surroundings_says_so(make_result: Callable[..., Result]) -> None:
    """Nothing differs: then the code does."""
    same = failure(make_result(outcome=Outcome.REGRESSED, failed=True, reasons=("slower",)), CPU)
    assert "environment: as it was when the baseline was recorded" in same
    over = failure(make_result(outcome=Outcome.OVER_BUDGET, failed=True, reasons=("over",)), CPU)
    assert "environment" not in over


@pytest.mark.parametrize(
    ("outcome", "way"),
    [
        (Outcome.REGRESSED, "--infer-update-baselines --infer-force"),
        (Outcome.NO_BASELINE, "to record one: pytest "),
        (Outcome.OVER_BUDGET, "raise the budget in the test's marker"),
        (Outcome.INACCURATE, "loosen the accuracy budget"),
        (Outcome.INVALID, "because of --infer-strict"),
        (Outcome.INCONCLUSIVE, "because of --infer-strict"),
    ],
)
def test_every_failing_outcome_has_a_way_out(make_result: Callable[..., Result], outcome: Outcome, way: str) -> None:
    """The last line is what to do."""
    text = failure(make_result(outcome=outcome, failed=True, reasons=("why",)), CPU)
    assert text.startswith(f"{outcome}: ")
    assert "  why" in text.splitlines()
    assert way in text.splitlines()[-1]


def test_no_budget_accepts_what_is_not_finite(
    make_result: Callable[..., Result], make_measurement: Callable[..., Measurement]
) -> None:
    """So none is to be loosened."""
    measurement = make_measurement(non_finite=("output y: 3 of 10 values are not finite",))
    text = failure(make_result(outcome=Outcome.INACCURATE, failed=True, measurement=measurement), CPU)
    assert text.splitlines()[-1].strip().startswith("no budget accepts that")


@pytest.mark.parametrize(
    "nodeid", ["a/test_b.py::test_c[x y]", "a/test_b.py::test_c[it's]", "test_b.py::test_c[$HOME]"]
)
def test_the_command_can_be_pasted_into_a_shell(make_result: Callable[..., Result], nodeid: str) -> None:
    """Whatever the id holds, a shell reads it back as one word."""
    text = failure(make_result(nodeid=nodeid, outcome=Outcome.NO_BASELINE, failed=True, reasons=("none",)), CPU)
    command = text.splitlines()[-1].partition(": ")[2]
    assert shlex.split(command) == ["pytest", nodeid, "--infer-update-baselines"]


def test_a_measurement_of_several_is_named(
    make_result: Callable[..., Result], make_measurement: Callable[..., Measurement]
) -> None:
    """Without latency there is no line of figures."""
    result = make_result(
        outcome=Outcome.OVER_BUDGET,
        failed=True,
        reasons=("load 5 is above",),
        measurement=make_measurement(name="second#2", metrics={"load": 5.0}),
    )
    text = failure(result, CPU)
    assert text.splitlines()[0].endswith(" second#2")
    assert "measured" not in text


def test_one_latency_is_not_taken_for_the_other(
    make_result: Callable[..., Result], make_change: Callable[..., Change], make_measurement: Callable[..., Measurement]
) -> None:
    """Where fresh runs made the verdict, or several were recorded, the figures of one are called the first run's."""
    confirmed = make_result(outcome=Outcome.REGRESSED, failed=True, changes=(make_change(confirmed=3),))
    assert "\n  first run: latency 2 ms" in failure(confirmed, CPU)
    recorded = make_result(outcome=Outcome.INVALID, failed=True, recorded=(make_measurement(),) * 5)
    assert "\n  first run: latency 2 ms" in failure(recorded, CPU)
    alone = make_result(outcome=Outcome.OVER_BUDGET, failed=True, changes=(make_change(),))
    assert "\n  measured: latency 2 ms" in failure(alone, CPU)


def test_samples_that_never_settled_are_called_so(
    make_result: Callable[..., Result], make_measurement: Callable[..., Measurement]
) -> None:
    """The figures come with their doubt; without samples there is no count."""
    doubtful = make_result(measurement=make_measurement(samples=Samples(count=50, settled=False)))
    assert measured(doubtful) == "latency 2 ms, 50 samples, never settled"
    assert measured(make_result(measurement=make_measurement())) == "latency 2 ms"
