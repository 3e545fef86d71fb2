"""What of CUDA measuring needs, as a small protocol with two implementations: streams, events, memory, graphs.

cuda-core is the default. PyCUDA is used where the test already lives in one of its contexts, so that engine and test
share it; it has no CUDA graphs. Memory is given back when the object that stands for it is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

TIMED_BY: Final = "CUDA events"
FLUSHES: Final = 2
"""A flush writes over so many times the L2 cache: what it held before is not there any more."""


class DeviceMemory(Protocol):
    """A piece of the GPU's memory."""

    address: int
    size: int
    """Bytes."""


class HostMemory(Protocol):
    """A piece of pinned host memory, which the GPU copies from and to by itself."""

    content: NDArray[Any]
    """Its bytes (uint8), without a copy."""


class Event(Protocol):
    """A mark in a stream, to be recorded again and again."""

    def ms_since(self, earlier: Any) -> float:
        """Milliseconds of GPU time since an earlier event, both reached."""
        ...


class Graph(Protocol):
    """Work that was captured, to be launched as one."""

    def launch(self) -> None:
        """Enqueue it on the stream that it was captured on."""
        ...


class Stream(Protocol):
    """A queue of work on the GPU. Copies are prepared once and enqueued many times, so that a run does little.

    They take the memory that the same `Cuda` gave.
    """

    handle: int
    """The `cudaStream_t`."""
    timed_by: str
    """What a report says of its events."""

    def copy_in(self, target: Any, source: Any, size: int) -> Callable[[], object]:
        """A callable that enqueues a copy of the first `size` bytes from the host to the device."""
        ...

    def copy_out(self, target: Any, source: Any, size: int) -> Callable[[], object]:
        """A callable that enqueues a copy of the first `size` bytes from the device to the host."""
        ...

    def synchronize(self) -> None:
        """Wait until all enqueued work is done."""
        ...

    def event(self) -> Any:
        """An `Event` with a time, to be recorded here."""
        ...

    def record(self, event: Any) -> object:
        """Enqueue that mark."""
        ...

    def flush(self) -> Callable[[], object]:
        """A callable that enqueues writing over what the L2 cache holds."""
        ...

    def capture(self, work: Callable[[], object]) -> Graph:
        """What `work` enqueues, as a graph, without running it.

        Raises:
            CaptureError: it can't be captured, with the reason.
        """
        ...


class Cuda(Protocol):
    """One GPU, current in this thread."""

    name: str
    """The package behind it, for reports."""

    def allocate(self, size: int) -> DeviceMemory:
        """Memory of at least `size` bytes on the device."""
        ...

    def pin(self, size: int) -> HostMemory:
        """Pinned memory of `size` bytes on the host."""
        ...

    def stream(self) -> Stream:
        """A new stream of its own; the legacy default stream's work does not wait for it, nor it for that."""
        ...

    def synchronize(self) -> None:
        """Wait until all streams are done."""
        ...


class CaptureError(Exception):
    """Work that can't become a CUDA graph; told to whoever asked for one as a missing capture."""
