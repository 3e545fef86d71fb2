"""What the page shows: plain values, worded and ordered; templates only lay them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

Drawing: TypeAlias = dict[str, Any]
"""A figure as plotly.js takes it: `data` and `layout`. Values of keys that end in `color` name CSS variables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A picture, and the same in words for those who can't see it."""

    title: str
    words: str
    drawing: Drawing


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of texts below a header; the first cell of each names the row."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One figure of the large table: as text with a note below, and as a number to sort by; None sorts last."""

    text: str
    value: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """An outcome (or that there is none) as it is seen: a shape and a word, never a colour alone.

    Attributes:
        tone: `bad` for what fails its test, `warn` for what passes with a word, `good` for the rest.
    """

    outcome: str
    shape: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many there are of an outcome, and what it means."""

    badge: Badge
    number: int
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """What opens below a row."""

    reasons: tuple[str, ...]
    differs: tuple[str, ...]
    differs_from: str
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement in the large table, or a test that failed without a verdict.

    Attributes:
        file, test: the node id in two parts; `name`: which of the test's measurements, empty for the marker's engine.
        rank: the outcome's place in the order of severity, failures first.
    """

    file: str
    test: str
    name: str
    device: str
    badge: Badge
    failed: bool
    rank: int
    latency: Cell
    p99: Cell
    throughput: Cell
    change: Cell
    detectable: Cell
    detail: Detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One test function at several batches or precisions."""

    title: str
    count: int
    figures: tuple[Figure, ...]
    table: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The whole report.

    Attributes:
        headline: the result in one sentence; `failed`: whether anything fails.
        facts: when and on what, by name.
        environment: versions and the like.
    """

    headline: str
    failed: bool
    facts: tuple[tuple[str, str], ...]
    environment: Table
    notes: tuple[str, ...]
    counts: tuple[Count, ...]
    failing: int
    devices: tuple[str, ...]
    rows: tuple[Row, ...]
    groups: tuple[Group, ...]
