"""The process that locks a GPU's clock and gives it back, however its parent ends.

Started as `python -P -m pytest_infer.device.clock_guard UUID PARENT`. It does what stands in each line of its input
(`lock auto`, `lock 1500`, `unlock`) and answers with one (`locked at ...`, `refused: ...`, `unlocked`). When the input
ends, or its parent is another one than at first (a forked child may keep the other end open), it unlocks and ends: so a
pytest that fails, is interrupted or is killed with no chance to tidy up leaves no locked clock behind. Only where this
process is killed as well does one stay, until `nvidia-smi -rgc` or a restart.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pytest_infer.device import clocks
from pytest_infer.device.gpus import find
from pytest_infer.device.lock import lock_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_infer.device.gpus import Gpu

POLL_S: Final = 0.5
"""How long an orphan takes to notice, where the end of its input does not tell it."""
TURN_S: Final = 10.0
"""How long to wait for another guard of the same GPU to tidy up: its parent was killed a moment ago."""


class Guard:
    """One GPU's clock, while somebody holds it."""

    def __init__(self, gpu: Gpu, lock_name: str) -> None:
        """Guard `gpu`; only one guard of the same `lock_name` holds its clock at a time."""
        import filelock

        self._gpu = gpu
        self._turn = filelock.FileLock(lock_folder() / f"{lock_name}.clocks.lock", mode=0o666)

    def obey(self, line: str) -> str:
        """Do what a line says; the answer."""
        import filelock
        import pynvml

        verb, _, wanted = line.partition(" ")
        if verb == "unlock":
            self.release()
            return "unlocked"
        try:
            self._turn.acquire(timeout=TURN_S)
            return clocks.lock(wanted, self._gpu)
        except pynvml.NVMLError as error:
            self._turn.release()
            return f"refused: {error}"
        except filelock.Timeout:
            return "refused: another process holds this GPU's clock"

    def release(self) -> None:
        """Give the clock back, if it is held."""
        if not self._turn.is_locked:
            return
        import pynvml

        try:
            with suppress(pynvml.NVMLError):
                clocks.unlock(self._gpu)
        finally:
            self._turn.release()


def lines(parent: int) -> Iterator[str]:
    """The lines of the input, until it ends or the parent is gone."""
    box: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(box.put,), daemon=True).start()
    while True:
        try:
            line = box.get(timeout=POLL_S)
        except queue.Empty:
            if os.getppid() != parent:
                return
            continue
        if line is None:
            return
        yield line


def _read(put: Callable[[str | None], None]) -> None:
    for line in sys.stdin:
        put(line.strip())
    put(None)


def main() -> None:
    """Guard until nobody is there to guard for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the parent's to answer
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _, uuid, lock_name, parent = sys.argv
    guard = Guard(find(uuid), lock_name)
    try:
        for line in lines(int(parent)):
            sys.stdout.write(f"{guard.obey(line)}\n")
            sys.stdout.flush()
    finally:
        guard.release()


if __name__ == "__main__":
    main()
