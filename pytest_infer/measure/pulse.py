"""How fast this core runs while something is measured on it: the same little piece of work, again and again.

A virtual machine shows no clock. What its core can do changes all the same: when the other thread of the same physical
core gets busy, with a guest of whom nothing is seen here, a loop takes 1.7 times as long, a matrix product 1.2 times,
for seconds or minutes, on all processes alike; no steal time is told, and fresh processes agree with each other. So the
pulse is taken between the pieces of a measurement and kept with the run, as a GPU's clock is.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING, Final

from pytest_infer.device.cpu_state import PULSE
from pytest_infer.measure.loop import time_block

if TYPE_CHECKING:
    from pytest_infer.measure.loop import Clock, Run

EVERY_NS: Final = 50_000_000
_BEATS: Final = 5
_LOOPS: Final = 1000


class Pulse:
    """Takes the pulse of the core that it is called on; `clock` tells nanoseconds."""

    def __init__(self, clock: Clock = time.perf_counter_ns) -> None:
        """Take the first one when the first block begins."""
        self._clock = clock
        self._taken: list[int] = []
        self._due = clock()

    def block(self, run: Run, clock: Clock, iterations: int) -> list[int]:
        """Time a block of a measurement (`measure.loop`), and take the pulse before it where that is due."""
        if self._clock() >= self._due:
            self.take()
        return time_block(run, clock, iterations)

    def take(self) -> None:
        """Take it now: the shortest of five, since what interrupts one is none of the core's speed."""
        self._taken.append(min(time_block(_beat, self._clock, _BEATS)))
        self._due = self._clock() + EVERY_NS

    def told(self) -> dict[str, float]:
        """Microseconds a beat, in the median; by Python's version, since another one makes another beat of it."""
        if not self._taken:
            return {}
        return {f"{PULSE}{sys.implementation.cache_tag}": statistics.median(self._taken) / 1e3}


def _beat() -> int:
    total = 0
    for i in range(_LOOPS):
        total += i * i
    return total
