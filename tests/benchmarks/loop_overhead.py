"""What the sampling loop adds to each iteration over a bare loop around `perf_counter_ns`.

Both sides run the same empty callable in turn (ABBA blocks, one process). Usage:
python tests/benchmarks/loop_overhead.py [pairs]
"""

from __future__ import annotations

import statistics
import sys
import time

from pytest_infer.measure.loop import time_block

ITERATIONS = 100_000


def nothing() -> None:
    """The callable under measurement."""


def bare(iterations: int) -> None:
    """The shortest loop that still takes the time of each call."""
    clock = time.perf_counter_ns
    for _ in range(iterations):
        clock()
        nothing()
        clock()


def ours(iterations: int) -> None:
    """The plugin's loop."""
    time_block(nothing, time.perf_counter_ns, iterations)


def per_iteration_ns(loop: object) -> float:
    """Wall time of one iteration of a block."""
    if not callable(loop):
        raise TypeError(loop)
    begun = time.perf_counter_ns()
    loop(ITERATIONS)
    return (time.perf_counter_ns() - begun) / ITERATIONS


def main(pairs: int) -> None:
    """Print the median difference and the ratio."""
    differences, bases = [], []
    for pair in range(pairs):
        order = (bare, ours) if pair % 2 else (ours, bare)
        times = {loop: per_iteration_ns(loop) for loop in order}
        differences.append(times[ours] - times[bare])
        bases.append(times[bare])
    middle, base = statistics.median(differences), statistics.median(bases)
    print(f"loop: {base:.0f} ns bare, {middle:+.0f} ns ours (ratio {1 + middle / base:.2f}, {pairs} pairs of blocks)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
