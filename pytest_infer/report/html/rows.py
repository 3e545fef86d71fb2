"""A result as a row of the large table, with what opens below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_infer.report.html.figures import figures_of
from pytest_infer.report.html.model import Cell, Detail, Row
from pytest_infer.report.html.tables import tables_of
from pytest_infer.report.html.wording import (
    BROKEN,
    NOTHING,
    badge_of,
    change_cell,
    detectable_cell,
    figure_cell,
)
from pytest_infer.report.unjudged import told
from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    from pytest_infer.report.json_report import JsonError, JsonReport, JsonResult

RANKS: Final = {outcome: rank for rank, outcome in enumerate(Outcome)}


def row_of(result: JsonResult, report: JsonReport) -> Row:
    """The row of one of the report's results."""
    file, test = _parts(result.nodeid)
    shown = result.change if result.change is not None and result.change.against != "anchor" else None
    shown = shown or next((change for change in result.changes if change.against != "anchor"), None)
    return Row(
        file=file,
        test=test,
        name=result.name,
        device=result.device or str(report.device.get("slug", "")),
        badge=badge_of(result.outcome, failed=result.failed),
        failed=result.failed,
        rank=RANKS[result.outcome] + (0 if result.failed else len(RANKS) + 1),
        latency=figure_cell(result, "latency"),
        p99=figure_cell(result, "p99_latency"),
        throughput=figure_cell(result, "throughput"),
        change=change_cell(shown),
        detectable=detectable_cell(shown),
        detail=Detail(
            reasons=result.reasons,
            differs=result.differs,
            differs_from=result.against or "the baseline's recording",
            figures=figures_of(result),
            tables=tables_of(result),
        ),
    )


def error_row(error: JsonError) -> Row:
    """The row of a test that failed without a verdict: behind those that a verdict fails."""
    file, test = _parts(error.nodeid)
    none = Cell(text=NOTHING)
    return Row(
        file=file,
        test=test,
        name="",
        device="",
        badge=BROKEN,
        failed=True,
        rank=len(RANKS),
        latency=none,
        p99=none,
        throughput=none,
        change=none,
        detectable=none,
        detail=Detail(reasons=(told(error),), differs=(), differs_from="", figures=(), tables=()),
    )


def _parts(nodeid: str) -> tuple[str, str]:
    file, _, test = nodeid.partition("::")
    return (file, test) if test else ("", file)
