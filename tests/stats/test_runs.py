"""The runs of a baseline, and what they come down to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.stats.runs import Runs, slowest, summarise


def runs(y: list[float], session: list[int]) -> Runs:
    """Runs from lists."""
    return Runs(y=np.array(y), session=np.array(session, dtype=np.intp))


@pytest.mark.parametrize(
    ("y", "session"),
    [([], []), ([1.0], [0, 0]), ([float("nan")], [0]), ([float("inf")], [0])],
    ids=["no run", "shapes", "nan", "inf"],
)
def test_impossible_runs_are_refused(y: list[float], session: list[int]) -> None:
    """A baseline without runs, without a session for each, or with a value that no logarithm has, can't be built."""
    with pytest.raises(ValueError, match=r"session number|not finite"):
        runs(y, session)


def test_sessions_count_alike() -> None:
    """The mean is of session means, so that a long session does not outvote a short one."""
    summary = summarise(runs([0.0, 0.0, 0.0, 1.0], [3, 3, 3, 7]))
    assert summary.mean == pytest.approx(0.5)
    assert summary.sessions.tolist() == [3, 7]
    assert summary.sizes.tolist() == [3, 1]
    assert summary.run_weight == pytest.approx((1 / 3 + 1) / 4)
    assert summary.session_weight == pytest.approx(1.5)


def test_the_spread_is_inside_sessions() -> None:
    """What sessions differ by is no run noise; each session costs a degree of freedom."""
    summary = summarise(runs([0.0, 2.0, 10.0, 12.0], [0, 0, 1, 1]))
    assert summary.within_ss == pytest.approx(4.0)
    assert summary.within_df == 2


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_equal_sessions_weigh_one_over_r(sizes: list[int], seed: int) -> None:
    """The mean's run weight is 1/R where sessions are equally large, and never less."""
    session = np.repeat(np.arange(len(sizes)), sizes)
    summary = summarise(Runs(y=np.random.default_rng(seed).standard_normal(session.size), session=session))
    assert summary.run_weight >= 1 / session.size - 1e-12
    if len(set(sizes)) == 1:
        assert summary.run_weight == pytest.approx(1 / session.size)


@given(st.integers(1, 25))
def test_the_rank_bound_allows_one_in_ten(count: int) -> None:
    """Below ten runs it is the slowest one; from ten on the ceil(0.9 R)-th of R."""
    bound = float(slowest(np.arange(1.0, count + 1)))
    assert bound == (count if count < 10 else np.ceil(0.9 * count))


@given(st.floats(1.0, 50.0), st.integers(0, 2**32 - 1))
def test_one_outlier_among_many_moves_little(outlier: float, seed: int) -> None:
    """However slow one of twenty runs was, mean and spread stay within what the other nineteen allow."""
    y = 0.01 * np.random.default_rng(seed).standard_normal(20)
    session = np.repeat(np.arange(4), 5)
    y[7] += outlier
    summary = summarise(Runs(y=y, session=session))
    assert abs(float(summary.mean)) < 0.02
    assert np.sqrt(float(summary.within_ss) / summary.within_df) < 0.03


def test_an_outlier_among_few_counts() -> None:
    """Of fewer than ten runs none is called an outlier: it may be how the machine is."""
    summary = summarise(runs([0.0, 0.0, 0.0, 0.0, 1.0], [0] * 5))
    assert summary.mean == pytest.approx(0.2)
    assert summary.within_ss == pytest.approx(0.8)


def test_the_oldest_session_is_the_anchor() -> None:
    """The lowest session number is the oldest, wherever its runs stand."""
    anchor = runs([1.0, 2.0, 3.0], [5, 2, 2]).oldest()
    assert anchor.y.tolist() == [2.0, 3.0]
    assert anchor.sessions == 1
    assert anchor.count == 2
