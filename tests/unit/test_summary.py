"""Timings summed up: quantiles, throughput, intervals."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.measure.loop import Timings
from pytest_infer.measure.summary import latency_intervals, latency_metrics, summarise

if TYPE_CHECKING:
    import random

MS = 1_000_000
blocks = st.lists(st.lists(st.integers(1, 10**10), min_size=1, max_size=30).map(tuple), min_size=2, max_size=8).map(
    tuple
)


def timings(*of: tuple[int, ...]) -> Timings:
    """Settled timings of these blocks."""
    return Timings(blocks_ns=of, warmup=12, settled=True)


@given(blocks)
def test_quantiles_are_in_order_and_between_the_extremes(of: tuple[tuple[int, ...], ...]) -> None:
    """Minimum, median, percentiles, maximum never cross; counts are exact."""
    samples = summarise(timings(*of))
    times = list(itertools.chain(*of))
    names = [name for name in ("min", "p50", "p90", "p95", "p99", "max") if name in samples.quantiles_ns]
    values = [samples.quantiles_ns[name] for name in names]
    assert values == sorted(values)
    assert (values[0], values[-1]) == (min(times), max(times))
    assert samples.count == len(times)
    assert len(samples.block_medians_ns) == len(of)


@given(blocks, st.integers(2, 1000))
def test_figures_scale_with_time(of: tuple[tuple[int, ...], ...], factor: int) -> None:
    """Everything slower by a factor: latencies grow by it, throughput falls by it."""
    slow = timings(*(tuple(time * factor for time in block) for block in of))
    fast = timings(*of)
    quick, late = latency_metrics(fast, summarise(fast), 4), latency_metrics(slow, summarise(slow), 4)
    for name, value in quick.items():
        expected = value / factor if name == "throughput" else value * factor
        assert late[name] == pytest.approx(expected, rel=1e-6, abs=factor / MS)


@given(blocks, st.randoms())
def test_quantiles_don_t_depend_on_order(of: tuple[tuple[int, ...], ...], rng: random.Random) -> None:
    """Blocks and calls in another order have the same quantiles and throughput."""
    times = list(itertools.chain(*of))
    rng.shuffle(times)
    one, other = timings(*of), timings(tuple(times))
    assert summarise(one).quantiles_ns == summarise(other).quantiles_ns
    assert latency_metrics(one, summarise(one), 1) == latency_metrics(other, summarise(other), 1)


@pytest.mark.parametrize(
    ("count", "names"),
    [
        (4, set()),
        (5, {"p50"}),
        (63, {"p50"}),
        (64, {"p50", "p90"}),
        (129, {"p50", "p90"}),
        (130, {"p50", "p90", "p95"}),
        (661, {"p50", "p90", "p95"}),
        (662, {"p50", "p90", "p95", "p99"}),
    ],
)
def test_no_percentile_that_the_samples_don_t_carry(count: int, names: set[str]) -> None:
    """A percentile needs its promised number of samples; one fewer and it isn't claimed."""
    one = timings(tuple(range(1, count + 1)))
    assert summarise(one).quantiles_ns.keys() == {"min", "max", *names}
    metrics = {"p50": "latency", "p90": "p90_latency", "p95": "p95_latency", "p99": "p99_latency"}
    assert latency_metrics(one, summarise(one), 1).keys() == {"throughput", *(metrics[name] for name in names)}


def test_latency_is_in_milliseconds_and_throughput_in_samples() -> None:
    """Calls of 2 ms on batches of 8: 4000 samples a second; without a batch 500 calls."""
    one = timings(*[(2 * MS,) * 10] * 5)
    assert latency_metrics(one, summarise(one), 8) == {"latency": 2.0, "throughput": 4000.0}
    assert latency_metrics(one, summarise(one), 1)["throughput"] == 500.0


def test_a_clock_too_coarse_gives_no_throughput() -> None:
    """Where no time passed at all, nothing is divided by it."""
    one = timings((0,) * 5, (0,) * 5)
    assert "throughput" not in latency_metrics(one, summarise(one), 1)


def test_warm_up_is_carried_along() -> None:
    """How long it took and whether it settled belongs to the samples."""
    samples = summarise(Timings(blocks_ns=((1, 2, 3),), warmup=77, settled=False))
    assert (samples.warmup, samples.settled) == (77, False)


@given(blocks)
def test_intervals_are_ordered_finite_and_claimed_for_figures_only(of: tuple[tuple[int, ...], ...]) -> None:
    """Each belongs to a latency that is there, has two finite ends, and the lower one first."""
    one = timings(*of)
    intervals = latency_intervals(one)
    assert intervals.keys() <= latency_metrics(one, summarise(one), 1).keys()
    for low, high in intervals.values():
        assert math.isfinite(low)
        assert math.isfinite(high)
        assert low <= high


@given(st.lists(st.lists(st.integers(1000, 10**9), min_size=9, max_size=9).map(tuple), min_size=10, max_size=10))
def test_the_interval_of_ten_blocks_reaches_to_the_median(of: list[tuple[int, ...]]) -> None:
    """The median of all samples is never further out than the blocks' own medians."""
    one = timings(*of)
    low, high = latency_intervals(one)["latency"]
    medians = [sorted(block)[4] / MS for block in of]
    assert low <= max(medians) * (1 + 1e-9)
    assert high >= min(medians) * (1 - 1e-9)


def test_blocks_that_agree_make_a_narrow_interval() -> None:
    """No spread, no width; more spread, more width."""
    same = latency_intervals(timings(*[(2 * MS,) * 9] * 10))["latency"]
    near = latency_intervals(timings(*[(2 * MS + 1000 * i,) * 9 for i in range(10)]))["latency"]
    far = latency_intervals(timings(*[(2 * MS + 100_000 * i,) * 9 for i in range(10)]))["latency"]
    assert same == (2.0, 2.0)
    assert 0 < near[1] - near[0] < far[1] - far[0]


def test_one_block_has_no_interval_of_nothing() -> None:
    """A single round (pytest-benchmark's pedantic mode) makes no warning and no value that JSON can't hold."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        intervals = latency_intervals(timings((2 * MS,)))
    assert all(math.isfinite(end) for interval in intervals.values() for end in interval)
