"""`pytest-infer compare`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pytest_infer.baselines.tree import read_tree
from pytest_infer.cli.options import baselines_option, json_option
from pytest_infer.cli.output import print_json, print_table
from pytest_infer.errors import UsageError
from pytest_infer.metrics import METRICS
from pytest_infer.verdict import percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_infer.baselines.tree import Tree
    from pytest_infer.cli.comparing import Pair
    from pytest_infer.report.json_report import JsonReport
    from pytest_infer.verdict import Change

_SHOWN: Final = ("latency", "p99_latency", "throughput")
_FAILING: Final = frozenset({"slower", "over the limit", "missing", "another workload"})


def _fraction(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    """`10%` or `0.1`."""
    if text is None:
        return None
    try:
        found = float(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
    except ValueError:
        found = -1.0
    if found >= 1.0 and not text.endswith("%"):
        raise click.BadParameter(f"{text} is {found:.0%}; write {text}% if that is meant, or {found:.0%}")
    if not 0.0 <= found < float("inf"):
        raise click.BadParameter(f"{text!r} is no fraction: 10% or 0.1")
    return found


@click.command()
@click.argument("a", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("b", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--fail-over",
    "limit",
    metavar="10%",
    callback=_fraction,
    help="A hard limit: more latency than that is a failure, too.",
)
@click.option("--any-device", is_flag=True, help="Also reports of different devices: figures without verdicts.")
@partial(baselines_option, needed=False)
@json_option
def compare(*, a: Path, b: Path, limit: float | None, any_device: bool, folder: Path, as_json: bool) -> None:
    """Hold the report B against the report A (`--infer-report=x.json`).

    The gate judges B as it judges a test, with A as its baseline; how far runs of the device spread it learns from A
    and from the baselines of that device, or it takes the declared spread. Two reports of one run a test can show large
    changes only: recordings (--infer-update-baselines) or baselines show more. Exit status 1: something is slower, over
    the limit, or missing.
    """
    from pytest_infer.cli.comparing import judged, paired, verdict
    from pytest_infer.cli.judging import Judged
    from pytest_infer.cli.reports import device_of
    from pytest_infer.report.json_report import read

    before, after = read(a), read(b)
    pairs = paired(before, after)
    foreign = {(p.device, device_of(after, p.b)) for p in pairs if p.a and p.b and p.device != device_of(after, p.b)}
    if foreign and not any_device:
        names = "; ".join(" and ".join(devices) for devices in sorted(foreign))
        raise UsageError(f"measured on different devices: {names}. --any-device shows the figures, without verdicts")
    stored = read_tree(folder)
    found = Judged(changes={}) if foreign else judged(pairs, (a, before), after, stored, folder)
    verdicts = {pair.key: verdict(pair, found.changes.get(pair.key, ()), limit) for pair in pairs}
    notes = [*found.notes, *_notes(pairs, stored, verdicts, judged=not foreign)]
    if as_json:
        rows = [_row(pair, found.changes.get(pair.key, ()), verdicts[pair.key]) for pair in pairs]
        print_json({"a": str(a), "b": str(b), "results": rows, "notes": notes, "differs": _differs(before, after)})
    else:
        _tell(pairs, found.changes, verdicts)
        for line in _differs(before, after):
            click.echo(f"differs: {line}")
        for pair in pairs:
            if verdicts[pair.key] == "disturbed":
                click.echo(f"{pair.nodeid} {pair.name}".rstrip() + f": {'; '.join(pair.disturbed)} (the second report)")
        for note in notes:
            click.echo(note)
    if _FAILING.intersection(verdicts.values()) or not pairs:
        click.get_current_context().exit(1)


def _differs(before: JsonReport, after: JsonReport) -> tuple[str, ...]:
    from pytest_infer.device.environment import differences

    return differences(before.environment, after.environment)


def _notes(pairs: Sequence[Pair], stored: Tree, verdicts: Mapping[str, str], *, judged: bool) -> list[str]:
    """What a reader must know to read the table."""
    if not judged:
        return ["different devices: ratios only, no verdict on the code"]
    devices = sorted({pair.device for pair in pairs if not pair.unjudged})
    entries = {
        slug: sum(len(file.entries) for place, file in stored.items() if place.parts[0] == slug) for slug in devices
    }
    notes = [
        f"{slug}: how far runs and sessions spread is taken from these reports"
        + (
            f" and {count} entries of its baselines"
            if count
            else " and a declaration: there are no baselines of it here"
        )
        for slug, count in entries.items()
    ]
    if any(result is not None and not result.recorded for pair in pairs for result in (pair.a, pair.b)):
        notes.append(
            "one run of a test is little: changes below `detectable` can't be told from the noise between runs, and a "
            "run that was disturbed looks like slow code. For a verdict to rely on, compare with baselines: "
            "pytest --infer-update-baselines, then pytest"
        )
    if missing := sum(word == "missing" for word in verdicts.values()):
        notes.append(f"{missing} measurement(s) of the first report are missing from the second")
    return notes


def _row(pair: Pair, changes: Sequence[Change], word: str) -> dict[str, Any]:
    names = sorted({name for side in (pair.a, pair.b) if side is not None for name in side.metrics if name in METRICS})
    return {
        "nodeid": pair.nodeid,
        "name": pair.name,
        "device": pair.device,
        "verdict": word,
        "outcomes": [None if side is None else side.outcome for side in (pair.a, pair.b)],
        "metrics": {
            name: {"a": pair.value("a", name), "b": pair.value("b", name), "worse_by": pair.worse_by(name)}
            for name in names
        },
        "within_runs": pair.within_runs,
        "disturbed": pair.disturbed,
        "changes": changes,
    }


def _tell(pairs: Sequence[Pair], changes: Mapping[str, tuple[Change, ...]], verdicts: Mapping[str, str]) -> None:
    for device in dict.fromkeys(pair.device for pair in pairs):
        mine = [pair for pair in pairs if pair.device == device]
        print_table(
            (
                "test",
                *(f"{name} ({METRICS[name].unit})" for name in _SHOWN),
                "change",
                "95 % interval",
                "detectable",
                "verdict",
            ),
            [
                (
                    f"{pair.nodeid} {pair.name}".rstrip(),
                    *(_both(pair, name) for name in _SHOWN),
                    *_change(pair, changes.get(pair.key, ())),
                    verdicts[pair.key],
                )
                for pair in mine
            ],
            title=device,
        )


def _both(pair: Pair, metric: str) -> str:
    values = [pair.value(side, metric) for side in ("a", "b")]
    return " → ".join("-" if value is None else f"{value:.4g}" for value in values) if any(values) else "-"


def _change(pair: Pair, changes: Sequence[Change]) -> tuple[str, str, str]:
    """The change that says most, its interval and what could have been seen; of what was not judged, the ratio."""
    worst = max(changes, key=lambda change: (change.regressed, change.estimate), default=None)
    if worst is not None:
        other = "" if worst.metric == "latency" else f" {worst.metric}"
        return (
            f"{percent(worst.estimate)}{other}",
            worst.interval_text,
            worst.detectable_text,
        )
    by, within = pair.worse_by("latency"), pair.within_runs
    return (
        "-" if by is None else f"{by:+.1%}",
        "-" if within is None else f"{within[0]:+.1%} to {within[1]:+.1%} within a run",
        "-",
    )
