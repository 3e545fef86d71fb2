"""Where the examples keep the networks that they make, each made once."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock
from platformdirs import user_cache_path

from examples.slower import slow_down

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def provide(
    item: pytest.Item,
    make: Callable[[Path], None],
    *,
    version: int,
    times: int = 1,
    load: Callable[[Path], Any] | None = None,
) -> Path:
    """Make the network that a test's marker names, and point the marker at it where it lies or is called otherwise.

    Args:
        item: a test marked with a `model` in a folder of its own beside the test.
        make: writes the network to a file.
        version: of what `make` writes; files of another version are made anew.
        times: how often the network is to compute the same.
        load: makes of the file the object that the marker is to name, for backends that measure objects.

    Returns:
        Where the file lies.
    """
    asked = item.path.parent / named(item, "model")
    path = _made(asked, make, version)
    if times > 1:
        plain = path
        slow = asked.with_stem(f"{asked.stem}-x{times}")
        path = _made(slow, lambda target: slow_down(plain, times, target), version)
    if load is not None:
        item.add_marker(pytest.mark.infer(model=load(path)), append=False)
    elif path != asked:
        item.add_marker(pytest.mark.infer(model=str(path)), append=False)
    return path


def named(item: pytest.Item, key: str) -> Any:
    """What the nearest of a test's markers says of `key`; None where none does."""
    return next((mark.kwargs[key] for mark in item.iter_markers("infer") if key in mark.kwargs), None)


def _made(path: Path, make: Callable[[Path], None], version: int) -> Path:
    """The file at `path`, or in the user's cache where the checkout can't be written."""
    try:
        return _made_here(path, make, version)
    except OSError as error:
        if error.errno not in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise
    elsewhere = user_cache_path("pytest-infer") / "examples" / path.parent.parent.name
    return _made_here(elsewhere / path.name, make, version)


def _made_here(path: Path, make: Callable[[Path], None], version: int) -> Path:
    stamp = path.with_suffix(f".v{version}")
    if path.exists() and stamp.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not (path.exists() and stamp.exists()):
            unfinished = path.with_suffix(".part")
            make(unfinished)
            unfinished.replace(path)
            stamp.touch()
    return path
