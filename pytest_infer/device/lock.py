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
def device_lock(
    name: str,
    *,
    folder: Path | None = None,
    waiting: Callable[[str], None],
    ours: Callable[[int], bool] = lambda _: False,
) -> Iterator[None]:
    """Hold the device while the body runs.

    An operating-system lock: a killed process can't leave it behind.

    Args:
        name: the lock's: a GPU's UUID, the CPU's slug.
        folder: where locks lie.
        waiting: told once who has the device, when that takes a while.
        ours: whether a process is of this run: that xdist's workers take turns is no news.
    """
    import filelock

    folder = folder or lock_folder()
    holder = folder / f"{name}.holder"
    lock = filelock.FileLock(folder / f"{name}.lock", mode=0o666)
    while not lock.is_locked:
        try:
            lock.acquire(timeout=PATIENCE_S)
        except filelock.Timeout:
            held_by = _text(holder)
            if not ours(_process(held_by)):
                waiting(f"waiting for the device {name}, held by {held_by}")
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


def _process(text: str) -> int:
    number = text.rpartition(" ")[2]
    return int(number) if number.isdigit() else -1


def _text(path: Path) -> str:
    try:
        return path.read_text() or "another process"
    except OSError:
        return "another process"
