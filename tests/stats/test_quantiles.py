"""Quantiles of one run."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from pytest_infer.measure.loop import BLOCKS, FEWEST_BLOCKS
from pytest_infer.stats.quantiles import STUDENT_95, block_medians, order_interval, quantile_interval


def autocorrelated(
    random: np.random.Generator, count: int, memory: float
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A first-order autoregression of variance one."""
    y = np.empty(count)
    y[0] = random.standard_normal()
    shocks = math.sqrt(1 - memory**2) * random.standard_normal(count)
    for i in range(1, count):
        y[i] = memory * y[i - 1] + shocks[i]
    return y


@pytest.mark.parametrize(("memory", "q"), [(0.0, 0.5), (0.0, 0.9), (0.9, 0.5)])
def test_the_interval_covers(memory: float, q: float) -> None:
    """About 95 % of intervals hold the true quantile, also where each sample resembles the one before."""
    random = np.random.default_rng(7)
    true = {0.5: 0.0, 0.9: 1.2815515655446004}[q]
    held = 0
    for _ in range(300):
        estimate = quantile_interval(np.array_split(autocorrelated(random, 600, memory), 8), q)
        held += estimate.low <= true <= estimate.high
    assert 0.90 <= held / 300 <= 1.0


def test_the_table_of_student_is_scipys() -> None:
    """It holds the blocks that the loop makes, so that a fresh process needs no SciPy, and SciPy's own values."""
    assert STUDENT_95.keys() == {BLOCKS - 1, FEWEST_BLOCKS - 1}
    assert list(STUDENT_95.values()) == pytest.approx([special.stdtrit(df, 0.975) for df in STUDENT_95], rel=1e-8)


def test_resembling_samples_count_for_less() -> None:
    """600 samples that follow one another closely are worth far fewer; independent ones nearly all."""
    random = np.random.default_rng(8)
    alike = quantile_interval(np.array_split(autocorrelated(random, 600, 0.95), 10), 0.5)
    independent = quantile_interval(np.array_split(random.standard_normal(600), 10), 0.5)
    assert alike.effective < 150 < independent.effective <= 600.001
    assert alike.low <= alike.value <= alike.high


def test_few_samples_leave_a_tail_open() -> None:
    """The 99th percentile of forty samples has no upper end; the first percentile no lower one."""
    blocks = np.array_split(np.arange(40.0), 5)
    assert quantile_interval(blocks, 0.99).high == math.inf
    assert quantile_interval(blocks, 0.01).low == -math.inf


@pytest.mark.parametrize(
    ("blocks", "q"),
    [([np.ones(5)], 0.5), ([np.ones(5), np.ones(0)], 0.5), ([np.ones(5)] * 3, 1.0)],
    ids=["one block", "an empty block", "no quantile"],
)
def test_what_has_no_interval_is_refused(blocks: list[np.ndarray[tuple[int], np.dtype[np.float64]]], q: float) -> None:
    """Two blocks at least, none empty, and a quantile inside."""
    with pytest.raises(ValueError, match=r"at least two blocks|between 0 and 1"):
        quantile_interval(blocks, q)


@pytest.mark.parametrize(("count", "ranks"), [(6, (1, 6)), (10, (2, 9)), (20, (6, 15))])
def test_order_statistics_for_a_median_are_the_tables(count: int, ranks: tuple[int, int]) -> None:
    """The classical table of 95 % intervals for a median."""
    assert order_interval(np.arange(1.0, count + 1), 0.5) == ranks


@given(st.integers(1, 5))
def test_five_values_hold_no_median_at_95_percent(count: int) -> None:
    """1 - 2 / 2^5 is 93.75 %: less than asked, so the interval is open."""
    assert order_interval(np.arange(float(count)), 0.5) == (-math.inf, math.inf)


def test_blocks_keep_the_order() -> None:
    """Stretches of consecutive samples, as equal as can be."""
    assert block_medians(np.arange(10.0), 3).tolist() == [1.5, 5.0, 8.0]
