"""One side of a comparison: which interpreter, and where the user's checkout lies for it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.against.boot import inside, moved
from pytest_infer.against.protocol import Paths

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a comparison.

    Attributes:
        label: what people call it.
        python: its interpreter; `own_packages`: not the one that runs this session, so its `sys.path` is its own.
        base: the user's checkout.
        moved: what stands for it on this side; empty where it is itself.
        kept: folders inside `base` that don't move: environments, links, what git ignores.
        copies: installed copies of packages of the checkout, which stand for no side.
        notes: what a reader of a comparison should know of this side.
    """

    label: str
    python: str
    own_packages: bool = False
    base: str
    moved: str = ""
    kept: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def path(self, path: str) -> str:
        """A path as this side has it."""
        return moved(path, {"base": self.base, "moved": self.moved, "kept": self.kept})

    def folder(self, path: Path) -> Path:
        """A folder as this side has it, or the nearest one above that it has."""
        found = Path(self.path(str(path)))
        while not found.is_dir():
            found = found.parent
        return found

    def arguments(self, arguments: tuple[str, ...]) -> tuple[str, ...]:
        """A command line in which absolute paths inside the checkout are this side's: `/a`, `--x=/a`, `-c/a`."""
        if not self.moved:
            return arguments
        found = re.compile(rf"(^-[A-Za-z]|^|[=:,;])({re.escape(self.base)}(?=$|[/:,;])[^:,;]*)")
        return tuple(found.sub(lambda match: match[1] + self.path(match[2]), argument) for argument in arguments)

    def paths(self, sys_path: tuple[str, ...]) -> Paths:
        """Where it imports from, `sys_path` being this session's."""
        mine = tuple(e for e in sys_path if inside(e, self.base) and not any(inside(e, k) for k in self.kept))
        return Paths(
            search=None if self.own_packages else tuple(map(self.path, sys_path)),
            first=mine,
            base=self.base,
            moved=self.moved,
            kept=self.kept,
            copies=self.copies,
        )

    def environment(self, environ: Mapping[str, str], sys_path: tuple[str, ...]) -> dict[str, str]:
        """The environment variables of its processes: Pythons that they start import from this side, too."""
        if not self.moved:
            return dict(environ)
        entries = [e for e in map(self.path, sys_path) if inside(e, self.moved)]
        entries += [self.path(e) for e in environ.get("PYTHONPATH", "").split(os.pathsep) if e]
        return {**environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(entries))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The user's checkout as it is, and what it is compared with. Plain values: they travel to xdist's workers."""

    here: Side
    there: Side
