"""CUDA through NVIDIA's cuda-core (1.0 or later)."""

from __future__ import annotations

import contextlib
import ctypes
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.device.cuda import check_first
from pytest_infer.device.cuda_streams import FLUSHES, TIMED_BY, CaptureError
from pytest_infer.errors import DeviceError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.device.cuda_streams import Cuda


def open_cuda_core(uuid: str) -> Cuda:
    """The GPU of that UUID, current in this thread; the only one that CUDA sees, whatever its name.

    Raises:
        MissingDependencyError: cuda-core or the bindings under it are not installed. DeviceError: no driver, no GPU.
    """
    try:
        core: Any = import_module("cuda.core")
    except ImportError as error:
        package = _missing(error)
        if package is None:
            raise DeviceError(
                f"cuda-core can't be imported ({error}); it and cuda-bindings may not fit together: "
                "pip install --upgrade cuda-core cuda-bindings"
            ) from error
        raise MissingDependencyError(package, "cuda", "work on a CUDA stream of our own") from None
    if not hasattr(core, "Device"):
        raise MissingDependencyError("cuda-core", "cuda", "work on a CUDA stream of our own (cuda-core 0.5 or later)")
    try:
        check_first(uuid)  # the process that measures sees one GPU only
        return _CudaCore(core, core.Device(0))
    except DeviceError:
        raise
    except Exception as error:  # each layer under it has exceptions of its own
        raise DeviceError(f"CUDA can't be used here: {error}; this takes an NVIDIA GPU and its driver") from error


def _missing(error: ImportError) -> str | None:
    """The package that is not there; None where both are: cuda-core does not bring the bindings by itself."""
    if error.name == "cuda.bindings" or "cannot import name 'bindings'" in str(error):
        return "cuda-bindings"
    return "cuda-core" if isinstance(error, ModuleNotFoundError) else None


class _CudaCore:
    name = "cuda-core"

    def __init__(self, core: Any, device: Any) -> None:
        device.set_current()
        self._core = core
        self._device = device
        self._pinned = core.LegacyPinnedMemoryResource()

    def allocate(self, size: int) -> _DeviceMemory:
        buffer = self._device.allocate(size, stream=self._device.default_stream)
        self._device.default_stream.sync()  # it is stream-ordered: other streams may use it from here on
        return _DeviceMemory(buffer)

    def pin(self, size: int) -> _HostMemory:
        return _HostMemory(self._pinned.allocate(size))

    def stream(self) -> _Stream:
        return _Stream(self, self._core, self._device)

    def synchronize(self) -> None:
        self._device.sync()


class _DeviceMemory:
    def __init__(self, buffer: Any) -> None:
        self.buffer = buffer
        self.address = int(buffer.handle)
        self.size = int(buffer.size)


class _HostMemory:
    def __init__(self, buffer: Any) -> None:
        self.buffer = buffer
        self.address = int(buffer.handle)
        self.content = np.ctypeslib.as_array((ctypes.c_uint8 * buffer.size).from_address(self.address))


class _Graph:
    def __init__(self, graph: Any, stream: Any) -> None:
        self.launch = partial(graph.launch, stream)


def _timing(core: Any) -> Any:
    try:
        return core.EventOptions(timing_enabled=True)
    except TypeError:  # cuda-core before 1.0
        return core.EventOptions(enable_timing=True)


class _Event:
    def __init__(self, event: Any) -> None:
        self.event = event

    def ms_since(self, earlier: _Event) -> float:
        return float(self.event - earlier.event)


class _Stream:
    timed_by = TIMED_BY

    def __init__(self, cuda: _CudaCore, core: Any, device: Any) -> None:
        self._stream = stream = device.create_stream()
        self.handle = int(stream.handle)
        self.synchronize = stream.sync
        self._cuda = cuda
        self._core = core
        self._device = device

    def copy_in(self, target: _DeviceMemory, source: _HostMemory, size: int) -> Callable[[], object]:
        return self._copy(target, source, size)

    def copy_out(self, target: _HostMemory, source: _DeviceMemory, size: int) -> Callable[[], object]:
        return self._copy(target, source, size)

    def _copy(
        self, target: _DeviceMemory | _HostMemory, source: _DeviceMemory | _HostMemory, size: int
    ) -> Callable[[], object]:
        # A buffer copies as a whole: these two are as long as the copy, and keep the memory that they look into.
        view = self._core.Buffer.from_handle
        begin = view(source.address, size, owner=source.buffer)
        return partial(begin.copy_to, view(target.address, size, owner=target.buffer), stream=self._stream)

    def event(self) -> _Event:
        return _Event(self._device.create_event(options=_timing(self._core)))

    def record(self, event: _Event) -> None:
        self._stream.record(event.event)

    def flush(self) -> Callable[[], object]:
        memory = self._cuda.allocate(FLUSHES * int(self._device.properties.l2_cache_size))
        return partial(memory.buffer.fill, 0, stream=self._stream)

    def capture(self, work: Callable[[], object]) -> _Graph:
        builder = self._stream.create_graph_builder()
        try:
            builder.begin_building(mode="thread_local")
            work()
            return _Graph(builder.end_building().complete(), self._stream)
        except Exception as error:  # CUDA's own, or TensorRT's refusal to enqueue
            raise CaptureError(str(error)) from error
        finally:
            with contextlib.suppress(Exception):  # ending a capture that broke fails once more
                builder.close()
