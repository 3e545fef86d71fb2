"""A family of measurements in pictures, as papers draw them: against batch, against precision, accuracy and latency."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.report.html.drawing import (
    DASHES,
    PATTERNS,
    SERIES,
    SYMBOLS,
    axis,
    figure,
    log_ticks,
    plain,
    points,
    rounded,
    scale,
    whiskers,
)
from pytest_infer.report.html.labels import placed
from pytest_infer.report.html.model import Figure, Group, Table
from pytest_infer.report.html.wording import NOTHING, measured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_infer.report.html.groups import Family, Point

ACCURACIES: Final = {
    "top1": "top-1 accuracy",
    "top5": "top-5 accuracy",
    "cosine": "smallest cosine to the reference",
    "max_rel_error": "largest relative error",
    "max_abs_error": "largest absolute error",
}
"""What is drawn against latency: the first of these that differs between measurements, or is known of two."""
_TITLES: Final = {"latency": "latency (p50), ms", "throughput": "throughput, samples/s"}


def group_of(family: Family) -> Group:
    """The family's pictures, and all of their figures in a table."""
    pictures: list[Figure | None] = []
    if len(family.batches) > 1:
        pictures += [_against_batch(family, metric) for metric in _TITLES]
    if len(family.precisions) > 1:
        pictures += [_against_precision(family, metric) for metric in _TITLES]
    pictures.append(_accuracy_against_latency(family))
    return Group(
        title=family.title,
        count=len(family.points),
        figures=tuple(picture for picture in pictures if picture is not None),
        table=_table(family),
    )


def _against_batch(family: Family, metric: str) -> Figure | None:
    """One line a precision, both axes logarithmic: proportional growth is a straight line."""
    traces = []
    for i, (name, members) in enumerate(family.series(precision=True).items()):
        shown = sorted((p for p in members if p.batch is not None and _value(p, metric) is not None), key=_batch)
        x = [point.batch for point in shown]
        traces.append(_lines(i, name, x, shown, metric) | {"hovertemplate": f"batch %{{x}}: %{{y:.4g}}{_unit(metric)}"})
    if not any(trace["x"] for trace in traces):
        return None
    batches = list(family.batches)
    x_axis = axis("batch", type="log", tickmode="array", tickvals=batches, ticktext=[str(b) for b in batches])
    y_axis = axis(
        _TITLES[metric], **log_ticks([v for point in family.points if (v := _value(point, metric)) is not None])
    )
    drawing = figure(traces, x_axis, y_axis)
    title = f"{metric.capitalize()} against batch"
    return Figure(title=title, words=_words(title, family), drawing=drawing)


def _against_precision(family: Family, metric: str) -> Figure | None:
    """Bars from zero, a colour and a pattern a batch; points where they differ too much for bars of one scale."""
    values = [_value(point, metric) for point in family.points]
    log = scale(values)
    traces = []
    for i, (name, members) in enumerate(family.series(batch=True).items()):
        shown = [p for p in members if p.precision and _value(p, metric) is not None]
        x = [point.precision for point in shown]
        hover = {"hovertemplate": f"%{{x}}: %{{y:.4g}}{_unit(metric)}"}
        traces.append((_lines if log else _bars)(i, name, x, shown, metric) | hover)
    if not any(trace["x"] for trace in traces):
        return None
    categories = list(family.precisions)
    x_axis = axis(
        "precision",
        type="category",
        categoryorder="array",
        categoryarray=categories,
        range=[-0.5, len(categories) - 0.5],
    )
    y_axis = axis(_TITLES[metric], **(log or {"rangemode": "tozero"}))
    title = f"{metric.capitalize()} by precision"
    return Figure(title=title, words=_words(title, family), drawing=figure(traces, x_axis, y_axis, barmode="group"))


