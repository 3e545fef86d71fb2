"""CUDA through PyCUDA, in the context that the test has made current. It has no CUDA graphs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.device.cuda_streams import FLUSHES, TIMED_BY, CaptureError

if TYPE_CHECKING:
    from collections.abc import Callable


class PyCuda:
    """The current context of `pycuda.driver`."""

    name = "pycuda"

    def __init__(self, driver: Any) -> None:
        """Use the module `pycuda.driver`."""
        self._driver = driver

    def allocate(self, size: int) -> _DeviceMemory:
        """Memory of `size` bytes on the device."""
        return _DeviceMemory(self._driver.mem_alloc(size), size)

    def pin(self, size: int) -> _HostMemory:
        """Pinned memory of `size` bytes on the host."""
        return _HostMemory(self._driver.pagelocked_empty(size, np.uint8))

    def stream(self) -> _Stream:
        """A new stream of its own."""
        return _Stream(self._driver)

    def synchronize(self) -> None:
        """Wait for the context."""
        self._driver.Context.synchronize()


class _DeviceMemory:
    def __init__(self, allocation: Any, size: int) -> None:
        self._allocation = allocation  # frees when it is dropped
        self.address = int(allocation)
        self.size = size


class _HostMemory:
    def __init__(self, content: Any) -> None:
        self.content = content


class _Event:
    def __init__(self, event: Any) -> None:
        self.event = event

    def ms_since(self, earlier: _Event) -> float:
        return float(self.event.time_since(earlier.event))


class _Stream:
    timed_by = TIMED_BY

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._stream = driver.Stream()
        self.handle = int(self._stream.handle)
        self.synchronize = self._stream.synchronize

    def copy_in(self, target: _DeviceMemory, source: _HostMemory, size: int) -> Callable[[], object]:
        return partial(self._driver.memcpy_htod_async, target.address, source.content[:size], self._stream)

    def copy_out(self, target: _HostMemory, source: _DeviceMemory, size: int) -> Callable[[], object]:
        return partial(self._driver.memcpy_dtoh_async, target.content[:size], source.address, self._stream)

    def event(self) -> _Event:
        return _Event(self._driver.Event())

    def record(self, event: _Event) -> None:
        event.event.record(self._stream)

    def flush(self) -> Callable[[], object]:
        device = self._driver.Context.get_device()
        size = FLUSHES * int(device.get_attribute(self._driver.device_attribute.L2_CACHE_SIZE))
        memory = self._driver.mem_alloc(size)
        return partial(self._driver.memset_d8_async, memory, 0, size, self._stream)

    def capture(self, work: Callable[[], object]) -> Any:
        raise CaptureError(f"PyCUDA has no CUDA graphs, {work} stays as it is; use cuda-core for them")
