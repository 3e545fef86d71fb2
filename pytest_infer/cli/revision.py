"""Baselines as a git revision has them: read from the repository, nothing is checked out."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.baselines.tree import tree_of
from pytest_infer.errors import UsageError

if TYPE_CHECKING:
    from pytest_infer.baselines.tree import Tree


def tree_at(folder: Path, revision: str) -> Tree:
    """The baselines of `folder` as they are in `revision`; none where it has no such folder.

    Raises:
        UsageError: no git, no repository, or no such revision. BaselineError: a file of it can't be used.
    """
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    inside = Path(folder.absolute()).relative_to(there).as_posix()
    asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    commit = _git(there, *asked, silence=f"no revision {revision!r} in this repository").decode().strip()
    listed = _git(there, "ls-tree", "-r", "-z", "--name-only", commit, "--", inside).decode().split("\0")
    prefix = "" if inside == "." else f"{inside}/"
    places = [name.removeprefix(prefix) for name in listed if name.endswith(".json")]
    return tree_of(
        (place, _git(there, "show", f"{commit}:./{prefix}{place}"), Path(f"{revision}:{folder / place}"))
        for place in places
        if "/" in place  # studies lie beside the folders of their devices
    )


def _git(folder: Path, *arguments: str, silence: str = "it failed") -> bytes:
    """What git says; `silence` is what it means when it fails without a word."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False)  # noqa: S603, S607 - git as the shell finds it; a revision behind --end-of-options
    except FileNotFoundError:
        raise UsageError("a revision needs git, which is not installed; compare with a folder instead") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise UsageError(f"git {arguments[0]} in {folder}: {said[-1] if said else silence}")
    return done.stdout
