"""One measurement in pictures: its distribution and its history beside the accepted runs, or an A/B's rounds."""

from __future__ import annotations

import itertools
import statistics
from typing import TYPE_CHECKING, Final

from pytest_infer.metrics import METRICS, Better
from pytest_infer.report.html.drawing import (
    ACCEPTED,
    BAND,
    DOUBT,
    MINE,
    axis,
    band,
    figure,
    line,
    plain,
    points,
    scale,
    whiskers,
)
from pytest_infer.report.html.model import Figure
from pytest_infer.report.html.wording import PERCENTILES, interval, measured
from pytest_infer.verdict import percent

if TYPE_CHECKING:
    from pytest_infer.report.json_report import JsonResult
    from pytest_infer.result import AcceptedRun
    from pytest_infer.verdict import Change

QUANTILES: Final = ("min", "p50", "p90", "p95", "p99", "max")
_MS: Final = 1e6
"""Nanoseconds in one."""
_TENFOLD: Final = 9.0
"""A detectable change beyond this is off every picture."""
_DATE: Final = 10
_MINUTE: Final = 16
"""Characters of an ISO 8601 time that are its date, its date and minute."""


def figures_of(result: JsonResult) -> tuple[Figure, ...]:
    """What there is to show of it."""
    found = [_distribution(result)]
    found += [
        _rounds(change, result.rounds[change.metric]) for change in result.changes if change.metric in result.rounds
    ]
    compared = {change.metric: change for change in reversed(result.changes) if change.against == "baseline"}
    if result.history:
        found += [_history(result, metric, compared.get(metric)) for metric in compared or ("latency",)]
    return tuple(one for one in found if one is not None)


def _distribution(result: JsonResult) -> Figure | None:
    """Latency by percentile: this run as a line, the accepted runs as the area that they cover."""
    quantiles = {} if result.samples is None else result.samples.quantiles_ns
    names = [name for name in QUANTILES if name in quantiles]
    if len(names) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    mine = [quantiles[name] / _MS for name in names]
    accepted = [[run.quantiles_ns[name] / _MS for run in result.history if name in run.quantiles_ns] for name in names]
    shown = [i for i, values in enumerate(accepted) if values]
    traces = []
    if shown:
        x = [names[i] for i in shown]
        lowest, highest = [min(accepted[i]) for i in shown], [max(accepted[i]) for i in shown]
        traces += band("accepted runs, from lowest to highest", x, lowest, highest, BAND)
        traces.append(
            line("accepted runs, median", x, [statistics.median(accepted[i]) for i in shown], ACCEPTED, dash="dash")
        )
    intervals = [result.intervals.get(PERCENTILES.get(name, "")) for name in names]
    traces.append(
        points("this run", names, mine, MINE, symbol="diamond", size=9, error_y=whiskers(mine, intervals, MINE))
        | {"mode": "lines+markers", "line": {"color": MINE, "width": 2}, "hovertemplate": "%{x}: %{y:.4g} ms"}
    )
    everything = [*mine, *itertools.chain(*accepted)]
    told = ", ".join(f"{name} {measured('latency', ms)}" for name, ms in zip(names, mine, strict=True))
    words = f"Latency of this run: {told}."
    if shown:
        words += f" Beside it {len(result.history)} accepted runs."
    x_axis = axis("percentile of single calls", type="category", categoryorder="array", categoryarray=names)
    drawing = figure(traces, x_axis, axis("latency, ms", **scale(everything)))
    return Figure(title="Distribution of latency", words=words, drawing=drawing)


def _history(result: JsonResult, metric: str, change: Change | None) -> Figure | None:
    """Accepted runs in order, the tolerance band around the baseline, and this run behind them."""
    runs = [run for run in result.history if metric in run.metrics]
    value = result.metrics.get(metric)
    if not runs or value is None:
        return None
    values = [run.metrics[metric] for run in runs]
    here = len(runs) + 1
    ends = [0.4, here + 0.6]
    levels = [*values, value]
    traces = [] if change is None else _levels(change, ends)
    traces.append(
        points(
            "accepted run", list(range(1, here)), values, ACCEPTED,
            text=[plain(run.recorded[:_MINUTE].replace("T", " ")) for run in runs],
            hovertemplate=f"%{{text}}: %{{y:.4g}} {_unit(metric)}",
        )
    )  # fmt: skip
    if metric == "latency" and result.samples is not None:
        blocks = [ns / _MS for ns in result.samples.block_medians_ns]
        levels += blocks
        traces.append(points("blocks of this run", [here] * len(blocks), blocks, MINE, symbol="line-ew-open", size=14))
    error = whiskers([value], [result.intervals.get(metric)], MINE)
    traces.append(
        points("this run", [here], [value], MINE, symbol="diamond", size=11, error_y=error)
        | {"hovertemplate": f"this run: %{{y:.4g}} {_unit(metric)}"}
    )
    if change is not None and change.confirmed:
        levels.append(change.current)
        traces.append(
            points(f"{change.confirmed} fresh runs, mean", [here], [change.current], DOUBT, symbol="x", size=11)
            | {"hovertemplate": f"fresh runs: %{{y:.4g}} {_unit(metric)}"}
        )
    labels, places = _days(runs)
    x_axis = axis(
        "accepted runs by day of recording", type="linear", range=[0.3, here + 0.7], showgrid=False, zeroline=False,
        tickmode="array", tickvals=[*places, here], ticktext=[*labels, "this run"],
    )  # fmt: skip
    drawing = figure(traces, x_axis, axis(_titled(metric), **scale(levels)))
    return Figure(title=f"History of {metric}", words=_told(metric, value, values, change), drawing=drawing)


