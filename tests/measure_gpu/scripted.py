"""A GPU by script: two clocks, one queue, and a log of what was asked of it. Never a GPU result.

The host's clock moves by what each call costs it, the device's by the work; waiting brings them together. So a time
that comes out is known beforehand to the nanosecond, and so is what stood between two marks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.device.launch import InParts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

US = 1_000
MS = 1_000_000


class Mark:
    """An event. Its time can be read when the host has waited for it."""

    def __init__(self, gpu: Gpu) -> None:
        """Not recorded yet."""
        self._gpu = gpu
        self.at_ns: int | None = None

    def ms_since(self, earlier: Mark) -> float:
        """As CUDA: only of marks that were reached."""
        assert self.at_ns is not None
        assert earlier.at_ns is not None
        assert self.at_ns <= self._gpu.waited_until_ns, "a mark was read before it was waited for"
        self._gpu.log.append("read")
        return (self.at_ns - earlier.at_ns) / 1e6


class Stream:
    """The GPU's queue."""

    timed_by = "a script"
    handle = 7

    def __init__(self, gpu: Gpu) -> None:
        """Of that GPU."""
        self._gpu = gpu

    def event(self) -> Mark:
        """A new one."""
        self._gpu.log.append("event")
        return Mark(self._gpu)

    def record(self, event: Mark) -> None:
        """The device reaches it when it has done what came before."""
        self._gpu.log.append("record")
        event.at_ns = self._gpu.enqueue(0, host_ns=0)

    def synchronize(self) -> None:
        """The timer's wait."""
        self._gpu.log.append("synchronize")
        self._gpu.wait()

    def flush(self) -> Callable[[], object]:
        """A write over the cache: 40 us."""
        self._gpu.log.append("flush made")

        def flush() -> None:
            self._gpu.log.append("flush")
            self._gpu.enqueue(40 * US, host_ns=2 * US)

        return flush


class Gpu:
    """Both clocks; also the `Cuda` that gives streams."""

    name = "a script"

    def __init__(self) -> None:
        """Idle."""
        self.now_ns = 0
        self.free_ns = 0
        self.waited_until_ns = 0
        self.log: list[str] = []

    def clock(self) -> int:
        """The host's time."""
        return self.now_ns

    def enqueue(self, work_ns: int, *, host_ns: int) -> int:
        """Work that the host takes `host_ns` to enqueue; when the device is done with it."""
        begun = max(self.free_ns, self.now_ns)
        self.now_ns += host_ns
        self.free_ns = max(begun, self.now_ns if work_ns else begun) + work_ns
        return self.free_ns

    def wait(self) -> None:
        """Until the queue is empty."""
        self.now_ns = max(self.now_ns, self.free_ns)
        self.waited_until_ns = self.free_ns

    def stream(self) -> Stream:
        """The only one."""
        return Stream(self)

    def synchronize(self) -> None:
        """All streams'."""
        self.log.append("wait")
        self.wait()


class ScriptedLaunch(InParts):
    """Work of these device times in turn; each takes the host `host_ns` to enqueue, outputs take `out_ns` more."""

    def __init__(self, gpu: Gpu, work_ns: Sequence[int], *, host_ns: int = 5 * US, out_ns: int = 3 * US) -> None:
        """On that GPU."""
        self.gpu = gpu
        self.stream = gpu.stream()
        self._work_ns, self._host_ns, self._out_ns = work_ns, host_ns, out_ns
        self.launched = 0

    def begin(self) -> None:
        """The inputs' copy."""
        self.gpu.log.append("begin")

    def submit(self) -> None:
        """The next work."""
        self.gpu.log.append("launch")
        self.gpu.enqueue(self._work_ns[self.launched % len(self._work_ns)], host_ns=self._host_ns)
        self.launched += 1

    def finish(self) -> None:
        """The application waits for its outputs."""
        self.gpu.log.append("wait")
        self.gpu.wait()
        self.gpu.now_ns += self._out_ns
