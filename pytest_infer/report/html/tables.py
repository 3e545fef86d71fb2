"""One measurement in figures: the tables below its row, which say all that its pictures do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_infer.report.html.figures import QUANTILES
from pytest_infer.report.html.model import Table
from pytest_infer.report.html.wording import NOTHING, PERCENTILES, interval, measured
from pytest_infer.report.rows import digits
from pytest_infer.verdict import percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_infer.report.json_report import JsonResult
    from pytest_infer.verdict import Change


def tables_of(result: JsonResult) -> tuple[Table, ...]:
    """All that is known of it, each kind in a table of its own; none that is empty."""
    found = (
        _changes(result),
        _percentiles(result),
        _metrics(result),
        _named("Accuracy", ((name, f"{value:.6g}") for name, value in result.accuracy.items()), result.accuracy_notes),
        _named("What the engine proved to be", _flat(result.facts)),
        _named(
            "Workload", _flat({**result.workload, "digest": result.digest, "model": result.model_digest or NOTHING})
        ),
        _named("Device", _flat({"slug": result.device, **result.device_state} if result.device else {})),
    )
    return tuple(table for table in found if table.rows)


def _changes(result: JsonResult) -> Table:
    return Table(
        title="Change",
        header=("metric", "change", "95 % interval", "p", "detectable", "tolerance", "compared with"),
        rows=tuple(
            (
                change.metric,
                percent(change.estimate),
                interval(change),
                f"{change.p:.2g}",
                change.detectable_text,
                f"{change.tolerance:.1%}",
                _compared_with(change),
            )
            for change in result.changes
        ),
    )


def _compared_with(change: Change) -> str:
    if change.other:
        return f"{change.other}, {change.runs} rounds"
    oldest = "the oldest accepted session" if change.against == "anchor" else "the baseline"
    firm = ", provisional" if change.provisional else ""
    fresh = f", by {change.confirmed} fresh runs" if change.confirmed else ""
    shift = "" if change.shift is None else f", relative to the session's {percent(change.shift)}"
    of = f"{measured(change.metric, change.baseline)}, {change.runs} runs in {change.sessions} session(s)"
    return f"{oldest}: {of}{firm}{fresh}{shift}"


def _percentiles(result: JsonResult) -> Table:
    samples = result.samples
    quantiles = {} if samples is None else samples.quantiles_ns
    rows = []
    for name in QUANTILES:
        if name in quantiles:
            metric = PERCENTILES.get(name, "latency")
            accepted = [run.quantiles_ns[name] / 1e6 for run in result.history if name in run.quantiles_ns]
            around = result.intervals.get(metric) if name in PERCENTILES else None
            rows.append(
                (name, measured("latency", quantiles[name] / 1e6), _range("latency", around), _of("latency", accepted))
            )
    count = "" if samples is None else f", {samples.count} samples" + ("" if samples.settled else ", never settled")
    return Table(
        title=f"Latency by percentile{count}",
        header=("percentile", "this run", "95 % interval", "accepted runs"),
        rows=tuple(rows),
    )


def _metrics(result: JsonResult) -> Table:
    shown = {} if result.samples is None else PERCENTILES
    rows = tuple(
        (
            name,
            measured(name, value),
            _range(name, result.intervals.get(name)),
            _of(name, [run.metrics[name] for run in result.history if name in run.metrics]),
        )
        for name, value in result.metrics.items()
        if name not in shown.values()
    )
    return Table(title="Metrics", header=("metric", "this run", "95 % interval", "accepted runs"), rows=rows)


def _range(metric: str, ends: tuple[float, float] | None) -> str:
    return NOTHING if ends is None else f"{digits(ends[0])} to {measured(metric, ends[1])}"


def _of(metric: str, values: list[float]) -> str:
    return _range(metric, (min(values), max(values)) if values else None)


def _named(title: str, pairs: Iterable[tuple[str, str]], notes: tuple[str, ...] = ()) -> Table:
    rows = tuple(pairs)
    return Table(title=title, header=(), rows=(*rows, *(("from", note) for note in notes)) if rows else ())


def _flat(values: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Plain values as text: what is no single value, as JSON."""
    for name, value in values.items():
        if value is not None and value not in ({}, []):
            yield str(name), value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
