"""`pytest-infer baselines list | show`."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

import click

from pytest_infer.baselines.places import device_of, module_of
from pytest_infer.baselines.tree import read_tree
from pytest_infer.cli.options import baselines_option, json_option
from pytest_infer.cli.output import print_json
from pytest_infer.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_infer.baselines.schema import BaselineFile, Entry


@click.command("list")
@baselines_option
@json_option
def list_(*, folder: Path, as_json: bool) -> None:
    """One line an entry: device, test, runs, sessions, median latency."""
    rows = [_row(*found) for found in _entries(folder)]
    if not rows:
        raise click.ClickException(f"no baselines in {folder}; record some: pytest --infer-update-baselines")
    if as_json:
        print_json({"folder": str(folder), "entries": rows})
        return
    for row in rows:
        middle = f"{row['median']['latency']:.4g} ms" if "latency" in row["median"] else "-"
        counts = f"{row['runs']} runs\t{row['sessions']} sessions"
        click.echo(f"{row['device']}\t{row['module']}::{row['key']}\t{counts}\t{middle}")


@click.command()
@click.argument("test")
@baselines_option
@json_option
def show(*, test: str, folder: Path, as_json: bool) -> None:
    """Every accepted run of the tests whose id (`tests/test_net.py::test_net[fp32]`) contains TEST."""
    found = [one for one in _entries(folder) if test in f"{one[1]}::{one[2]}"]
    if not found:
        raise click.ClickException(f"no entry of {folder} contains {test!r}; see: pytest-infer baselines list")
    if as_json:
        print_json({"folder": str(folder), "entries": [_whole(*one) for one in found]})
        return
    for device, module, key, file, entry in found:
        click.echo(f"{module}::{key}\n  on {device}")
        for run in entry.runs:
            session = file.sessions.get(run.session)
            values = ", ".join(f"{name} {value:.4g}{_unit(name)}" for name, value in sorted(run.metrics.items()))
            reason = f"  ({session.reason})" if session is not None and session.reason else ""
            click.echo(f"  {'?' if session is None else session.recorded}  {values}{reason}")


def _entries(folder: Path) -> Iterator[tuple[str, str, str, BaselineFile, Entry]]:
    for place, file in read_tree(folder).items():
        for key, entry in file.entries.items():
            yield device_of(place), module_of(place), key, file, entry


def _row(device: str, module: str, key: str, file: BaselineFile, entry: Entry) -> dict[str, Any]:
    sessions = {run.session for run in entry.runs}
    names = sorted({name for run in entry.runs for name in run.metrics})
    return {
        "device": device,
        "module": module,
        "key": key,
        "runs": len(entry.runs),
        "sessions": len(sessions),
        "newest": max((file.sessions[name].recorded for name in sessions if name in file.sessions), default=None),
        "median": {
            name: statistics.median(run.metrics[name] for run in entry.runs if name in run.metrics) for name in names
        },
    }


def _whole(device: str, module: str, key: str, file: BaselineFile, entry: Entry) -> dict[str, Any]:
    sessions = {run.session: file.sessions.get(run.session) for run in entry.runs}
    return {
        "device": device,
        "module": module,
        "key": key,
        "workload": entry.workload,
        "sessions": sessions,
        "runs": entry.runs,
    }


def _unit(metric: str) -> str:
    return f" {METRICS[metric].unit}" if metric in METRICS else ""
