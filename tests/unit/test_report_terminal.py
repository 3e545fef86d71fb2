"""The terminal section: a line a measurement, and what a reader should know of the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_infer.report.terminal import summary
from pytest_infer.result import RunReport
from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.measurement import Measurement
    from pytest_infer.result import Result
    from pytest_infer.verdict import Change

FAILING = {Outcome.REGRESSED, Outcome.OVER_BUDGET, Outcome.INACCURATE}


def report(*results: Result, notes: tuple[str, ...] = ()) -> RunReport:
    """A finished session."""
    return RunReport(
        device={"slug": "cpu-x-4c", "kind": "cpu"}, environment={}, results=results, started="2024", notes=notes
    )


def lines(*results: Result, verbosity: int = 0, notes: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """The section's lines."""
    return summary(report(*results, notes=notes), verbosity=verbosity)


def test_each_measurement_has_a_line(make_result: Callable[..., Result], make_change: Callable[..., Change]) -> None:
    """Test, outcome, figures with units, change with its interval, and what could have been seen."""
    told = lines(make_result(changes=(make_change(estimate=0.013, low=-0.002, high=0.028, detectable=0.04),)))
    (line,) = [text for text, _ in told if "test_net" in text]
    assert line == (
        "tests/test_net.py::test_net[fp32-b1]: passed  p50 2 ms  p99 2.5 ms  500/s  "
        "+1.3% [-0.2%, +2.8%]  detectable +4.0%"
    )
    assert told[0] == ("device: cpu-x-4c", "")


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_is_named_and_failures_are_red(make_result: Callable[..., Result], outcome: Outcome) -> None:
    """The word stands in the line; red is kept for what fails."""
    failed = outcome in FAILING
    told = lines(make_result(outcome=outcome, failed=failed, reasons=("why",)))
    text, style = told[1]
    assert f": {outcome}" in text
    assert (style == "red") == failed
    assert ("1 " + outcome, "bold") == told[-1]


def test_what_strict_makes_fail_is_red_too(make_result: Callable[..., Result]) -> None:
    """The colour follows the test's fate, not the word."""
    assert lines(make_result(outcome=Outcome.INVALID, failed=True, reasons=("steal",)))[1][1] == "red"


def test_without_a_baseline_nothing_is_detectable(make_result: Callable[..., Result]) -> None:
    """And the line says that, instead of nothing."""
    assert lines(make_result())[1][0].endswith("detectable: no baseline")


def test_a_young_baseline_is_called_provisional(
    make_result: Callable[..., Result], make_change: Callable[..., Change]
) -> None:
    """A firm one is not."""
    assert lines(make_result(changes=(make_change(provisional=True),)))[1][0].endswith("(provisional)")


def test_the_comparison_with_the_baseline_is_the_one_shown(
    make_result: Callable[..., Result], make_change: Callable[..., Change]
) -> None:
    """The anchor's is a reason when it fires, not the figure of the line."""
    changes = (make_change(against="anchor", estimate=0.3), make_change(estimate=0.01))
    assert "+1.0% [" in lines(make_result(changes=changes))[1][0]


def test_what_could_not_have_been_seen_is_counted(
    make_result: Callable[..., Result], make_change: Callable[..., Change]
) -> None:
    """One line for all passing tests that were blind, with the way to see more; none where all could see."""
    blind = make_result(changes=(make_change(blind=True),))
    failed = make_result(
        changes=(make_change(blind=True, regressed=True),), outcome=Outcome.REGRESSED, failed=True, reasons=("x",)
    )
    seeing = make_result(changes=(make_change(detectable=0.02),))
    told = [text for text, _ in lines(blind, blind, failed, seeing)]
    assert any(text.startswith("2 test(s) could not have seen") for text in told)
    assert not any("could not have seen" in text for text, _ in lines(seeing, failed))


def test_a_baseline_against_which_nothing_is_seen_is_to_begin_anew(
    make_result: Callable[..., Result], make_change: Callable[..., Change]
) -> None:
    """More sessions don't mend one whose runs lie tenfold apart; that is told once, with the way out."""
    dead = make_result(changes=(make_change(blind=True, detectable=20.0),))
    told = [text for text, _ in lines(dead, make_result(changes=(make_change(blind=True, detectable=0.5),)))]
    (line,) = [text for text in told if "tenfold, so far apart" in text]
    assert line.startswith("1 of them see nothing below tenfold")
    assert line.endswith("with --infer-update-baselines=reset")


def test_what_is_not_believed_is_counted(
    make_result: Callable[..., Result], make_change: Callable[..., Change]
) -> None:
    """A test that looked slower on a disturbed machine is told as that, also under -q; none that looked as fast."""
    slower = make_result(changes=(make_change(regressed=True),), outcome=Outcome.INVALID, reasons=("x",))
    as_fast = make_result(changes=(make_change(),), outcome=Outcome.INVALID, reasons=("x",))
    for verbosity in (0, -1):
        told = [text for text, _ in lines(slower, as_fast, verbosity=verbosity)]
        assert any(text.startswith("1 test(s) looked slower on a disturbed machine") for text in told)
    assert not any("not believed" in text for text, _ in lines(as_fast))


@pytest.mark.parametrize("outcome", [Outcome.INVALID, Outcome.INCONCLUSIVE, Outcome.IMPROVED])
def test_outcomes_that_pass_with_a_word_give_their_reasons(
    make_result: Callable[..., Result], outcome: Outcome
) -> None:
    """No failure message will: the section is the only place."""
    assert ("    because", "") in lines(make_result(outcome=outcome, reasons=("because",)))


def test_what_fresh_runs_cleared_is_told_beside_the_outcome(make_result: Callable[..., Result]) -> None:
    """Its own figure, which stands in the line, is beyond the budget; why baselines are missing is another matter."""
    cleared = ("latency 19 ms is above the budget max_latency_ms=10 in this run, and 3 fresh ones don't confirm it",)
    result = make_result(outcome=Outcome.NO_BASELINE, reasons=("no baseline",), cleared=cleared)
    texts = [text.strip() for text, _ in lines(result, result)]
    assert texts.count(cleared[0]) == 2
    assert "2 result(s): no baseline" in texts


def test_verbose_tells_all_reasons_and_differences(make_result: Callable[..., Result]) -> None:
    """Otherwise failures tell theirs in their own message."""
    result = make_result(outcome=Outcome.REGRESSED, failed=True, reasons=("slower",), differs=("numpy: 1 → 2",))
    loud = [text for text, _ in lines(result, verbosity=1)]
    assert "    slower" in loud
    assert "    differs: numpy: 1 → 2" in loud
    assert not any("slower" in text or "differs" in text for text, _ in lines(result))


def test_outcomes_are_counted(make_result: Callable[..., Result]) -> None:
    """The last line sums up; the session's notes come before it."""
    other = make_result(outcome=Outcome.NO_BASELINE, reasons=("none",))
    told = lines(make_result(), other, other, notes=("the whole session is +20% off",))
    assert told[-1] == ("2 no_baseline, 1 passed", "bold")
    assert told[-2] == ("the whole session is +20% off", "yellow")


def test_figures_that_are_not_there_are_left_out(
    make_result: Callable[..., Result], make_measurement: Callable[..., Measurement]
) -> None:
    """A named measurement without latency has its name and its word."""
    result = make_result(measurement=make_measurement(name="load only", metrics={"load": 3.0}))
    assert lines(result)[1][0] == "tests/test_net.py::test_net[fp32-b1] load only: passed  detectable: no baseline"
