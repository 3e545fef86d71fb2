"""The pulse of a core: taken between blocks, now and then, and told with the version of Python that it depends on."""

from __future__ import annotations

import itertools
import sys

from pytest_infer.measure.pulse import EVERY_NS, Pulse

NAME = f"pulse_us {sys.implementation.cache_tag}"


class Clock:
    """A clock that goes on by a step with every look, or as it is told."""

    def __init__(self, step_ns: int) -> None:
        """Begin at zero."""
        self.now_ns = 0
        self.step_ns = step_ns

    def __call__(self) -> int:
        """Look."""
        self.now_ns += self.step_ns
        return self.now_ns


def test_it_is_the_median_of_the_beats() -> None:
    """Each is the shortest of five; one slow moment among three is no slow core."""
    clock = Clock(2_000)
    pulse = Pulse(clock)
    for step_ns in (2_000, 9_000, 3_000):
        clock.step_ns = step_ns
        pulse.take()
    assert pulse.told() == {NAME: 3.0}


def test_blocks_are_timed_as_ever_and_the_pulse_now_and_then() -> None:
    """Before the first block, and then not again until it is due."""
    clock, ticks = Clock(1_000), itertools.count(step=7)
    calls: list[int] = []
    pulse = Pulse(clock)
    assert pulse.told() == {}
    times = pulse.block(lambda: calls.append(1), ticks.__next__, 3)
    assert (times, len(calls)) == ([7, 7, 7], 3)
    after_first = clock.now_ns
    pulse.block(lambda: None, ticks.__next__, 1)
    assert clock.now_ns == after_first + 1_000  # it looked, and that was all
    clock.now_ns += EVERY_NS
    clock.step_ns = 5_000
    pulse.block(lambda: None, ticks.__next__, 1)
    assert pulse.told() == {NAME: 3.0}  # between 1 and 5


def test_beats_take_time() -> None:
    """With the real clock there is something to tell."""
    pulse = Pulse()
    pulse.take()
    assert pulse.told()[NAME] > 0
