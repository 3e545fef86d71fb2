"""The vocabulary of figures: traces and axes of plotly.js as plain values; the page's script adds fonts and colours.

Series differ in colour, dash, shape and pattern: each of them tells them apart alone. Texts of users are escaped, since
plotly.js reads some HTML in them.
"""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.report.rows import digits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_infer.report.html.model import Drawing

MINE: Final = "--accent"
ACCEPTED: Final = "--accepted"
BAND: Final = "--band"
DOUBT: Final = "--doubt"
SERIES: Final = tuple(f"--series-{i}" for i in range(1, 7))
DASHES: Final = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS: Final = ("circle", "square", "diamond", "triangle-up", "x", "star")
PATTERNS: Final = ("", "/", ".", "x", "-", "+")
_FEW: Final = (1.0, 2.0, 5.0)
_MANY: Final = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_CLOSE: Final = 5.0
_MARGIN: Final = 1.2
_DECADE: Final = 20.0
"""From this ratio of the largest to the smallest value on, an axis is logarithmic."""


def figure(traces: Iterable[dict[str, Any]], x: dict[str, Any], y: dict[str, Any], **layout: Any) -> Drawing:
    """A figure of these traces and axes."""
    return {"data": list(traces), "layout": {"xaxis": x, "yaxis": y, **layout}}


def axis(title: str, **more: Any) -> dict[str, Any]:
    """An axis; texts on it are never taken for numbers or dates."""
    return {"title": {"text": title}, "autotypenumbers": "strict", **more}


def scale(values: Iterable[float | None]) -> dict[str, Any]:
    """Logarithmic where values differ by more than an order of magnitude."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if known and min(known) > 0 and max(known) / min(known) > _DECADE:
        return log_ticks(known)
    return {}


def log_ticks(values: Sequence[float]) -> dict[str, Any]:
    """A logarithmic axis with plain numbers on it: 1, 2, 5 of each decade, or more where values lie close together."""
    low, high = min(values) / _MARGIN, max(values) * _MARGIN
    steps = _FEW if high / low > _CLOSE else _MANY
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    shown = [tick for tick in ticks if low <= tick <= high]
    return {"type": "log", "tickmode": "array", "tickvals": rounded(shown), "ticktext": [digits(t) for t in shown]}


def line(name: str, x: Sequence[Any], y: Sequence[Any], color: str, **more: Any) -> dict[str, Any]:
    """A line without markers, `dash` among `more`."""
    dash = more.pop("dash", "solid")
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": list(x),
        "y": rounded(y),
        "line": {"color": color, "dash": dash, "width": 2},
        "hoverinfo": "skip",
        **more,
    }


def points(name: str, x: Sequence[Any], y: Sequence[Any], color: str, **more: Any) -> dict[str, Any]:
    """Markers, `symbol` and `size` among `more`."""
    marker = {"color": color, "symbol": more.pop("symbol", "circle"), "size": more.pop("size", 8)}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": list(x),
        "y": rounded(y),
        "marker": marker,
        **more,
    }


def band(name: str, x: Sequence[Any], low: Sequence[float], high: Sequence[float], color: str) -> list[dict[str, Any]]:
    """The area between two lines."""
    edge = {"type": "scatter", "mode": "lines", "x": list(x), "line": {"width": 0}, "hoverinfo": "skip"}
    return [
        {**edge, "y": rounded(low), "showlegend": False},
        {**edge, "y": rounded(high), "name": name, "fill": "tonexty", "fillcolor": color},
    ]


def whiskers(values: Sequence[float], intervals: Sequence[tuple[float, float] | None], color: str) -> dict[str, Any]:
    """Error bars of `values`, none where there is no interval."""
    ends = [(v, v) if found is None else found for v, found in zip(values, intervals, strict=True)]
    return {
        "type": "data",
        "symmetric": False,
        "array": rounded(max(0.0, high - v) for v, (_, high) in zip(values, ends, strict=True)),
        "arrayminus": rounded(max(0.0, v - low) for v, (low, _) in zip(values, ends, strict=True)),
        "color": color,
        "thickness": 1.5,
    }


def rounded(values: Iterable[float | None]) -> list[float | None]:
    """Six digits: no picture shows more, and the file is read by people's browsers."""
    return [None if v is None or not math.isfinite(v) else float(f"{v:.6g}") for v in values]


def plain(text: object) -> str:
    """A user's text in a figure."""
    return html.escape(str(text), quote=False)
