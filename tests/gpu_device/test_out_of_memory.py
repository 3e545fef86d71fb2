"""A GPU without memory left is a result: known by what libraries say, told in figures, and its memory given back."""

from __future__ import annotations

import gc
import sys
import weakref
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_infer.device.fingerprint import Device
from pytest_infer.device.out_of_memory import empty_caches, shortage
from pytest_infer.errors import EngineBuildError, MeasurementError
from pytest_infer.on_gpu import telling_shortage

if TYPE_CHECKING:
    from collections.abc import Callable

GPU = Device(slug="gpu", kind="gpu", name="a GPU", uuid="GPU-1")
CPU = Device(slug="cpu", kind="cpu", name="a CPU")


class OutOfMemoryError(RuntimeError):
    """As PyTorch's and CuPy's are called."""


TORCH = "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 139.80 GiB of which 3 are free"
ARENA = (
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running Conv node. Name:'c' "
    "Status Message: bfc_arena.cc:376 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool) Failed to "
    "allocate memory for requested buffer of size 2830172160"
)
TENSORRT = (
    "model.onnx: tensorrt 10.3 can't make a context of it:\n"
    "Error Code 1: Cuda Runtime (out of memory)\n"
    "Requested amount of GPU memory (17920000000 bytes) could not be allocated.\n"
    "Error Code 2: OutOfMemory (no further information)"
)


@pytest.mark.parametrize(
    ("error", "needed"),
    [
        (OutOfMemoryError(TORCH), 20 * 2**30),
        (OutOfMemoryError("Out of memory allocating 8,000,000,000 bytes (allocated so far: 0 bytes)."), 8 * 10**9),
        (RuntimeError(ARENA), 2_830_172_160),
        (EngineBuildError(TENSORRT), 17_920_000_000),
        (RuntimeError("User allocator error allocating 15485030400-byte buffer"), 15_485_030_400),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 17179869184 bytes."), 2**34),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 16.00GiB."), 2**34),
        (RuntimeError("CUDA error: out of memory"), None),
        (RuntimeError("CUDA_ERROR_OUT_OF_MEMORY: The API call failed because it was unable to allocate"), None),
        (MemoryError("cuMemAlloc failed: out of memory"), None),
    ],
)
def test_what_libraries_say(error: Exception, needed: int | None) -> None:
    """Each in its own words, and how much was asked for where these tell."""
    found = shortage(error)
    assert found is not None
    assert found.needed == needed
    outer = RuntimeError("could not be run")
    outer.__cause__ = error
    assert shortage(outer) == found, "also behind another error"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        ValueError("the cat ran out of the house"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        MeasurementError("64 samples at 1 s a call take 64 s"),
    ],
)
def test_what_is_something_else(error: Exception) -> None:
    """The host's memory, and a kernel that is broken, are not taken for it."""
    assert shortage(error) is None


def guard(device: Device = GPU, *, free: tuple[float, float] | None = (3_000.0, 140_000.0)) -> Any:
    """The guard of a test with batch 512."""
    gpu: Any = SimpleNamespace(memory=SimpleNamespace(free_and_total_mb=lambda: free))
    return partial(telling_shortage, device, lambda: gpu, "net.onnx torch:cuda fp16", 512)


def test_it_is_told_in_figures() -> None:
    """Batch, needed and free memory, and what to do; the library's own error is not behind it any more."""
    with pytest.raises(MeasurementError) as caught, guard()():
        raise OutOfMemoryError(TORCH)
    assert str(caught.value) == (
        "net.onnx torch:cuda fp16: the GPU's memory ran out; batch 512; the request that failed: 21,475 MB; "
        "free 3,000 of 140,000 MB. Use a smaller batch, a narrower precision, or a GPU with more memory"
    )
    with pytest.raises(MeasurementError, match="an amount that nobody told; free: not told"), guard(free=None)():
        raise RuntimeError("CUDA error: out of memory")


def test_other_errors_pass() -> None:
    """Unchanged; and on the CPU all do."""
    with pytest.raises(KeyError), guard()():
        raise KeyError
    with pytest.raises(OutOfMemoryError), guard(CPU)():
        raise OutOfMemoryError(TORCH)


def test_once_is_enough() -> None:
    """A guard around a guard leaves what the inner one said."""
    outer: Callable[..., Any] = partial(telling_shortage, GPU, lambda: None, "outer", 1)
    with pytest.raises(MeasurementError, match=r"^net\.onnx torch:cuda fp16: .* batch 512"), outer(), guard()():
        raise OutOfMemoryError(TORCH)


def test_what_the_call_held_is_let_go() -> None:
    """Though pytest keeps the error until the session's end: its frames hold nothing."""
    kept: list[weakref.ref[Any]] = []

    def inner() -> None:
        weights = np.zeros(1000)
        kept.append(weakref.ref(weights))
        raise RuntimeError("could not be run") from OutOfMemoryError(TORCH)

    with pytest.raises(MeasurementError) as caught, guard()():
        inner()
    gc.collect()
    assert caught.value.__traceback__ is not None
    assert kept[0]() is None


def test_libraries_give_back_what_they_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another library's next engine could not have it otherwise; what is not awake is left asleep."""
    log: list[str] = []
    cuda = SimpleNamespace(is_initialized=lambda: True, empty_cache=lambda: log.append("torch"))
    pool = SimpleNamespace(free_all_blocks=lambda: log.append("cupy"))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(get_default_memory_pool=lambda: pool))
    empty_caches()
    assert log == ["torch", "cupy"]
    cuda.is_initialized = lambda: False
    empty_caches()
    assert log == ["torch", "cupy", "cupy"]
