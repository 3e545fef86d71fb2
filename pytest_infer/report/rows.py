"""A measurement as a row: the figures that every report shows, in one wording."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_infer.device.launch import BOUND, HOST
from pytest_infer.metrics import METRICS, Better
from pytest_infer.verdict import Outcome, percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_infer.result import Result, RunReport
    from pytest_infer.verdict import Change

_SEVERITY: Final = {outcome: rank for rank, outcome in enumerate(Outcome)}
_WHOLE: Final = 1e4
"""From here on four digits are a whole number's, and no exponent is needed yet."""
_EXPONENT: Final = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement's cells; one is empty where there is nothing to show.

    Attributes:
        test: node id, and the measurement's name where it has one.
        outcome: the verdict's word.
        p50, p99, throughput: with their units.
        change: against the baseline or the other side, with its 95 % interval; larger is worse.
        detectable: what could have been seen.
        accuracy: the figures that were held to a limit.
        cost: the device's own time, whether it waits for the host, power and energy, where they were measured.
    """

    test: str
    outcome: str
    p50: str = ""
    p99: str = ""
    throughput: str = ""
    change: str = ""
    detectable: str = ""
    accuracy: str = ""
    cost: str = ""


def row_of(result: Result) -> Row:
    """The row of a result."""
    values, accuracy = result.measurement.metrics, result.measurement.accuracy
    figures = {name: f"{digits(value)} {METRICS[name].unit}" for name, value in values.items() if name in METRICS}
    changes = [change for change in result.changes if change.against != "anchor"]
    alone = len(changes) == 1 and changes[0].metric == "latency"
    return Row(
        test=f"{result.nodeid} {result.measurement.name}".rstrip(),
        outcome=str(result.outcome),
        p50=figures.get("latency", ""),
        p99=figures.get("p99_latency", ""),
        throughput=f"{digits(values['throughput'])}/s" if "throughput" in figures else "",
        change=", ".join(("" if alone else _of(change)) + _interval(change) for change in changes),
        detectable=_detectable(changes, result, named=not alone),
        accuracy=", ".join(f"{name} {accuracy[name]:.6g}" for name in result.held if name in accuracy),
        cost=", ".join((*_on_device(result, figures), *(figures[n] for n in ("power", "energy") if n in figures))),
    )


def _on_device(result: Result, figures: Mapping[str, str]) -> Iterator[str]:
    if "device" in figures:
        yield f"device {figures['device']}"
    if result.measurement.device_state.get(BOUND) == HOST:
        yield "host-bound"


def digits(value: float) -> str:
    """A figure as people read it: four digits, and an exponent only where there is no other way."""
    return f"{value:.0f}" if _WHOLE <= abs(value) < _EXPONENT else f"{value:.4g}"


def by_severity(results: Iterable[Result]) -> list[Result]:
    """What fails first, then by the outcomes' own order, then what changed most; else as they were run."""
    return sorted(results, key=lambda r: (not r.failed, _SEVERITY[r.outcome], -_worst(r)))


def notable(result: Result) -> bool:
    """Whether a reader should look at it: it fails, or passes with a word."""
    return result.failed or result.outcome not in {Outcome.PASSED, Outcome.NO_BASELINE}


def device_of(result: Result, report: RunReport) -> str:
    """The slug of the device that a result was measured on."""
    return result.measurement.device or str(report.device["slug"])


def device_named(result: Result, report: RunReport) -> str:
    """The same as people call it, where the report knows its name."""
    slug = device_of(result, report)
    names = {device["slug"]: device.get("name") for device in (report.device, *report.devices)}
    return f"{names[slug]} ({slug})" if names.get(slug) else slug


def _worst(result: Result) -> float:
    return max((change.estimate for change in result.changes), default=-math.inf)


def _of(change: Change) -> str:
    """Whose change: of what is better when it is higher, a plus would be read as good news."""
    metric = METRICS.get(change.metric)
    lower = metric is not None and metric.better is Better.LOWER
    return f"{change.metric} " if lower else f"{change.metric} worse by "


def _interval(change: Change) -> str:
    return f"{percent(change.estimate)} [{percent(change.low)}, {percent(change.high)}]"


def _detectable(changes: list[Change], result: Result, *, named: bool) -> str:
    if not changes:
        return "" if result.against else "no baseline"
    shown = dict.fromkeys(change.detectable_text for change in changes)
    if named and len(shown) > 1:
        shown = dict.fromkeys(f"{change.metric} {change.detectable_text}" for change in changes)
    young = " (provisional)" if any(change.provisional for change in changes) else ""
    return ", ".join(shown) + young
