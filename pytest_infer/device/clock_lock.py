"""The parent's side of a clock lock: hold it for a while, and know what became of it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from pytest_infer.device.clocks import unlock
from pytest_infer.device.gpus import find
from pytest_infer.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.device.fingerprint import Device

CLOCKS: Final = "gpu clocks"
"""The recorded fact that says whether they were locked."""
UNLOCKED: Final = "not locked"
LOCKED: Final = "locked"
_REFUSED: Final = "refused: "


class ClockLock:
    """Holds one GPU's SM clock through a guard, which gives it back if this process can't."""

    def __init__(self, device: Device, wanted: str) -> None:
        """Lock `device` at `wanted` (`auto`, or MHz) when asked to; nothing is started yet."""
        self.state: str | None = None
        self._device = device
        self._wanted = wanted
        self._guard: subprocess.Popen[str] | None = None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the clock while the body runs. A driver that refused once is not asked again: `state` tells.

        Raises:
            DeviceError: the guard ended.
        """
        if self.state is not None and self.state.startswith(UNLOCKED):
            yield
            return
        answer = self._ask(f"lock {self._wanted}")
        if answer.startswith(_REFUSED):
            self.state = f"{UNLOCKED} ({answer.removeprefix(_REFUSED)})"
            yield
            return
        self.state = answer
        try:
            yield
        finally:
            self._ask("unlock")

    def close(self) -> None:
        """End the guard; a clock that it holds is given back."""
        if self._guard is not None:
            guard, self._guard = self._guard, None
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                guard.communicate(timeout=10)

    def _ask(self, line: str) -> str:
        if self._guard is None:
            self._guard = self._started()
        guard = self._guard
        assert guard.stdin is not None  # noqa: S101 - both are pipes
        assert guard.stdout is not None  # noqa: S101
        answer = ""
        with contextlib.suppress(OSError):
            guard.stdin.write(f"{line}\n")
            guard.stdin.flush()
            answer = guard.stdout.readline().strip()
        if not answer:
            raise DeviceError(self._bereft(guard))
        return answer

    def _bereft(self, guard: subprocess.Popen[str]) -> str:
        """What to say when the guard is gone. The clock that it may have held is given back from here."""
        import pynvml

        said = "" if guard.stderr is None else guard.stderr.read().strip().rpartition("\n")[2]
        what = f"the process that holds the clocks of {self._device.uuid} ended ({said or 'it was killed'})"
        try:
            unlock(find(self._device.uuid))
        except (pynvml.NVMLError, DeviceError):
            return f"{what}; they may still be locked: sudo nvidia-smi -rgc"
        return f"{what}; they are unlocked again"

    def _started(self) -> subprocess.Popen[str]:
        device = self._device
        return subprocess.Popen(  # noqa: S603 - no part of it comes from outside
            [
                *(sys.executable, "-P", "-m", "pytest_infer.device.clock_guard"),
                *(device.uuid, device.lock_name, str(os.getpid())),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C and a closed terminal are this process's matter
        )