def _levels(change: Change, ends: list[float]) -> list[dict[str, object]]:
    """The baseline, the tolerance around it, and what could have been seen, as level lines between `ends`."""
    worse = -1 if _higher_is_better(change.metric) else 1
    low, high = sorted(change.baseline * (1 + change.tolerance) ** side for side in (-1, 1))
    traces = band(f"tolerance of {change.tolerance:.1%}", ends, [low] * 2, [high] * 2, BAND)
    traces.append(line("baseline", ends, [change.baseline] * 2, ACCEPTED, dash="dash"))
    if change.detectable is not None and change.detectable < _TENFOLD:
        level = change.baseline * (1 + change.detectable) ** worse
        traces.append(line(f"detectable {percent(change.detectable)}", ends, [level] * 2, DOUBT, dash="dot"))
    return traces


def _told(metric: str, value: float, accepted: list[float], change: Change | None) -> str:
    words = (
        f"This run: {measured(metric, value)}. {len(accepted)} accepted runs from {measured(metric, min(accepted))} to "
        f"{measured(metric, max(accepted))}."
    )
    if change is not None:
        words += f" Change {percent(change.estimate)} {interval(change)}, tolerance {change.tolerance:.1%}."
        if change.shift is not None:
            words += f" The change is relative to the whole session's {percent(change.shift)}; the points are not."
    return words


def _rounds(change: Change, rounds: tuple[float, ...]) -> Figure:
    """An interleaved comparison in percent: the change of each round, the tolerance, and the interval of all."""
    numbers = list(range(1, len(rounds) + 1))
    ends = [0.4, len(rounds) + 0.6]
    low, high, tolerance = (100 * value for value in (change.low, change.high, change.tolerance))
    both = [*ends, None, *ends]
    traces = [
        *band(f"tolerance of {change.tolerance:.1%}", ends, [-tolerance] * 2, [tolerance] * 2, BAND),
        line("the same on both sides", ends, [0, 0], ACCEPTED, dash="dash"),
        line("95 % interval", both, [low, low, None, high, high], DOUBT, dash="dot"),
        line("change", ends, [100 * change.estimate] * 2, MINE),
        points("round", numbers, [100 * value for value in rounds], MINE, symbol="diamond")
        | {"hovertemplate": "round %{x}: %{y:+.2f} %"},
    ]
    x_axis = axis("round", dtick=max(1, len(rounds) // 8), showgrid=False, zeroline=False)
    drawing = figure(traces, x_axis, axis(f"change of {change.metric}, % (larger is worse)"))
    words = (
        f"{len(rounds)} rounds from {percent(min(rounds))} to {percent(max(rounds))}. "
        f"Change {percent(change.estimate)} {interval(change)}, tolerance {change.tolerance:.1%}."
    )
    return Figure(title=f"Rounds of {change.metric}", words=words, drawing=drawing)


def _days(runs: list[AcceptedRun]) -> tuple[list[str], list[float]]:
    """The days of recording, and the middle of each one's runs, which are numbered from 1."""
    labels, places, first = [], [], 1
    for day, members in itertools.groupby(run.recorded[:_DATE] for run in runs):
        count = len(list(members))
        labels.append(plain(day) or "?")
        places.append(first + (count - 1) / 2)
        first += count
    return labels, places


def _higher_is_better(metric: str) -> bool:
    return metric not in METRICS or METRICS[metric].better is Better.HIGHER


def _unit(metric: str) -> str:
    return METRICS[metric].unit if metric in METRICS else "x"


def _titled(metric: str) -> str:
    return f"{metric}, {_unit(metric)}"
