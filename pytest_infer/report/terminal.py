"""The terminal section: a line a measurement, then what a reader should know of the whole."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    from pytest_infer.result import Result, RunReport
    from pytest_infer.verdict import Change

_STYLES = {
    Outcome.PASSED: "green",
    Outcome.IMPROVED: "cyan",
    Outcome.NO_BASELINE: "yellow",
    Outcome.INCONCLUSIVE: "yellow",
    Outcome.INVALID: "yellow",
}


def summary(report: RunReport, *, verbose: bool) -> list[tuple[str, str]]:
    """Lines with their style (a markup name of pytest's, or empty)."""
    lines = [(f"device: {report.device['slug']}", "")]
    lines += [line for result in report.results for line in _lines(result, verbose=verbose)]
    blind = [r for r in report.results if not r.failed and any(c.blind for c in r.changes)]
    if blind:
        advice = "record more sessions (--infer-update-baselines on other days), or measure longer (--infer-time)"
        if blind[0].against:
            advice = "allow more rounds (--infer-time-limit)"
        lines.append(
            (f"{len(blind)} passing test(s) could not have seen a change of the tolerance: {advice}", "yellow")
        )
    lines += [(note, "yellow") for note in report.notes]
    counts = collections.Counter(str(r.outcome) for r in report.results)
    lines.append((", ".join(f"{n} {word}" for word, n in sorted(counts.items())), "bold"))
    return lines


def _lines(result: Result, *, verbose: bool) -> list[tuple[str, str]]:
    style = "red" if result.failed else _STYLES.get(result.outcome, "yellow")
    name = f" {result.measurement.name}" if result.measurement.name else ""
    parts = [f"{result.nodeid}{name}: {result.outcome}", *_figures(result)]
    change = next((c for c in result.changes if c.against != "anchor"), None)
    nothing = "not compared" if result.against else "detectable: no baseline"
    parts.append(nothing if change is None else _change(change))
    lines = [("  ".join(parts), style)]
    one_sided = result.outcome is Outcome.NO_BASELINE and result.against
    if verbose or one_sided or result.outcome in {Outcome.INVALID, Outcome.INCONCLUSIVE, Outcome.IMPROVED}:
        lines += [(f"    {reason}", "") for reason in result.reasons]
    if result.outcome is Outcome.IMPROVED and not result.recorded and not result.against:
        lines.append(("    the baseline guards an old speed now: record it with --infer-update-baselines=reset", ""))
    if verbose:
        lines += [(f"    differs: {line}", "") for line in result.differs]
    return lines


def _figures(result: Result) -> list[str]:
    metrics = result.measurement.metrics
    figures = []
    if "latency" in metrics:
        figures.append(f"p50 {metrics['latency']:.4g} ms")
    if "p99_latency" in metrics:
        figures.append(f"p99 {metrics['p99_latency']:.4g} ms")
    if "throughput" in metrics:
        figures.append(f"{metrics['throughput']:.4g}/s")
    return figures


def _change(change: Change) -> str:
    text = f"{change.estimate:+.1%} [{change.low:+.1%}, {change.high:+.1%}]  detectable {change.detectable_text}"
    return f"{text} (provisional)" if change.provisional else text
