"""Outcomes and figures as the page writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_infer.metrics import METRICS
from pytest_infer.report.html.model import Badge, Cell
from pytest_infer.report.rows import digits
from pytest_infer.report.unjudged import ERROR
from pytest_infer.verdict import Outcome, percent

if TYPE_CHECKING:
    from pytest_infer.report.json_report import JsonResult
    from pytest_infer.verdict import Change

NOTHING: Final = "\N{EN DASH}"
"""Stands where there is no figure."""
SHAPES: Final = {
    Outcome.INVALID: "!",
    Outcome.INACCURATE: "≠",
    Outcome.OVER_BUDGET: "↑",
    Outcome.REGRESSED: "▼",
    Outcome.INCONCLUSIVE: "?",
    Outcome.NO_BASELINE: "○",
    Outcome.IMPROVED: "▲",
    Outcome.PASSED: "✓",
}
MEANINGS: Final = {
    Outcome.INVALID: "the machine was disturbed, or something looked on while it was measured",
    Outcome.INACCURATE: "outputs are not finite, or beyond an accuracy budget",
    Outcome.OVER_BUDGET: "beyond a budget",
    Outcome.REGRESSED: "worse than what it is compared with, beyond doubt",
    Outcome.INCONCLUSIVE: "suspected, but noise hides a change of the tolerance's size",
    Outcome.NO_BASELINE: "nothing to compare with",
    Outcome.IMPROVED: "better, beyond doubt",
    Outcome.PASSED: "within budgets, and not worse as far as this run could see",
}
BROKEN: Final = Badge(outcome=ERROR, shape="✖", tone="bad")
NO_VERDICT: Final = "failed without a verdict: by a fixture, by its own assertion, in a process that died"
_CALM: Final = frozenset({Outcome.PASSED, Outcome.IMPROVED})
PERCENTILES: Final = {"p50": "latency", "p90": "p90_latency", "p95": "p95_latency", "p99": "p99_latency"}
"""Quantiles of samples that are metrics of their own, in order."""


def badge_of(outcome: Outcome, *, failed: bool) -> Badge:
    """The outcome as it is seen."""
    tone = "bad" if failed else "good" if outcome in _CALM else "warn"
    return Badge(outcome=outcome, shape=SHAPES[outcome], tone=tone)


def measured(metric: str, value: float) -> str:
    """A metric's value with its unit; a ratio to another engine has none."""
    unit = METRICS[metric].unit if metric in METRICS else "x"
    return f"{digits(value)}\N{NO-BREAK SPACE}{unit}"


def figure_cell(result: JsonResult, metric: str) -> Cell:
    """A metric in the large table, whose header names the unit."""
    value = result.metrics.get(metric)
    return Cell(text=NOTHING) if value is None else Cell(text=digits(value), value=value)


def change_cell(change: Change | None) -> Cell:
    """The change that says most, of which metric where it is not latency."""
    if change is None:
        return Cell(text=NOTHING)
    metric = "" if change.metric == "latency" else f"{change.metric} "
    return Cell(text=f"{metric}{percent(change.estimate)}", value=change.estimate, note=interval(change))


def detectable_cell(change: Change | None) -> Cell:
    """What could have been seen of it."""
    if change is None:
        return Cell(text=NOTHING)
    return Cell(text=change.detectable_text, value=change.detectable)


def interval(change: Change) -> str:
    """Its 95 % interval."""
    return f"[{percent(change.low)}, {percent(change.high)}]"
