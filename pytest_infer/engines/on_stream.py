"""Any callable on a CUDA stream of ours: what CuPy and PyTorch enqueue in it goes there. Not verified on hardware."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.device.launch import InParts
from pytest_infer.errors import MeasurementError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_infer.device.cuda_streams import Cuda

_ELSEWHERE: Final = 0.2
"""A call whose wait for other streams is more than this share of all its waiting computes elsewhere."""
_NOTICED_NS: Final = 50_000
"""And more than that: to find a GPU idle takes some microseconds."""
_LOOKS: Final = 3
"""How often that must be seen: this process may lose its CPU between two looks at the clock."""


class CallableLaunch(InParts):
    """A callable whose GPU work goes on our stream; a call is over when all of the GPU's is."""

    def __init__(self, run: Callable[[], object], cuda: Cuda) -> None:
        """Run `run`, which takes its arguments from somewhere else."""
        self.stream = cuda.stream()
        self.submit = run  # not one call more than needed
        self.finish = cuda.synchronize  # type: ignore[method-assign]
        self._cuda = cuda
        cuda.synchronize()  # what the arguments were made of was enqueued on other streams

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """The current stream of CuPy and PyTorch is ours, where these are used."""
        with contextlib.ExitStack() as within:
            if (cupy := _cupy()) is not None:
                within.enter_context(_cupy_stream(cupy, self.stream.handle))
            if (torch := _torch()) is not None:
                within.enter_context(torch.cuda.stream(torch.cuda.ExternalStream(self.stream.handle)))
            yield

    def check(self, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        """See that the work goes on the stream; `clock` gives nanoseconds.

        Raises:
            MeasurementError: much of it goes elsewhere, and its device time would be another one's.
        """
        with self.active():
            self()
            elsewhere = all(self._looks_elsewhere(clock) for _ in range(_LOOKS))
        if elsewhere:
            raise MeasurementError(
                "the callable computes on streams of its own, not on the current one of CuPy or PyTorch, so its device "
                "time can't be told; let it use the current stream, or gate its latency"
            )

    def _looks_elsewhere(self, clock: Callable[[], int]) -> bool:
        self.submit()
        submitted = clock()
        self.stream.synchronize()
        ours = clock()
        self.finish()
        waited, others = clock() - submitted, clock() - ours
        return others > max(_NOTICED_NS, _ELSEWHERE * waited)


class _Foreign:
    """A stream by its handle, as libraries take them from each other."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def __cuda_stream__(self) -> tuple[int, int]:
        """The protocol's version, and the handle."""
        return 0, self._handle


def _cupy_stream(cupy: Any, handle: int) -> Any:
    take = getattr(cupy.cuda.Stream, "from_external", None)  # CuPy 14 on, which deprecates the other
    return cupy.cuda.ExternalStream(handle) if take is None else take(_Foreign(handle))


def computes_here() -> bool:
    """Whether a library that could be handed a stream is in use in this process."""
    return _cupy() is not None or _torch() is not None


def _cupy() -> Any:
    return sys.modules.get("cupy")


def _torch() -> Any:
    torch: Any = sys.modules.get("torch")
    return torch if torch is not None and torch.cuda.is_initialized() else None
