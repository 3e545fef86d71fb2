"""Device memory of what is measured: the allocator's own figure, else NVML's; the CUDA context's told apart."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from pytest_infer.device.allocators import MemoryUse, allocated, start_peaks
from pytest_infer.device.cuda import driver_memory, wake
from pytest_infer.device.nvml import ask, compute_processes, open_nvml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.device.gpus import Gpu

    State = Mapping[str, str | int | float]

CONTEXT: Final = "context_memory_mb"
"""The figure in a device's state: what a process takes before it computes anything."""
MEMORY_BY: Final = "device_memory_by"
"""And who told the metric."""


class MemoryMeter:
    """Reads one GPU's memory, before an engine is opened and after it was measured."""

    def __init__(self, gpu: Gpu) -> None:
        """Read `gpu`; nothing is asked yet."""
        self._gpu = gpu
        self._woken = False
        self._before_mb: float | None = None
        self.context_mb: float | None = None
        """What the CUDA context of this process took; None where it was there before we looked, or nobody tells."""

    def begin(self) -> None:
        """Before the process's first engine: wake CUDA, to know what that takes, and note what is used without any.

        Raises:
            DeviceError: the GPU is lost.
        """
        if self._woken:
            return
        before = self._used_mb()
        self._woken = True
        if wake() and before is not None and (after := self._used_mb()) is not None:
            self.context_mb = max(0.0, after - before)
        self._before_mb = self._used_mb()

    def start(self) -> None:
        """From here on an allocator's peak counts: whatever was computed before was for something else."""
        start_peaks()

    def use(self, backend: str, state: State) -> MemoryUse | None:
        """The most that was taken, the context left out where it is known.

        Args:
            backend: its name: whose allocator is to be asked.
            state: what was seen while it was measured, in MB: `process_memory_mb`, `memory_used_mb`.

        Raises:
            DeviceError: the GPU is lost.
        """
        if (own := allocated(backend)) is not None:
            return own
        process = state.get("process_memory_mb")
        if isinstance(process, int | float):
            if self.context_mb is None:
                return MemoryUse(peak_mb=process, told_by="NVML, of this process, its CUDA context included")
            return MemoryUse(peak_mb=max(0.0, process - self.context_mb), told_by="NVML, of this process")
        seen = [figure for figure in (state.get("memory_used_mb"), self._used_mb()) if isinstance(figure, int | float)]
        if not seen or self._before_mb is None:
            return None
        return MemoryUse(
            peak_mb=max(0.0, max(seen) - self._before_mb),
            told_by="the device's free memory before and after: the driver tells no process's",
        )

    def free_and_total_mb(self) -> tuple[float, float] | None:
        """What is free now, and what there is; None where nobody tells."""
        found = ask(open_nvml().nvmlDeviceGetMemoryInfo, self._gpu.handle)
        if found is not None:
            return found.free / 1e6, found.total / 1e6
        plain = driver_memory()
        return None if plain is None else (plain[0] / 1e6, plain[1] / 1e6)

    def process_mb(self) -> float | None:
        """What NVML says that this process holds; None where it doesn't."""
        held = (compute_processes(self._gpu.handle) or {}).get(os.getpid())
        return held / 1e6 if held else None

    def _used_mb(self) -> float | None:
        found = self.free_and_total_mb()
        return None if found is None else found[1] - found[0]
