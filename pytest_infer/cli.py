"""`pytest-infer`: look at baselines and devices without running tests."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_infer.baselines.codec import decode
from pytest_infer.device.cpu import cpu_device, thread_count
from pytest_infer.errors import InferError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.baselines.schema import BaselineFile


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
def devices() -> None:
    """Show what would be measured on."""
    device = cpu_device()
    click.echo(f"{device.slug}\t{device.name}, {thread_count()} threads")


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


def _files(folder: Path) -> Iterator[tuple[Path, BaselineFile]]:
    for path in sorted(folder.rglob("*.json")):
        yield path, decode(path.read_bytes(), path)
