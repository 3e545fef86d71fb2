"""`pytest-infer baselines diff`."""

from __future__ import annotations

import collections
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_infer.baselines.diff import EntryChange, changes, median
from pytest_infer.baselines.places import device_of, module_of
from pytest_infer.baselines.tree import Tree, TreeStore, read_tree
from pytest_infer.cli.options import baselines_option, json_option
from pytest_infer.cli.output import print_json, print_table
from pytest_infer.cli.revision import tree_at
from pytest_infer.errors import BaselineNotFoundError, UsageError
from pytest_infer.metrics import METRICS
from pytest_infer.verdict import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.cli.judging import Judged
    from pytest_infer.verdict import Change


@click.command()
@click.argument("old", type=click.Path(path_type=Path, exists=True, file_okay=False), required=False)
@click.argument("new", type=click.Path(path_type=Path, exists=True, file_okay=False), required=False)
@click.option("--against", "revision", metavar="REV", help="The old ones are those of a git revision. Default: HEAD.")
@baselines_option
@json_option
def diff(*, old: Path | None, new: Path | None, revision: str | None, folder: Path, as_json: bool) -> None:
    """Show which baselines changed, from OLD (a folder, or a revision's) to NEW (a folder; --baselines by default).

    A change is what the newest session that came says against all old runs, judged as a test would be, by the spread
    that the old runs of its device show. Exit status 1: something got slower beyond it.
    """
    if old is not None and revision is not None:
        raise UsageError(f"old baselines are those of {old} or of {revision}: give one of them")
    now_at = folder if new is None else new
    then = tree_at(folder, revision or "HEAD") if old is None else read_tree(old)
    now = read_tree(now_at)
    if not then and not now:
        raise BaselineNotFoundError(f"no baselines on either side; there are none in {now_at}")
    changed = list(changes(then, now))
    judged = _judged(changed, then, now_at)
    rows = [_row(change, judged) | {"nearest": _nearest(change, now)} for change in changed]
    if as_json:
        print_json({"old": str(old or revision or "HEAD"), "new": str(now_at), "entries": rows, "notes": judged.notes})
    else:
        _tell(rows, judged.notes)
    if any(row["verdict"] == "slower" for row in rows):
        click.get_current_context().exit(1)


def _judged(changed: Sequence[EntryChange], then: Tree, studies: Path) -> Judged:
    from pytest_infer.cli.judging import Fresh, judge

    fresh = [
        Fresh(
            test=_name(change),
            device=change.device,
            entry=change.old,
            runs=tuple(run.metrics for run in change.added),
            metrics=(metric,),
        )
        for change in changed
        if change.old is not None and (metric := _metric(change))
    ]
    return judge(fresh, TreeStore(then, studies), {})


def _name(change: EntryChange) -> str:
    return f"{change.device} {change.module}::{change.key}"


def _metric(change: EntryChange) -> str:
    """What the change is judged by: latency, where old and new runs have it; empty where they have nothing alike."""
    sides = [() if change.old is None else change.old.runs, change.added]
    both = [name for name in METRICS if all(any(run.metrics.get(name, 0) > 0 for run in runs) for runs in sides)]
    return "latency" if "latency" in both else next(iter(both), "")


def _row(change: EntryChange, judged: Judged) -> dict[str, Any]:
    metric = _metric(change) or "latency"
    (found,) = judged.changes.get(_name(change), ()) or (None,)
    if change.old is None or change.new is None:
        verdict = "new" if change.old is None else "gone"
    elif found is None:
        verdict = "not comparable" if change.added else "fewer runs"
    else:
        verdict = "slower" if found.regressed else "faster" if found.improved else "within the spread"
    return {
        "device": change.device,
        "module": change.module,
        "key": change.key,
        "metric": metric,
        "unit": METRICS[metric].unit,
        "old": None if change.old is None else median(change.old.runs, metric),
        "new": median(change.added, metric) if change.added else None,
        "old_runs": 0 if change.old is None else len(change.old.runs),
        "new_runs": 0 if change.new is None else len(change.new.runs),
        "verdict": verdict,
        "change": found,
        "differs": change.differs,
    }


def _nearest(change: EntryChange, now: Tree) -> dict[str, Any] | None:
    """Of an entry that is new: the same on the device most like its own, to be looked at, not judged by."""
    from pytest_infer.device.fingerprint import Device
    from pytest_infer.device.nearest import nearest

    if change.old is not None or change.new is None:
        return None
    same = {
        device_of(place): file
        for place, file in now.items()
        if module_of(place) == change.module and change.key in file.entries
    }
    identities = {
        slug: {name: value for name, value in file.device.items() if name != "slug"} for slug, file in same.items()
    }
    mine = identities.pop(change.device)
    found = nearest(Device(slug=change.device, kind="", name="", identity=mine), identities)
    if found is None:
        return None
    metric = _metric(change) or "latency"
    value = median(same[found.slug].entries[change.key].runs, metric)
    return {"device": found.slug, "value": value, "differs": found.differs}


def _verdict(row: dict[str, Any]) -> str:
    """The verdict, and of a new entry what the nearest device has."""
    near = row["nearest"]
    if near is None or near["value"] is None:
        return str(row["verdict"])
    return f"{row['verdict']} ({near['value']:.4g} {row['unit']} on {near['device']})"


def _tell(rows: list[dict[str, Any]], notes: Sequence[str]) -> None:
    if not rows:
        click.echo("no entry changed")
        return
    for device in dict.fromkeys(row["device"] for row in rows):
        mine = [row for row in rows if row["device"] == device]
        print_table(
            ("test", "old", "new", "change", "95 % interval", "detectable", "runs", "verdict"),
            [
                (
                    f"{row['module']}::{row['key']}",
                    *(f"{row[side]:.4g} {row['unit']}" if row[side] is not None else "-" for side in ("old", "new")),
                    *_figures(row["change"]),
                    f"{row['old_runs']} → {row['new_runs']}",
                    _verdict(row),
                )
                for row in mine
            ],
            title=device,
        )
        differs = collections.Counter(line for row in mine for line in row["differs"])
        for line, count in differs.items():
            click.echo(f"  differs for {count} of them: {line}")
        for near in sorted({(row["nearest"]["device"], row["nearest"]["differs"]) for row in mine if row["nearest"]}):
            click.echo(f"  nearest device: {near[0]}" + (f" ({', '.join(near[1])})" if near[1] else ""))
    for note in notes:
        click.echo(note)


def _figures(change: Change | None) -> tuple[str, str, str]:
    if change is None:
        return "-", "-", "-"
    firm = " (provisional)" if change.provisional else ""
    return percent(change.estimate), change.interval_text, f"{change.detectable_text}{firm}"
