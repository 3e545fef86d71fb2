"""A result as a row of the large table, with what opens below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_infer.report.html.figures import figures_of
from pytest_infer.report.html.model import Detail, Row
from pytest_infer.report.html.tables import tables_of
from pytest_infer.report.html.wording import badge_of, change_cell, detectable_cell, figure_cell
from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    from pytest_infer.report.json_report import JsonReport, JsonResult

RANKS: Final = {outcome: rank for rank, outcome in enumerate(Outcome)}


def row_of(result: JsonResult, report: JsonReport) -> Row:
    """The row of one of the report's results."""
    file, _, test = result.nodeid.partition("::")
    shown = result.change if result.change is not None and result.change.against != "anchor" else None
    shown = shown or next((change for change in result.changes if change.against != "anchor"), None)
    return Row(
        file=file if test else "",
        test=test or file,
        name=result.name,
        device=result.device or str(report.device.get("slug", "")),
        badge=badge_of(result.outcome, failed=result.failed),
        failed=result.failed,
        rank=RANKS[result.outcome] + (0 if result.failed else len(RANKS)),
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
