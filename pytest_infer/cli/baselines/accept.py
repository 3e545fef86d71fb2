"""`pytest-infer baselines accept`."""

from __future__ import annotations

import collections
import statistics
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_infer.baselines.accept import Proposal, accepted
from pytest_infer.baselines.atomic import rewrite
from pytest_infer.baselines.directory import DirectoryStore
from pytest_infer.baselines.places import checked, place_of
from pytest_infer.cli.options import baselines_option, dry_option, json_option
from pytest_infer.cli.output import print_json, print_table
from pytest_infer.cli.reports import SCREENING, Refusal, proposals_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.baselines.atomic import Change
    from pytest_infer.baselines.schema import BaselineFile, Entry


@click.command()
@click.argument("reports", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--force", is_flag=True, help="Also what regressed; its entry begins anew.")
@click.option("--reason", help="Why; kept in the file, beside the session.")
@baselines_option
@dry_option
@json_option
def accept(
    *, reports: tuple[Path, ...], force: bool, reason: str | None, folder: Path, dry: bool, as_json: bool
) -> None:
    """Make or extend baselines by what REPORTS (`--infer-report=x.json`) hold, of CI's artifacts for example.

    Record there, with --infer-update-baselines: a report holds the recorded runs then. Of any other session it holds
    one run a test, which is accepted as just that, and tells little. What was measured without a look at baselines is
    held against the runs that it is to join, as the gate would. A session that is in the baselines already is not
    added again. Exit status 1: something was refused, or there was nothing to accept.
    """
    offers = [proposals_of(path, DirectoryStore(folder), force=force, reason=reason) for path in reports]
    proposals = [proposal for offered, _ in offers for proposal in offered]
    refused = [refusal for _, some in offers for refusal in some]
    by_path: dict[Path, list[Proposal]] = collections.defaultdict(list)
    for proposal in proposals:
        by_path[folder / place_of(_slug(proposal), proposal.module)].append(proposal)
    changes: dict[Path, Change] = {path: partial(_change, some, path) for path, some in by_path.items()}
    rows = [
        row
        for path, (before, after) in rewrite(changes, dry=dry).items()
        for row in _rows(by_path[path], before, after)
    ]
    if as_json:
        print_json({"folder": str(folder), "dry_run": dry, "entries": rows, "refused": refused})
    else:
        _tell(rows, refused, proposals, folder, dry=dry)
    if refused or not proposals:
        click.get_current_context().exit(1)


def _slug(proposal: Proposal) -> str:
    return str(proposal.device["slug"])


def _change(proposals: list[Proposal], path: Path, file: BaselineFile | None) -> BaselineFile:
    return accepted(None if file is None else checked(file, _slug(proposals[0]), path), proposals)


def _rows(
    proposals: list[Proposal], before: BaselineFile | None, after: BaselineFile | None
) -> Iterator[dict[str, Any]]:
    entries_before, entries = ({} if file is None else file.entries for file in (before, after))
    for key in sorted({proposal.key for proposal in proposals}):
        told = {"device": _slug(proposals[0]), "module": proposals[0].module, "key": key}
        yield told | _told(entries_before.get(key), entries[key])


def _told(before: Entry | None, after: Entry) -> dict[str, Any]:
    return {
        "runs_before": 0 if before is None else len(before.runs),
        "runs": len(after.runs),
        "sessions": len({run.session for run in after.runs}),
        "changed": before != after,
        "latency_before": _median(before),
        "latency": _median(after),
    }


def _median(entry: Entry | None) -> float | None:
    values = [run.metrics["latency"] for run in (entry.runs if entry else ()) if "latency" in run.metrics]
    return statistics.median(values) if values else None


def _tell(
    rows: list[dict[str, Any]], refused: list[Refusal], proposals: list[Proposal], folder: Path, *, dry: bool
) -> None:
    changed = [row for row in rows if row["changed"]]
    if changed:
        print_table(
            ("device", "test", "runs", "sessions", "median latency"),
            [
                (
                    row["device"],
                    f"{row['module']}::{row['key']}",
                    f"{row['runs_before']} → {row['runs']}",
                    str(row["sessions"]),
                    " → ".join("-" if ms is None else f"{ms:.4g} ms" for ms in (row["latency_before"], row["latency"])),
                )
                for row in changed
            ],
        )
    there = len(rows) - len(changed)
    done = "would be written" if dry else "written"
    click.echo(f"{len(changed)} entries {done} to {folder}" + (f", {there} hold it already" if there else ""))
    if changed and any(SCREENING in (proposal.session.reason or "") for proposal in proposals):
        click.echo(
            "Some are one run in the suite's own process, not a recording: that tells little of how far runs spread, "
            "and the verdicts say so. Record with: pytest --infer-update-baselines --infer-report=recorded.json"
        )
    for refusal in refused:
        click.echo(f"refused: {refusal.nodeid} {refusal.name}".rstrip() + f": {refusal.why}", err=True)
