"""Blocks of calls timed by two clocks: the host's, and the GPU's by marks on the stream that the work goes on.

Three ways, and what each gives:

- *Together*, the ordinary one: a call's host time, the time to enqueue it and its time on the device are of the same
  call. Two marks a call, made before; between two calls nobody waits but the application itself, for its outputs. Marks
  are read after the block, behind the only synchronisation that timing adds. The device's time runs from where the GPU
  reaches the first mark: on a GPU that waits for work, the first kernel's launch (some microseconds) is in it.
- *In groups*, where the work takes less than `SHORT_NS` and these microseconds would be most of it: calls are timed by
  the host alone, and each block ends with many launches between two marks. Their mean says nothing of percentiles.
- *Cold*: before each timed call the L2 cache is flushed, outside of both clocks. The block ends with as many launches
  between marks, a flush before each of them, under which their launch is hidden; nobody waits between these.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.device.launch import Launch
    from pytest_infer.measure.loop import Clock, Run

SHORT_NS: Final = 50_000
"""Work that takes less on the device is launched several times between two marks."""
GROUP_NS: Final = 500_000
"""So long is a group: its one launch from an idle GPU, some microseconds, is a percent of it."""
MOST_LAUNCHES: Final = 1_000
TRIED: Final = 10
"""Launches that decide which way it goes."""
HOST_BOUND: Final = 0.8
"""A host that takes more than this share of the device's time to enqueue is what the device waits for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTimes:
    """What the marks told, in order.

    Attributes:
        device_ns: the device's time of a call; where a pair of marks holds several launches, their mean.
        enqueue_ns: how long the host took to enqueue a call.
        launches: how many lie between two marks.
        cold: whether the L2 cache was flushed before each.
        timed_by: what a report says of the marks.
    """

    device_ns: tuple[int, ...]
    enqueue_ns: tuple[int, ...]
    launches: int
    cold: bool
    timed_by: str

    @property
    def host_bound(self) -> bool:
        """Whether the device waits for the host: a faster network, or a faster GPU, would change little."""
        return statistics.median(self.enqueue_ns) > HOST_BOUND * statistics.median(self.device_ns)


class DeviceTimer:
    """Times blocks of one launch; `block` stands in for `loop.time_block`."""

    def __init__(self, launch: Launch, *, flush: Callable[[], object] | None = None) -> None:
        """Time `launch`; with `flush`, which enqueues a flush of the L2 cache, cold."""
        self._launch = launch
        self._flush = flush
        self._launches = 0
        self._marks: list[tuple[Any, Any]] = []
        self._device_ns: list[int] = []
        self._enqueue_ns: list[int] = []
        self.begun_ns = 0
        """When the first block began, by the clock that was given with it."""

    def times(self) -> DeviceTimes:
        """What all blocks gave."""
        return DeviceTimes(
            device_ns=tuple(self._device_ns),
            enqueue_ns=tuple(self._enqueue_ns),
            launches=self._launches,
            cold=self._flush is not None,
            timed_by=self._launch.stream.timed_by,
        )

    def block(self, _run: Run, clock: Clock, iterations: int) -> list[int]:
        """Call the launch this many times; the host's time of each call, in ns."""
        if not self._launches:
            self.begun_ns = clock()
            self._launches = 1 if self._flush is not None else self._tried()
        if self._flush is None and self._launches == 1:
            return self._together(clock, iterations)
        times = self._on_host(clock, iterations)
        if self._flush is not None:
            self._between_marks(iterations, 1)
        else:
            self._between_marks(1, self._launches)
        return times

    def _tried(self) -> int:
        """How many launches a pair of marks needs."""
        once = self._pairs(1, 1)[0]
        if once >= TRIED * SHORT_NS:  # nobody needs ten of these to know
            return 1
        typical = self._pairs(1, TRIED)[0]
        return 1 if typical >= SHORT_NS else min(MOST_LAUNCHES, round(GROUP_NS / max(1, typical)))

    def _together(self, clock: Clock, iterations: int) -> list[int]:
        marks = self._reserved(iterations)
        launch = self._launch
        begin, submit, finish, record = launch.begin, launch.submit, launch.finish, launch.stream.record
        times, enqueue = [0] * iterations, [0] * iterations
        for i in range(iterations):
            first, last = marks[i]
            start = clock()
            begin()
            record(first)
            submitted = clock()
            submit()
            enqueue[i] = clock() - submitted
            record(last)
            finish()
            times[i] = clock() - start
        launch.stream.synchronize()
        self._enqueue_ns += enqueue
        self._device_ns += [_ns(first, last) for first, last in marks[:iterations]]
        return times

    def _on_host(self, clock: Clock, iterations: int) -> list[int]:
        launch, flush = self._launch, self._flush
        begin, submit, finish, synchronize = launch.begin, launch.submit, launch.finish, launch.stream.synchronize
        times, enqueue = [0] * iterations, [0] * iterations
        for i in range(iterations):
            if flush is not None:
                flush()
                synchronize()  # a call that waited for the flush would have it in its time
            start = clock()
            begin()
            submitted = clock()
            submit()
            enqueue[i] = clock() - submitted
            finish()
            times[i] = clock() - start
        self._enqueue_ns += enqueue
        return times

    def _between_marks(self, count: int, launches: int) -> None:
        self._device_ns += self._pairs(count, launches)

    def _pairs(self, count: int, launches: int) -> list[int]:
        """The mean time of so many launches between two marks, for each of `count` pairs."""
        marks = self._reserved(count)
        launch, flush = self._launch, self._flush
        begin, submit, record = launch.begin, launch.submit, launch.stream.record
        for first, last in marks[:count]:
            begin()
            if flush is not None:
                flush()
            record(first)
            for _ in range(launches):
                submit()
            record(last)
        launch.stream.synchronize()
        return [_ns(first, last, launches) for first, last in marks[:count]]

    def _reserved(self, count: int) -> list[tuple[Any, Any]]:
        """At least so many pairs of marks: none is made while something is timed."""
        make = self._launch.stream.event
        self._marks += [(make(), make()) for _ in range(count - len(self._marks))]
        return self._marks


def _ns(first: Any, last: Any, launches: int = 1) -> int:
    milliseconds: float = last.ms_since(first)
    return round(milliseconds * 1e6 / launches)
