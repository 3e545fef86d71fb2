"""A git work tree of a revision in a private folder, removed however the session ends."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import filelock

from pytest_infer.measure.guard import guard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_infer.against.git import Repository

_PREFIX: Final = "pytest-infer-against-"
_LOCK: Final = "owner.lock"
"""Held by whoever needs the work tree: an operating-system lock, so a killed process holds none."""
_TIDY: Final = 'git -C "$1" worktree remove --force --force "$2"; rm -rf -- "$3"'
"""What is done behind a run that was killed; where the guard was killed, too, the next run does it."""
_POINTER: Final = b"version https://git-lfs.github.com/spec/"
_POINTER_SIZE: Final = 1024


@contextlib.contextmanager
def work_tree(repository: Repository, commit: str) -> Iterator[Path]:
    """Check `commit` out into a folder of its own while the body runs; what killed runs left is removed first.

    The folder is called as the user's checkout is: some projects are imported by that name.
    """
    remove_leftovers(repository)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
    tree = folder / repository.top.name
    lock = filelock.FileLock(folder / _LOCK)
    behind = (_TIDY, str(repository.top), str(tree), str(folder))
    owner = os.getpid()  # a forked copy of this process comes to an end of its own
    try:
        with lock, guard(*behind, environment=repository.environment):
            try:
                repository.add_work_tree(tree, commit)
                yield tree
            finally:
                if os.getpid() == owner:
                    repository.remove_work_tree(tree)
    finally:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(repository: Repository) -> None:
    """Remove the work trees of runs that are no more. Those of others, and the user's own, stay as they are."""
    for tree in repository.work_trees():
        if not tree.parent.name.startswith(_PREFIX):
            continue
        if tree.parent.exists() and _owned(tree.parent):
            continue
        repository.remove_work_tree(tree)
        shutil.rmtree(tree.parent, ignore_errors=True)


def link(paths: Iterable[str], repository: Repository, tree: Path) -> tuple[str, ...]:
    """Link from the tree to what git does not keep at `paths` in the user's checkout, or below; the paths that were.

    Of a folder in which git keeps some files, a `.gitkeep` for example, the others are linked one by one.
    """
    return tuple(made for path in paths for made in _link(path, repository.tracked(path), repository.top, tree))


def link_whole(relative: str, top: Path, tree: Path) -> tuple[str, ...]:
    """Link one path to the user's, where the tree has nothing there, or an empty folder; the path, if it was."""
    source, target = top / relative, tree / relative
    if not target.parent.resolve().is_relative_to(tree.resolve()):  # in a folder that is linked itself
        return ()
    with contextlib.suppress(OSError):
        target.rmdir()  # where a submodule belongs
    if not source.exists() or os.path.lexists(target):
        return ()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source, target_is_directory=source.is_dir())
    return (relative,)


def fill_lfs(repository: Repository, tree: Path) -> tuple[str, ...]:
    """Put the content of LFS files in the place of their pointers, as far as it is here; the paths that lack theirs."""
    missing = []
    for relative in repository.lfs_files(tree):
        if (digest := _pointed(tree / relative)) is None:
            continue
        stored = repository.lfs_store / digest[:2] / digest[2:4] / digest
        mine = repository.top / relative
        if stored.is_file():
            shutil.copyfile(stored, tree / relative)
        elif mine.is_file() and _digest(mine) == digest:
            shutil.copyfile(mine, tree / relative)
        else:
            missing.append(relative)
    return tuple(missing)


def _link(relative: str, tracked: Iterable[str], top: Path, tree: Path) -> tuple[str, ...]:
    """The same of one path; `tracked` are the files that git keeps there or below."""
    if not (kept := [name for name in map(PurePosixPath, tracked) if name.is_relative_to(relative)]):
        return link_whole(relative, top, tree)
    if not (top / relative).is_dir() or (tree / relative).is_symlink():
        return ()
    names = sorted(child.name for child in (top / relative).iterdir() if child.name != "__pycache__")
    children = (Path(relative, name).as_posix() for name in names)
    return tuple(made for child in children for made in _link(child, map(str, kept), top, tree))


def _owned(folder: Path) -> bool:
    """Whether the run that made `folder` lives, or it is another user's."""
    lock = filelock.FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except (filelock.Timeout, OSError):
        return True
    lock.release()
    return False


def _pointed(path: Path) -> str | None:
    """The digest that an LFS pointer file names; None where `path` is none."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _POINTER_SIZE:
        return None
    content = path.read_bytes()
    if not content.startswith(_POINTER):
        return None
    return next((w.decode() for w in content.split() if w.startswith(b"sha256:")), "").removeprefix("sha256:") or None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
