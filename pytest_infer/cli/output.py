"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LOG_WIDTH: Final = 200
"""Columns of a table that no terminal shows: wide enough that no word is broken."""


def print_json(value: Any) -> None:
    """Print a value, dataclasses as objects, infinities as null."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=1).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """Print rows as a table; its first column is never cut."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else _LOG_WIDTH, highlight=False, markup=False)
    if title:
        console.print(title, style="bold", soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=number > 0 and not sys.stdout.isatty())
    for row in rows:
        table.add_row(*row)
    console.print(table)