def _accuracy_against_latency(family: Family) -> Figure | None:
    """Each measurement a point with its precision's name: further up and to the left is better, but for errors."""
    known = {
        n: values for n in ACCURACIES if len(values := [p.accuracy[n] for p in family.points if n in p.accuracy]) > 1
    }
    if not known or len(family.precisions) < 2:  # noqa: PLR2004 - one precision has nothing to be weighed against
        return None
    name = next((n for n, values in known.items() if len(set(values)) > 1), next(iter(known)))
    series = {
        label: sorted((p for p in members if name in p.accuracy), key=lambda p: p.latency)
        for label, members in family.series(batch=True).items()
    }
    log = scale(p.latency for p in family.points)
    x_range = _around([_along(log, p) for p in family.points], least=None if log else 0.0)
    y_range = _around(known[name])
    everywhere = [point for shown in series.values() for point in shown]
    spots = [(_share(_along(log, p), x_range), _share(p.accuracy[name], y_range)) for p in everywhere]
    places = iter(placed(spots, [p.precision for p in everywhere]))
    traces = []
    for i, (label, shown) in enumerate(series.items()):
        y = [point.accuracy[name] for point in shown]
        mine = [next(places) for _ in shown]
        trace = points(
            plain(label), rounded(p.latency for p in shown), y, _of(SERIES, i), symbol=_of(SYMBOLS, i), size=11
        )
        trace |= {
            "mode": "lines+markers+text",
            "line": {"color": _of(SERIES, i), "dash": _of(DASHES, i), "width": 1},
            "text": [point.precision if place else "" for point, place in zip(shown, mine, strict=True)],
            "textposition": [place or "top center" for place in mine],
            "cliponaxis": False,
            "customdata": [point.precision for point in shown],
            "hovertemplate": "%{customdata}: %{x:.4g} ms, %{y:.6g}",
        }
        traces.append(trace)
    title = f"{ACCURACIES[name].capitalize()} against latency"
    x_axis = axis(_TITLES["latency"], **log, range=x_range)
    y_axis = axis(ACCURACIES[name], tickformat=".4~g", range=y_range)
    return Figure(title=title, words=_words(title, family), drawing=figure(traces, x_axis, y_axis))


def _along(log: Mapping[str, Any], point: Point) -> float:
    """Where a point's latency lies on its axis, which is logarithmic where there is a `log`."""
    return math.log10(point.latency) if log else point.latency


def _around(values: Sequence[float], least: float | None = None) -> list[float]:
    """Room around values, which may all be the same, but none below `least`."""
    low, high = min(values), max(values)
    room = 0.15 * (high - low) or 0.05 * abs(high) or 1.0
    return [low - room if least is None else max(least, low - room), high + room]


def _share(value: float, ends: Sequence[float]) -> float:
    """How far along an axis a value lies."""
    low, high = ends
    return (value - low) / (high - low)


def _lines(i: int, name: str, x: Sequence[Any], shown: Sequence[Point], metric: str) -> dict[str, Any]:
    color = _of(SERIES, i)
    return points(
        plain(name), x, _values(shown, metric), color, symbol=_of(SYMBOLS, i), error_y=_error(shown, metric, color)
    ) | {
        "mode": "lines+markers",
        "line": {"color": color, "dash": _of(DASHES, i), "width": 2},
    }


def _bars(i: int, name: str, x: Sequence[Any], shown: Sequence[Point], metric: str) -> dict[str, Any]:
    return {
        "type": "bar",
        "name": plain(name),
        "x": list(x),
        "y": rounded(_values(shown, metric)),
        "error_y": _error(shown, metric, "--text"),
        "marker": {
            "color": _of(SERIES, i),
            "pattern": {"shape": _of(PATTERNS, i), "fgcolor": "--background", "fillmode": "overlay"},
        },
    }


def _error(shown: Sequence[Point], metric: str, color: str) -> dict[str, Any]:
    """The intervals of latencies; throughput has none of its own."""
    if metric != "latency" or not any(point.interval for point in shown):
        return {"visible": False}
    return whiskers(_values(shown, metric), [point.interval for point in shown], color)


def _value(point: Point, metric: str) -> float | None:
    return point.latency if metric == "latency" else point.throughput


def _values(shown: Sequence[Point], metric: str) -> list[float]:
    return [value for point in shown if (value := _value(point, metric)) is not None]


def _batch(point: Point) -> int:
    return point.batch or 0


def _unit(metric: str) -> str:
    return " ms" if metric == "latency" else " samples/s"


def _of(cycle: Sequence[str], i: int) -> str:
    return cycle[i % len(cycle)]


def _words(title: str, family: Family) -> str:
    return f"{title} of {family.title}. The table below the pictures holds the same figures."


def _table(family: Family) -> Table:
    columns: dict[str, Callable[[Point], str]] = {
        "test": lambda p: p.test.rpartition("::")[2],
        "precision": lambda p: p.precision or NOTHING,
        "batch": lambda p: NOTHING if p.batch is None else str(p.batch),
        "p50": lambda p: measured("latency", p.latency),
        "p99": lambda p: NOTHING if p.p99 is None else measured("p99_latency", p.p99),
        "throughput": lambda p: NOTHING if p.throughput is None else measured("throughput", p.throughput),
    }
    accuracies = [name for name in ACCURACIES if any(name in point.accuracy for point in family.points)]
    rows = tuple(
        (
            *(column(point) for column in columns.values()),
            *(f"{point.accuracy[name]:.6g}" if name in point.accuracy else NOTHING for name in accuracies),
        )
        for point in family.points
    )
    return Table(title="All of them in figures", header=(*columns, *accuracies), rows=rows)
