"""`pytest-infer devices`."""

from __future__ import annotations

import click

from pytest_infer.cli.options import json_option
from pytest_infer.cli.output import print_json, print_table


@click.command()
@json_option
def devices(*, as_json: bool) -> None:
    """Show what could be measured on, and what stands in the way."""
    from pytest_infer.device.overview import overview

    rows, note = overview()
    if as_json:
        print_json({"devices": [row.plain() for row in rows], "note": note})
        return
    print_table(
        ("--infer-gpu", "device", "name", "now", "in the way"),
        [(row.option, row.slug, row.name, row.now, "; ".join(row.obstacles) or "nothing") for row in rows],
    )
    if note:
        click.echo(note)
