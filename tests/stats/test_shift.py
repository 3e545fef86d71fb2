"""The shift of a session."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_infer.stats.moderation import Variance
from pytest_infer.stats.shift import session_shift, shift_p
from pytest_infer.stats.spread import Spread


def test_there_is_none_before_seven_other_tests() -> None:
    """The eighth test of a session is the first to be judged relative to the others."""
    assert session_shift(np.zeros(6)) is None
    shift = session_shift(np.zeros(7))
    assert shift is not None
    assert (shift.value, shift.spread, shift.count) == (0.0, 0.0, 7)


def test_few_slower_tests_do_not_move_it() -> None:
    """Three regressions among twenty tests leave the median where the others are."""
    ratios = 0.01 + 0.005 * np.random.default_rng(1).standard_normal(20)
    ratios[[2, 9, 17]] += 1.0
    shift = session_shift(ratios)
    assert shift is not None
    assert shift.value == pytest.approx(0.01, abs=0.004)
    assert shift.spread == pytest.approx(0.005, abs=0.004)


def test_its_spread_and_error_are_the_normal_ones() -> None:
    """On normal ratios the spread is their standard deviation and the error that of a median, for many at once."""
    ratios = 0.02 * np.random.default_rng(2).standard_normal((4000, 25))
    shift = session_shift(ratios)
    assert shift is not None
    assert np.mean(np.square(shift.spread)) == pytest.approx(0.02**2, rel=0.05)
    assert np.std(shift.value) == pytest.approx(float(np.sqrt(np.mean(np.square(shift.se)))), rel=0.05)
    relative_error = np.var(np.square(shift.spread)) / 0.02**4
    assert shift.df == pytest.approx(2 / relative_error, rel=0.3)


def test_p_counts_what_sessions_do() -> None:
    """3 % is nothing special where sessions differ by 2 %, and a great deal where they differ by 0.2 %."""
    shift = session_shift(np.linspace(0.02, 0.04, 21))
    assert shift is not None
    nothing = Variance(value=1e-6, df=8.0)
    loose, tight = (Spread(run=nothing, session=nothing, common=Variance(value=sd**2, df=8.0)) for sd in (0.02, 0.002))
    assert shift_p(shift, loose, 3) > 0.05
    assert shift_p(shift, tight, 3) < 0.001
