"""`pytest-infer`: look at baselines and devices without running tests."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pytest_infer.baselines.codec import decode
from pytest_infer.device.cpu import cpu_device
from pytest_infer.errors import InferError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.baselines.schema import BaselineFile
    from pytest_infer.device.fingerprint import Device

_LOG_WIDTH: Final = 200
"""Columns of a table that no terminal shows: wide enough that no word is broken."""


class _Group(click.Group):
    """Our errors as the command line's own: one line, exit status 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except InferError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=_Group)
@click.version_option(package_name="pytest-infer")
def main() -> None:
    """Look at what pytest-infer measures on and compares with."""


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Plain values instead of a table.")
def devices(*, as_json: bool) -> None:
    """Show what could be measured on, and what stands in the way."""
    from pytest_infer.device.overview import overview

    rows, note = overview()
    if as_json:
        click.echo(json.dumps({"devices": [row.plain() for row in rows], "note": note}, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("--infer-gpu", "device", "name", "now", "in the way", box=None, pad_edge=False)
    for row in rows:
        table.add_row(row.option, row.slug, row.name, row.now, "; ".join(row.obstacles) or "nothing")
    console = Console(width=None if sys.stdout.isatty() else _LOG_WIDTH, highlight=False, markup=False)
    console.print(table)
    if note:
        console.print(note)


@main.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--runs", default=5, show_default=True, type=click.IntRange(2, 20), help="Fresh processes a test and session."
)
@click.option("--sessions", default=1, show_default=True, type=click.IntRange(1, 20), help="Recordings.")
@click.option("--pause", default=0.0, show_default=True, type=click.FloatRange(0), help="Seconds between sessions.")
@click.option("--tolerance", default=0.02, show_default=True, type=click.FloatRange(0), help="The change to be seen.")
@click.option("--alpha", default=0.001, show_default=True, type=click.FloatRange(1e-9, 0.2), help="The gate's level.")
@click.option("--baselines", "folder", type=click.Path(path_type=Path), default=Path("baselines"), show_default=True)
@click.option("--infer-gpu", "gpu", default="none", show_default=True, help="The GPU to study, as pytest takes it.")
@click.argument("tests", nargs=-1, type=click.UNPROCESSED)
def calibrate(
    *,
    tests: tuple[str, ...],
    folder: Path,
    runs: int,
    sessions: int,
    pause: float,
    tolerance: float,
    alpha: float,
    gpu: str,
) -> None:
    """Measure the same code again and again (TESTS, as pytest takes them), and keep how far this machine spreads."""
    from pytest_infer.baselines.directory import DirectoryStore
    from pytest_infer.calibrate import Study, advice, analyse, record
    from pytest_infer.stats.rule import Rule

    device = _one_device(gpu)
    chosen = () if gpu == "none" else (f"--infer-gpu={gpu}",)
    study = Study(arguments=(*tests, *chosen), runs=runs, sessions=sessions, pause_s=pause)
    entries = record(study, device, lambda text: click.echo(text, err=True))
    finding = analyse(entries, study, device, Rule(alpha=alpha, max_regression=tolerance))
    found = finding.calibration
    click.echo(f"{device.slug}: {found.tests} tests, {sessions} session(s) of {runs} runs")
    click.echo(f"spread of runs in a session      {found.run_sd:7.2%}")
    click.echo(f"spread of a test over sessions   {found.session_sd:7.2%}" + (" (declared)" if sessions == 1 else ""))
    click.echo(f"spread of whole sessions         {found.common_sd:7.2%}" + (" (declared)" if sessions == 1 else ""))
    click.echo(f"false alarms of the gate a test  {finding.false_alarms:7.2%}")
    for count, detectable in finding.detectable.items():
        click.echo(f"detectable with {count} session(s)     {detectable:+8.1%}")
    click.echo(advice(finding, tolerance))
    DirectoryStore(folder).save_calibration(device, found)


@main.group()
def baselines() -> None:
    """Look at the baselines of a directory."""


@baselines.command("list")
@click.option("--baselines", "folder", type=click.Path(path_type=Path), default=Path("baselines"), show_default=True)
def list_(folder: Path) -> None:
    """One line an entry: device, test, runs, sessions, median latency."""
    found = False
    for path, file in _files(folder):
        for key, entry in file.entries.items():
            found = True
            sessions = {run.session for run in entry.runs}
            latencies = [run.metrics["latency"] for run in entry.runs if "latency" in run.metrics]
            middle = f"{statistics.median(latencies):.4g} ms" if latencies else "-"
            module = path.relative_to(folder / str(file.device["slug"])).with_suffix(".py")
            click.echo(
                f"{file.device['slug']}\t{module}::{key}\t{len(entry.runs)} runs\t{len(sessions)} sessions\t{middle}"
            )
    if not found:
        raise click.ClickException(f"no baselines in {folder}; record some: pytest --infer-update-baselines")


@baselines.command()
@click.argument("test")
@click.option("--baselines", "folder", type=click.Path(path_type=Path), default=Path("baselines"), show_default=True)
def show(test: str, folder: Path) -> None:
    """Every accepted run of the tests whose key contains TEST."""
    found = False
    for _, file in _files(folder):
        for key, entry in file.entries.items():
            if test not in key:
                continue
            found = True
            click.echo(f"{key}\n  on {file.device['slug']}")
            for run in entry.runs:
                recorded = file.sessions[run.session].recorded if run.session in file.sessions else "?"
                values = ", ".join(f"{name} {value:.4g}" for name, value in sorted(run.metrics.items()))
                click.echo(f"  {recorded}  {values}")
    if not found:
        raise click.ClickException(f"no entry of {folder} contains {test!r}; see: pytest-infer baselines list")


def _one_device(gpu: str) -> Device:
    if gpu == "none":
        return cpu_device()
    from pytest_infer.device.gpu import open_gpus

    device, *others = open_gpus(gpu)
    if others:
        raise click.UsageError(f"--infer-gpu={gpu}: a study is of one GPU")
    return device


def _files(folder: Path) -> Iterator[tuple[Path, BaselineFile]]:
    for path in sorted(folder.glob("*/**/*.json")):  # studies lie beside the folders of their devices
        yield path, decode(path.read_bytes(), path)
