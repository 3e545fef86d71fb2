"""Device memory of what is measured: the allocator's own figure, else NVML's; the CUDA context's told apart."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

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


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """What was taken, in MB, and where the figure comes from."""

    peak_mb: float
    told_by: str


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
        if (torch := _torch()) is not None:
            torch.cuda.reset_peak_memory_stats()

    def use(self, backend: str, state: State) -> MemoryUse | None:
        """The most that was taken, the context left out where it is known.

        Args:
            backend: its name: whose allocator is to be asked.
            state: what was seen while it was measured, in MB: `process_memory_mb`, `memory_used_mb`.

        Raises:
            DeviceError: the GPU is lost.
        """
        if (own := _allocated(backend)) is not None:
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


def _allocated(backend: str) -> MemoryUse | None:
    """What the allocator behind a backend says of itself; a callable may use several, and the sum is its."""
    name = backend.partition(":")[0]
    found: list[MemoryUse] = []
    torch = _torch() if name in {"torch", "callable"} else None
    if torch is not None and (peak := torch.cuda.max_memory_allocated()):
        found.append(MemoryUse(peak_mb=peak / 1e6, told_by="PyTorch's allocator"))
    cupy: Any = sys.modules.get("cupy")
    if name == "callable" and cupy is not None and (held := cupy.get_default_memory_pool().total_bytes()):
        found.append(MemoryUse(peak_mb=held / 1e6, told_by="CuPy's pool"))
    jax: Any = sys.modules.get("jax")
    if name == "jax" and jax is not None:  # it reserves most of the GPU at once: NVML tells nothing of it
        stats = jax.devices()[0].memory_stats() or {}
        if peak := stats.get("peak_bytes_in_use"):
            found.append(MemoryUse(peak_mb=peak / 1e6, told_by="JAX's allocator"))
    if not found:
        return None
    return MemoryUse(peak_mb=sum(one.peak_mb for one in found), told_by=" and ".join(one.told_by for one in found))


def _torch() -> Any:
    torch: Any = sys.modules.get("torch")
    return torch if torch is not None and torch.cuda.is_initialized() else None
