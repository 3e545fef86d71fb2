"""Files of a store, each written as a whole or not at all, by one writer at a time."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING, TypeAlias

from pytest_infer.baselines.codec import decode, encode
from pytest_infer.device.lock import lock_folder
from pytest_infer.errors import BaselineError
from pytest_infer.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import filelock

    from pytest_infer.baselines.schema import BaselineFile

    Change: TypeAlias = Callable[[BaselineFile | None], BaselineFile | None]
    """From what a file holds (None: there is none) to what it is to hold (None: it is to go)."""


def lock_of(path: Path) -> filelock.FileLock:
    """The lock of a file's writers, outside the repository; it stays: one that is deleted excludes nobody who waits."""
    import filelock

    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:24]
    return filelock.FileLock(lock_folder() / f"store-{name}.lock", mode=0o666)


def read_file(path: Path) -> BaselineFile | None:
    """What a file holds, or None where there is none.

    Raises:
        BaselineError: it can't be read, or is no baseline file.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BaselineError(f"{path} can't be read: {error.strerror}") from error
    return decode(text, path)


def rewrite(
    changes: Mapping[Path, Change], *, dry: bool = False
) -> dict[Path, tuple[BaselineFile | None, BaselineFile | None]]:
    """Change files, all of them or none: each is read and its change made before the first is written.

    Args:
        changes: by file.
        dry: make the changes and write none of them.

    Returns:
        By file, what it held and what it holds now. What stays as it is is not touched.

    Raises:
        BaselineError: a file can't be used or written; the message says what is as it was before.
    """
    with contextlib.ExitStack() as held:
        paths = sorted(changes, key=lambda path: str(path.resolve()))  # always in one order: two writers can't block
        for path in paths:
            held.enter_context(lock_of(path))
        before = {path: read_file(path) for path in paths}
        after = {path: changes[path](before[path]) for path in paths}
        texts = {path: None if file is None else encode(file) for path, file in after.items()}
        touched = [path for path in paths if before[path] != after[path]]
        for number, path in enumerate([] if dry else touched):
            try:
                _write(path, texts[path])
            except OSError as error:
                done = ", ".join(map(str, touched[:number])) or "none"
                raise BaselineError(
                    f"{path} could not be written: {error.strerror}; it is as it was before (written already: {done})"
                ) from error
    return {path: (before[path], after[path]) for path in paths}


def _write(path: Path, text: str | None) -> None:
    if text is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.encode())
        return
    path.unlink()
    with contextlib.suppress(OSError):  # not empty
        path.parent.rmdir()
