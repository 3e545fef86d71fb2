"""Peak host memory of a stretch of code, where the kernel keeps a high-water mark that can be reset (Linux)."""

from __future__ import annotations

from pathlib import Path


class PeakMemory:
    """The growth of this process's peak resident memory since `start`, in MB (10⁶ bytes).

    Memory that earlier work freed but the allocator kept is used again without growth: exact in a fresh process, a
    lower bound in an old one.
    """

    def __init__(self, process: Path = Path("/proc/self")) -> None:
        """Read and reset `process`, a folder laid out as the kernel's /proc/self."""
        self._process = process
        self._start_kb: int | None = None

    def start(self) -> None:
        """Forget the peak so far."""
        try:
            (self._process / "clear_refs").write_text("5")
        except OSError:
            return
        self._start_kb = self._status("VmRSS")

    def growth_mb(self) -> float | None:
        """The peak since `start` above what was resident then; None where the platform can't tell."""
        peak = self._status("VmHWM")
        if self._start_kb is None or peak is None:
            return None
        return max(0, peak - self._start_kb) * 1024 / 1e6

    def resident_and_peak_mb(self) -> tuple[float, float] | None:
        """What stayed resident since `start`, and the peak above what was; None where the platform can't tell."""
        resident, peak = self._status("VmRSS"), self.growth_mb()
        if self._start_kb is None or resident is None or peak is None:
            return None
        return max(0, resident - self._start_kb) * 1024 / 1e6, peak

    def _status(self, key: str) -> int | None:
        try:
            lines = (self._process / "status").read_text().splitlines()
        except OSError:
            return None
        return next((int(line.split()[1]) for line in lines if line.startswith(f"{key}:")), None)
