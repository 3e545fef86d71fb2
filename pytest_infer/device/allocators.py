"""What the libraries that allocate a GPU's memory say of it themselves."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Final

_ORDINARY: Final = (0, 0)
"""PyTorch's pool of all that is in none of its own, as CUDA graphs are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """What was taken, in MB, and where the figure comes from."""

    peak_mb: float
    told_by: str


def start_peaks() -> None:
    """Let peaks count from here on, where a library can."""
    if (torch := _torch()) is None:
        return
    if not _graph_segments(torch):  # a graph goes on using what it was captured with
        # cuBLAS keeps some 34 MB a stream on Hopper: those of other streams than the measured one are not its.
        torch.cuda.synchronize()
        torch._C._cuda_clearCublasWorkspaces()  # noqa: SLF001 - PyTorch's own graphs call it, and there is no other
    torch.cuda.reset_peak_memory_stats()


def allocated(backend: str) -> MemoryUse | None:
    """The peak by the allocator behind a backend; a callable may use several, and the sum is its.

    Args:
        backend: its name.
    """
    name = backend.partition(":")[0]
    found: list[MemoryUse] = []
    torch = _torch() if name in {"torch", "callable"} else None
    if torch is not None and (peak := torch.cuda.max_memory_allocated()):
        told = "PyTorch's allocator"
        if graphs := _graph_segments(torch):
            # Replays allocate nothing, and what they write to counts as free once they are captured.
            peak += sum(one["total_size"] - one["allocated_size"] for one in graphs)
            told += " with the pools of CUDA graphs"
        found.append(MemoryUse(peak_mb=peak / 1e6, told_by=told))
    cupy: Any = sys.modules.get("cupy")
    if name == "callable" and cupy is not None and (held := cupy.get_default_memory_pool().total_bytes()):
        found.append(MemoryUse(peak_mb=held / 1e6, told_by="CuPy's pool"))
    jax: Any = sys.modules.get("jax")
    if name == "jax" and jax is not None:  # it reserves most of the GPU at once: NVML tells nothing of it
        stats = jax.devices()[0].memory_stats() or {}
        if peak := stats.get("peak_bytes_in_use"):
            told = "JAX's allocator, since the process began"  # it can't be told to begin anew
            found.append(MemoryUse(peak_mb=peak / 1e6, told_by=told))
    if not found:
        return None
    return MemoryUse(peak_mb=sum(one.peak_mb for one in found), told_by=" and ".join(one.told_by for one in found))


def _graph_segments(torch: Any) -> list[dict[str, Any]]:
    """What PyTorch keeps in pools of their own."""
    if torch.cuda.get_allocator_backend() != "native":  # another one tells no segments
        return []
    pools = torch.cuda.memory_snapshot()
    return [one for one in pools if tuple(one.get("segment_pool_id", _ORDINARY)) != _ORDINARY]


def _torch() -> Any:
    torch: Any = sys.modules.get("torch")
    return torch if torch is not None and torch.cuda.is_initialized() else None
