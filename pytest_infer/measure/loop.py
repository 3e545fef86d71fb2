"""The sampling loop: a plain callable and a clock in, nanoseconds out. It knows no engine."""

from __future__ import annotations

import contextlib
import gc
import itertools
import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_infer.deferred import refuse_deferred
from pytest_infer.errors import MeasurementError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[[], object]
    Clock = Callable[[], int]
    TimeBlock = Callable[[Run, Clock, int], list[int]]

WARMUP_NS: Final = 200_000_000
WARMUP_ITERATIONS: Final = 10
WARMUP_BOUND_NS: Final = 1_500_000_000
"""Warm-up lasts at least the first two, and is given up as not settling after the third."""

WINDOW_NS: Final = 50_000_000
WINDOW_ITERATIONS: Final = 3
SETTLED_WITHIN: Final = 0.03
"""Settled: the medians of the last three windows agree within this share."""

BLOCKS: Final = 10
FEWEST_BLOCKS: Final = 5
PIECES: Final = 10
"""The clock is looked at this often a block: a call that slows down can't run far past the time allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingPlan:
    """How long to measure: at least `min_time_ns` and `min_samples`, at most `max_time_ns`."""

    min_time_ns: int
    max_time_ns: int
    min_samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """What the loop saw: blocks of single-call times in order, nanoseconds, and how the warm-up went."""

    blocks_ns: tuple[tuple[int, ...], ...]
    warmup: int
    settled: bool

    @property
    def all_ns(self) -> list[int]:
        """The times of all blocks, in order."""
        return [time for block in self.blocks_ns for time in block]


def time_block(run: Run, clock: Clock, iterations: int) -> list[int]:
    """Call `run` this many times; the time of each call."""
    times = [0] * iterations
    for i in range(iterations):
        start = clock()
        run()
        times[i] = clock() - start
    return times


def measure(run: Run, clock: Clock, plan: SamplingPlan, *, block: TimeBlock = time_block) -> Timings:
    """Warm up until times settle, then sample as planned, garbage collector off.

    `block` times a piece of the sampling; one that knows more than the host's clock keeps the rest to itself.

    Raises:
        MeasurementError: the plan's samples don't fit into its time; the message says how long they take.
        UsageError: the first call returned a coroutine or a generator: nothing would run while it is timed.
    """
    with no_garbage_collection():
        times, settled = warm_up(run, clock, min(WARMUP_BOUND_NS, plan.max_time_ns))
        typical = max(1.0, statistics.median(times[-max(WINDOW_ITERATIONS, len(times) // 4) :]))
        blocks = _sample(run, clock, plan, typical, block)
    return Timings(blocks_ns=tuple(blocks), warmup=len(times), settled=settled)


def warm_up(run: Run, clock: Clock, bound_ns: int) -> tuple[list[int], bool]:
    """Call `run` until its times settle; all times, and whether they did.

    Raises:
        UsageError: the first call returned what has not run yet.
    """
    times = [_first(run, clock)]  # it may load, tune or compile: it does not count against the bound
    begun = clock()
    while True:
        times += time_block(run, clock, 1)
        elapsed = clock() - begun
        if elapsed >= 2 * bound_ns and len(times) >= WINDOW_ITERATIONS:  # ten of a very slow call would take too long
            return times, False
        if len(times) < WARMUP_ITERATIONS or elapsed < WARMUP_NS:
            continue
        window = max(WINDOW_ITERATIONS, round(WINDOW_NS / max(1, statistics.median(times[-WARMUP_ITERATIONS:]))))
        if len(times) >= 3 * window and _agree(
            [times[-3 * window : -2 * window], times[-2 * window : -window], times[-window:]]
        ):
            return times, True
        if elapsed >= bound_ns:
            return times, False
        times += time_block(run, clock, max(1, window // 2))


def _first(run: Run, clock: Clock) -> int:
    begun = clock()
    found = run()
    time = clock() - begun
    refuse_deferred(found)
    return time


def _agree(windows: list[list[int]]) -> bool:
    medians = [statistics.median(window) for window in windows]
    return max(medians) <= min(medians) * (1 + SETTLED_WITHIN)


def _sample(run: Run, clock: Clock, plan: SamplingPlan, typical_ns: float, block: TimeBlock) -> list[tuple[int, ...]]:
    fewest = max(plan.min_samples, FEWEST_BLOCKS)
    wanted = max(fewest, round(plan.min_time_ns / typical_ns))
    if fewest * typical_ns > plan.max_time_ns:
        raise MeasurementError(_too_slow(plan, typical_ns))
    piece = max(1, wanted // (PIECES * BLOCKS))
    times: list[int] = []
    begun = clock()
    while True:
        times += block(run, clock, piece)
        elapsed = clock() - begun
        enough = len(times) >= fewest
        if enough and elapsed >= min(plan.min_time_ns, plan.max_time_ns):
            return _in_blocks(times)
        if elapsed >= plan.max_time_ns:
            raise MeasurementError(_too_slow(plan, elapsed / len(times)))


def _in_blocks(times: list[int]) -> list[tuple[int, ...]]:
    """The row of times cut into blocks as equal as can be."""
    count = BLOCKS if len(times) >= BLOCKS else FEWEST_BLOCKS
    ends = [len(times) * i // count for i in range(count + 1)]
    return [tuple(times[start:end]) for start, end in itertools.pairwise(ends)]


def _too_slow(plan: SamplingPlan, typical_ns: float) -> str:
    samples = max(plan.min_samples, FEWEST_BLOCKS)
    enough = math.ceil(samples * typical_ns * 1.5e-8) / 10
    lower = ", or budget a lower percentile" if samples > FEWEST_BLOCKS else ""  # lower than the median there is none
    a_call_s = typical_ns / 1e9
    a_call = f"{_digits(a_call_s)} s" if a_call_s >= 1 else f"{_digits(a_call_s * 1e3)} ms"
    return (
        f"{samples} samples at {a_call} a call take {_digits(samples * a_call_s)} s, more than "
        f"--infer-max-time={plan.max_time_ns / 1e9:g}; raise it to {enough:g} or more{lower}"
    )


def _digits(value: float) -> str:
    """Three digits, and no power of ten behind them: 13200."""
    return f"{float(f'{value:.3g}'):g}"


@contextlib.contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Collect garbage now, and none while the body runs."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
