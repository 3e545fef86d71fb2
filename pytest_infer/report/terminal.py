"""The terminal section: a line a measurement, then what a reader should know of the whole."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Final

from pytest_infer.report.advice import blind, missing, unbelieved
from pytest_infer.report.layout import arranged, folded
from pytest_infer.report.rows import device_of, notable, row_of
from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_infer.result import Result, RunReport

Line = tuple[str, str]
"""Text and style: a markup name of pytest's, or empty."""

_STYLES: Final = {
    Outcome.PASSED: "green",
    Outcome.IMPROVED: "cyan",
    Outcome.NO_BASELINE: "yellow",
    Outcome.INCONCLUSIVE: "yellow",
    Outcome.INVALID: "yellow",
}


def summary(report: RunReport, *, verbosity: int = 0, width: int | None = None) -> list[Line]:
    """The section's lines.

    Args:
        report: the finished session.
        verbosity: as pytest counts it. From -v (1) on all reasons and differences are told, from -q (-1) on no advice,
            and from -qq (-2) on no line of what simply passed.
        width: the terminal's columns, which lines are folded to; None for a log, where each measurement is one line.
    """
    lines: list[Line] = []
    for slug, results in _by_device(report).items():
        lines.append((f"device: {slug}", ""))
        shown = [r for r in results if verbosity > -2 or notable(r)]  # noqa: PLR2004 - that is -qq
        for result, texts in zip(shown, arranged([_cells(r) for r in shown], width), strict=True):
            lines += [(text, _style(result)) for text in texts]
            lines += [(text, "") for told in _told(result, verbose=verbosity > 0) for text in folded(told, width)]
    advice = [*unbelieved(report.results)]
    if verbosity >= 0:
        if verbosity == 0:  # with -v it stands at each result
            advice += missing(report.results)
        advice += blind(report.results)
    lines += [(text, "yellow") for told in (*advice, *report.notes) for text in folded(told, width, indent="")]
    counts = collections.Counter(str(r.outcome) for r in report.results)
    lines.append((", ".join(f"{n} {word}" for word, n in sorted(counts.items())), "bold"))
    return lines


def _by_device(report: RunReport) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = {}
    for result in report.results:
        groups.setdefault(device_of(result, report), []).append(result)
    return groups


def _cells(result: Result) -> Sequence[str]:
    row = row_of(result)
    return (
        f"{row.test}: {row.outcome}",
        row.p50 and f"p50 {row.p50}",
        row.p99 and f"p99 {row.p99}",
        row.throughput,
        row.change,
        _detectable(row.detectable, changed=bool(row.change)),
        row.accuracy,
        row.cost,
    )


def _detectable(text: str, *, changed: bool) -> str:
    if not text:
        return "not compared"
    return f"detectable {text}" if changed else f"detectable: {text}"


def _style(result: Result) -> str:
    return "red" if result.failed else _STYLES.get(result.outcome, "yellow")


def _told(result: Result, *, verbose: bool) -> Iterator[str]:
    """What stands below a result's line: a failure tells its reasons itself, other outcomes have no other place."""
    one_sided = result.outcome is Outcome.NO_BASELINE and result.against
    if verbose or one_sided or result.outcome in {Outcome.INVALID, Outcome.INCONCLUSIVE, Outcome.IMPROVED}:
        yield from result.reasons
    yield from result.cleared
    if result.outcome is Outcome.IMPROVED and not result.recorded and not result.against:
        yield "the baseline guards an old speed now: record it with --infer-update-baselines=reset"
    if verbose:
        yield from (f"differs: {line}" for line in result.differs)
