"""The report in GitHub-flavoured Markdown, made to fit where it is read: what needs a look first, then the rest."""

from __future__ import annotations

import collections
import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pytest_infer.report import unjudged
from pytest_infer.report.advice import blind, missing, unbelieved
from pytest_infer.report.escaping import block, code, code_cell
from pytest_infer.report.failure import headline, particulars
from pytest_infer.report.rows import by_severity, device_named, device_of, notable, row_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_infer.report.rows import Row
    from pytest_infer.result import BrokenTest, Result, RunReport

COMMENT: Final = 65_536
"""Characters that a comment on GitHub may have. Counted in bytes of UTF-8, of which there are never fewer."""
_ROWS_SHARE: Final = 0.6
"""Of a page too small for everything, what the table takes at most before failures are told in full."""
_RESERVE: Final = 500
"""Bytes kept for the sentences that say what was left out, and for what closes a part."""
_HEADS: Final = {
    "test": "test", "outcome": "verdict", "p50": "p50", "p99": "p99", "throughput": "throughput", "change": "change",
    "detectable": "detectable", "accuracy": "accuracy", "cost": "power, energy",
}  # fmt: skip
_RIGHT: Final = frozenset({"p50", "p99", "throughput", "change", "detectable"})


def encode(report: RunReport) -> bytes:
    """The report as a file that also fits into a comment."""
    return markdown(report, limit=COMMENT).encode()


def markdown(report: RunReport, *, limit: int, footnote: str = "") -> str:
    """The report.

    Args:
        report: the finished session.
        limit: bytes of UTF-8 that it may have, some thousands at least.
        footnote: a sentence behind the summary.
    """
    page = _Page(limit - _RESERVE)
    page.put(_summary(report))
    if footnote:
        page.put(f"{footnote}\n")
    if notes := [*(note for told in (missing, unbelieved, blind) for note in told(report.results)), *report.notes]:
        page.put("".join(f"- {code(note)}\n" for note in notes))
    look = by_severity(r for r in report.results if notable(r))
    rest = [r for r in report.results if not notable(r)]
    failed = sum(r.failed for r in look)  # errors stand behind them, before what passes with a word
    rows = _rows(look, report)
    rows[failed:failed] = map(unjudged.row_of, report.errors)
    left = page.table(rows, within=round(limit * _ROWS_SHARE))
    if left:
        page.end(f"… and {left} more of these: {_counted(row.outcome for row in rows[-left:])}.\n")
    explained = [r for r in look if r.reasons]
    failed = sum(r.failed for r in explained)
    texts = itertools.chain(
        (_told(r, report) for r in explained[:failed]),
        map(_broken, report.errors),
        (_told(r, report) for r in explained[failed:]),
    )
    for number, text in enumerate(texts):
        if not page.put(text):
            page.end(f"{len(report.errors) + len(explained) - number} more are told in full in the log only.\n")
            break
    if rest:
        page.fold(_counted(r.outcome for r in rest), _rows(rest, report))
    page.put(_environment(report))
    return page.text


class _Page:
    """Text that grows by parts that fit."""

    def __init__(self, limit: int) -> None:
        self.text = ""
        self._left = limit

    def put(self, part: str) -> bool:
        """Add a part, an empty line before it, unless it is too large."""
        size = len(part.encode()) + 1
        if size > self._left:
            return False
        self.end(part)
        self._left -= size
        return True

    def end(self, part: str) -> None:
        """Add what room was kept for."""
        self.text += f"\n{part}" if self.text else part

    def table(self, rows: Sequence[Row], *, within: int | None = None) -> int:
        """Add a table of as many rows as fit; how many did not."""
        if not rows:
            return 0
        head, *lines = _table(rows)
        room = self._left if within is None else min(within, self._left)
        size = len(head.encode()) + 1
        kept = 0
        for line in lines:
            size += len(line.encode())
            if size > room:
                break
            kept += 1
        if kept:
            self.put(head + "".join(lines[:kept]))
        return len(lines) - kept

    def fold(self, title: str, rows: Sequence[Row]) -> None:
        """Add a table that is opened by a click, of as many rows as fit."""
        if not self.put(f"<details><summary>{title}</summary>\n"):
            return
        left = self.table(rows)
        self.end((f"… and {left} more.\n\n" if left else "") + "</details>\n")


def _summary(report: RunReport) -> str:
    results, errors = report.results, report.errors
    others = [unjudged.counted(len(errors))] if errors else []
    if not results:
        return f"### pytest-infer: {', '.join(others) or 'no infer test ran'}\n"
    failed = sum(r.failed for r in results)
    what = ", ".join([f"{failed or 'none'} of {len(results)} measurements failed", *others])
    devices = ", ".join(code(name) for name in dict.fromkeys(device_named(r, report) for r in results))
    return f"### pytest-infer: {what}\n\n{_counted(r.outcome for r in results)}, on {devices}\n"


def _counted(outcomes: Iterable[str]) -> str:
    counts = collections.Counter(map(str, outcomes))
    return ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))


def _rows(results: Sequence[Result], report: RunReport) -> list[Row]:
    """Rows; with the device behind the test where there are several."""
    if len({device_of(r, report) for r in report.results}) == 1:
        return [row_of(r) for r in results]
    return [replace(row := row_of(r), test=f"{row.test} on {device_of(r, report)}") for r in results]


def _table(rows: Sequence[Row]) -> list[str]:
    """The head with the line below it, and a line a row. Columns that are empty in all rows are left out."""
    names = [name for name in _HEADS if any(getattr(row, name) for row in rows)]
    line = "|".join("---:" if name in _RIGHT else "---" for name in names)
    head = f"| {' | '.join(_HEADS[name] for name in names)} |\n|{line}|\n"
    return [head, *(f"| {' | '.join(_cell(row, name) for name in names)} |\n" for row in rows)]


def _cell(row: Row, name: str) -> str:
    text: str = getattr(row, name)
    return code_cell(text) if name == "test" else text


def _told(result: Result, report: RunReport) -> str:
    return block("\n".join([headline(result), *particulars(result, device_named(result, report))]))


def _broken(error: BrokenTest) -> str:
    return block(f"{unjudged.headline(error)}\n  {unjudged.told(error)}")


def _environment(report: RunReport) -> str:
    facts = {"started": report.started, **report.environment}
    lines = "\n".join(f"{name}: {fact}" for name, fact in facts.items())
    return f"<details><summary>environment</summary>\n\n{block(lines)}\n</details>\n"
