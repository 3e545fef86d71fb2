"""One measurement at a time on a device, across processes."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_S: Final = 5.0
"""How long to wait in silence before saying who holds the device."""


def lock_folder() -> Path:
    """The folder of the machine's device locks, shared by its users.

    World-writable without the sticky bit: in a sticky folder Linux refuses to open another user's lock file for
    writing (fs.protected_regular).
    """
    folder = Path(tempfile.gettempdir()) / "pytest-infer-locks"
    folder.mkdir(exist_ok=True)
    with contextlib.suppress(PermissionError):
        folder.chmod(0o777)
    return folder


@contextlib.contextmanager
def device_lock(slug: str, *, folder: Path | None = None, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold the device while the body runs; `waiting` is told who has it when that takes a while.

    An operating-system lock: a killed process can't leave it behind.
    """
    import filelock

    folder = folder or lock_folder()
    holder = folder / f"{slug}.holder"
    lock = filelock.FileLock(folder / f"{slug}.lock", mode=0o666)
    try:
        lock.acquire(timeout=PATIENCE_S)
    except filelock.Timeout:
        waiting(f"waiting for the device {slug}, held by {_text(holder)}")
        lock.acquire()
    try:
        _sign(holder)
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.unlink()
        lock.release()


def _sign(path: Path) -> None:
    """Say who holds the device; never through a link, which another user may have put there."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    with contextlib.suppress(OSError), os.fdopen(os.open(path, flags, 0o666), "w") as file:
        file.write(f"process {os.getpid()}")


def _text(path: Path) -> str:
    try:
        return path.read_text() or "another process"
    except OSError:
        return "another process"
