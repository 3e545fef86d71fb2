"""One side of a comparison: which interpreter, and where the user's checkout lies for it."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_infer.against.boot import inside, moved, real, within
from pytest_infer.against.protocol import Paths

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHARED: Final = re.compile("CACHE|^(HOME|OLDPWD|TMPDIR|TEMP|TMP)$")
"""Environment variables that name a place for files which belong to neither side, wherever it lies."""
_WORDS: Final = frozenset({"-k", "-m", "-n", "-o", "-p", "-r", "-W"})
"""Options of pytest and xdist whose value behind a space is no path, whatever is called like it."""


def named_paths(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The absolute paths that environment variables name, alone or in a list, and that follow a side's checkout."""
    values = (value for name, value in environ.items() if not _SHARED.search(name))
    return tuple(dict.fromkeys(p for value in values for p in value.split(os.pathsep) if os.path.isabs(p)))  # noqa: PTH117 - any text


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a comparison.

    Attributes:
        label: what people call it.
        python: its interpreter; `own_packages`: not the one that runs this session, so its `sys.path` is its own.
        base: the user's checkout.
        moved: what stands for it on this side; empty where it is itself.
        kept: folders inside `base` that don't move: environments, links, what git ignores.
        copies: what stands for no side: installed copies of packages of the checkout, what git ignores.
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

    def arguments(self, arguments: tuple[str, ...], cwd: Path) -> tuple[str, ...]:
        """A command line in which paths inside the checkout are this side's: `/a`, `--x=/a`, `-c/a`.

        Relative ones follow the working directory `cwd`, unless that does not move: it lies outside the checkout.
        """
        if not self.moved:
            return arguments
        if not within(str(cwd), self.base):
            arguments = tuple(self._absolute(*two, cwd) for two in pairwise(("", *arguments)))
        bases = "|".join(re.escape(name) for name in dict.fromkeys((self.base, real(self.base))))
        found = re.compile(rf"(^-[A-Za-z]|^|[=:,;])((?:{bases})(?=$|[/\\:,;])[^:,;]*)")
        return tuple(found.sub(lambda match: match[1] + self.path(match[2]), argument) for argument in arguments)

    def paths(self, sys_path: tuple[str, ...]) -> Paths:
        """Where it imports from, `sys_path` being this session's."""
        mine = tuple(e for e in sys_path if within(e, self.base) and not any(within(e, k) for k in self.kept))
        return Paths(
            search=None if self.own_packages else tuple(map(self.path, sys_path)),
            first=mine,
            base=self.base,
            moved=self.moved,
            kept=self.kept,
            copies=self.copies,
        )

    def environment(self, environ: Mapping[str, str], sys_path: tuple[str, ...]) -> dict[str, str]:
        """The environment variables of its processes: paths inside the checkout, alone or in a list, are this side's.

        Pythons that they start import from this side, too.
        """
        if not self.moved:
            return dict(environ)
        there = {name: value if _SHARED.search(name) else self._entries(value) for name, value in environ.items()}
        if options := environ.get("PYTEST_ADDOPTS"):
            there["PYTEST_ADDOPTS"] = shlex.join(self.arguments(tuple(shlex.split(options)), Path(self.base)))
        entries = [e for e in map(self.path, sys_path) if inside(e, self.moved)]
        entries += [e for e in there.get("PYTHONPATH", "").split(os.pathsep) if e]
        return {**there, "PYTHONPATH": os.pathsep.join(dict.fromkeys(entries))}

    def _entries(self, value: str) -> str:
        return os.pathsep.join(map(self.path, value.split(os.pathsep)))

    def _absolute(self, before: str, argument: str, cwd: Path) -> str:
        """An argument that names a path in the checkout from outside of it, with the whole path."""
        option, equals, text = argument.rpartition("=") if argument.startswith("-") else ("", "", argument)
        name = text.partition("::")[0]
        path = os.path.normpath(cwd / name)
        word = before in _WORDS and os.sep not in argument  # `-k repo`
        if not name or word or not within(path, self.base) or not os.path.exists(path):  # noqa: PTH110 - any text
            return argument
        return option + equals + path + text[len(name) :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The user's checkout as it is, and what it is compared with. Plain values: they travel to xdist's workers."""

    here: Side
    there: Side
