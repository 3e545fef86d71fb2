"""Rows of cells on a terminal: in columns where it is wide enough, below their head where not. No digit is lost."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP: Final = "  "
INDENT: Final = "    "


def arranged(rows: Sequence[Sequence[str]], width: int | None) -> list[list[str]]:
    """The lines of each row.

    Args:
        rows: as many cells each, the first one what the row is about; empty cells are left out.
        width: columns to keep within; None for any number: then each row is one line, and nothing is aligned.
    """
    if width is None:
        return [[_GAP.join(filter(None, row))] for row in rows]
    lines = _columns(rows)
    if _fit(lines, width):
        return [[line] for line in lines]
    heads = [_shortened(head, width) for head, *_ in rows]
    lines = [INDENT + line for line in _columns([cells for _, *cells in rows])]
    if _fit(lines, width):
        return [[head, line] for head, line in zip(heads, lines, strict=True)]
    return [[head, *_filled(cells, width)] for head, (_, *cells) in zip(heads, rows, strict=True)]


def folded(text: str, width: int | None, indent: str = INDENT) -> list[str]:
    """A sentence, folded between words only: a command or a path stays whole, however long."""
    if width is None:
        return [indent + text]
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent + INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """A line each, in which cells of one kind stand below each other."""
    from rich.cells import cell_len, set_cell_size

    widest = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    padded = ([set_cell_size(cell, size) for cell, size in zip(row, widest, strict=True) if size] for row in rows)
    return [_GAP.join(cells).rstrip() for cells in padded]


def _fit(lines: Sequence[str], width: int) -> bool:
    from rich.cells import cell_len

    return all(cell_len(line) <= width for line in lines)


def _filled(cells: Sequence[str], width: int) -> list[str]:
    """Indented lines of as many whole cells as fit; only what is wider than a line is broken, between words."""
    lines: list[str] = []
    for cell in filter(None, cells):
        if lines and _fit([longer := f"{lines[-1]}{_GAP}{cell}"], width):
            lines[-1] = longer
        else:
            lines += folded(cell, width)
    return lines


def _shortened(head: str, width: int) -> str:
    """A node id loses folders first, then file and class, then letters from the left: its end tells most."""
    from rich.cells import cell_len

    if cell_len(head) <= width:
        return head
    for boundary in re.finditer("/|::", head.partition("[")[0]):
        if cell_len(shorter := f"…{head[boundary.start() :]}") <= width:
            return shorter
    while cell_len(head) >= width:
        head = head[1:]
    return f"…{head}"
