"""When the GPU's memory is used up: knowing that it is that, how much was asked for, and getting it back."""

from __future__ import annotations

import gc
import re
import sys
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_SAID: Final = re.compile(
    r"CUDA out of memory|cudaErrorMemoryAllocation|CUDA_ERROR_OUT_OF_MEMORY|CUDA failure 2\b"
    r"|Cuda Runtime \(out of memory\)|OutOfMemory\b|RESOURCE_EXHAUSTED|BFCArena.*Failed to allocate"
    r"|Requested amount of (?:GPU )?memory"
    r"|cuMem\w+ failed: out of memory|CUDA error: out of memory|User allocator error allocating",
    re.DOTALL,
)
"""What PyTorch, CUDA, ONNX Runtime, TensorRT, XLA and PyCUDA say."""
_TYPES: Final = frozenset({"OutOfMemoryError"})
"""PyTorch's and CuPy's exceptions."""
_AMOUNTS: Final = (
    re.compile(r"Tried to allocate ([\d.]+) ([KMGT]i?B|bytes)"),  # PyTorch
    re.compile(r"requested buffer of size ([\d,]+)()"),  # ONNX Runtime's arena
    re.compile(r"memory \(([\d,]+) (bytes)\)"),  # TensorRT
    re.compile(r"allocating ([\d,]+)-byte()"),  # TensorRT's builder
    re.compile(r"allocat(?:e|ing) ([\d,.]+) ?(bytes|[KMGT]i?B)"),  # CuPy, XLA
)
_UNITS: Final[dict[str, int]] = {"": 1, "bytes": 1, "B": 1} | {
    f"{letter}{middle}B": (1024 if middle else 1000) ** power
    for power, letter in enumerate("KMGT", start=1)
    for middle in ("i", "")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """Memory that was not there; `needed` are the bytes of the request that failed, None where nobody told."""

    needed: int | None


def shortage(error: BaseException) -> Shortage | None:
    """What an error says of the GPU's memory; None where it is about something else."""
    chain = [*_chain(error)]
    if not any(type(one).__name__ in _TYPES or _SAID.search(str(one)) for one in chain):
        return None
    return Shortage(needed=next((size for one in chain if (size := _needed(str(one))) is not None), None))


def told(short: Shortage, *, batch: int | None, free: tuple[float, float] | None, where: str) -> str:
    """The message of a test that needs more than there is; `free` is what was free and what there is, in MB."""
    parts = [f"{where}: the GPU's memory ran out"]
    parts.append("batch not given" if batch is None else f"batch {batch}")
    needed = "an amount that nobody told" if short.needed is None else f"{short.needed / 1e6:,.0f} MB"
    parts.append(f"the request that failed: {needed}")
    parts.append("free: not told" if free is None else f"free {free[0]:,.0f} of {free[1]:,.0f} MB")
    return "; ".join(parts) + ". Use a smaller batch, a narrower precision, or a GPU with more memory"


def give_back(error: BaseException) -> None:
    """Let go of what a failed call held, and of what libraries keep for later."""
    for one in [*_chain(error)]:
        traceback.clear_frames(one.__traceback__)
        one.__traceback__ = None
    empty_caches()


def empty_caches() -> None:
    """Give the driver back what the allocators in this process keep but don't use: the next library may need it."""
    gc.collect()
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    cupy: Any = sys.modules.get("cupy")
    if cupy is not None:
        cupy.get_default_memory_pool().free_all_blocks()


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those that led to it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _needed(text: str) -> int | None:
    for pattern in _AMOUNTS:
        if (found := pattern.search(text)) is not None:
            number, unit = found[1].replace(",", "").rstrip("."), found[2]
            return int(float(number) * _UNITS[unit])
    return None
