"""What is known of one test's variances: the device's spread, moderated by the test's own runs and the session's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pytest_infer.stats.moderation import Variance

if TYPE_CHECKING:
    from pytest_infer.stats.runs import Real, Summary
    from pytest_infer.stats.shift import Shift
    from pytest_infer.stats.spread import Spread

_ENOUGH: Final = 2.0  # degrees of freedom from which on data alone predict


def run_variance(baseline: Summary, spread: Spread, fresh_ss: Real, fresh_df: int) -> Variance:
    """The run variance of one test: the device's, moderated by the entry's own runs and by fresh ones.

    Args:
        baseline: the entry's runs.
        spread: the device's.
        fresh_ss: (...) sum of squares of fresh runs around their mean.
        fresh_df: its degrees of freedom.
    """
    inside = Variance(value=baseline.within_ss / max(baseline.within_df, 1), df=float(baseline.within_df))
    fresh = Variance(value=fresh_ss / max(fresh_df, 1), df=float(fresh_df))
    return spread.run.joined(inside).joined(fresh)


def session_variance(baseline: Summary, spread: Spread, run: Variance, shift: Shift | None) -> Variance:
    """The variance of session means, one test's own part: the device's, moderated by what else is known.

    A test whose runs (`run`) spread further than the device's is taken to differ as much more between sessions.
    """
    data = _own_scatter(baseline, spread).joined(_scatter_of_tests(baseline, spread, shift))
    return _scaled(spread.session.joined(data), spread, run)


def predicted_session_variance(baseline: Summary, spread: Spread, run: Variance, shift: Shift | None) -> Variance:
    """The same as the next session will show it: from data alone, from the declaration only where there are none.

    A declaration that is too wide makes the gate careful; what the gate can see hangs on how far runs really spread.
    """
    data = _own_scatter(baseline, spread).joined(_scatter_of_tests(baseline, spread, shift))
    return _scaled(_predicted(spread.session_measured.joined(data), spread.session.joined(data)), spread, run)


def _scaled(session: Variance, spread: Spread, run: Variance) -> Variance:
    return Variance(value=session.value * np.maximum(run.value / spread.run.value, 1.0), df=session.df)


def predicted_common_variance(spread: Spread) -> Variance:
    """The variance of the shift of all tests as the next session will show it."""
    return _predicted(spread.common_measured, spread.common)


def _predicted(measured: Variance, known: Variance) -> Variance:
    enough = np.asarray(measured.df) >= _ENOUGH
    return Variance(value=np.where(enough, measured.value, known.value), df=np.where(enough, measured.df, known.df))


def _own_scatter(baseline: Summary, spread: Spread) -> Variance:
    """The scatter of the test's session means around its mean, without the shifts of all tests."""
    shifts = spread.shifts_of(baseline.sessions)
    count = baseline.sessions.size
    df = (count - 1) * (1.0 - 1.0 / spread.session_tests)
    if shifts is None or df <= 0:
        return Variance(value=0.0, df=0.0)
    return Variance(value=(baseline.session_means - shifts).var(axis=-1) * (count / df), df=df)


def _scatter_of_tests(baseline: Summary, spread: Spread, shift: Shift | None) -> Variance:
    """The scatter of this session's tests around its shift.

    That of one-run log ratios expects weight * session + rest * run; it tells of `session` as much as that part's
    share in it.
    """
    if shift is None:
        return Variance(value=0.0, df=0.0)
    weight = baseline.session_weight
    rest = (baseline.run_weight + 1.0 - weight / spread.session_runs) * spread.run.value
    expected = weight * spread.session.value
    share = expected / (expected + np.maximum(rest, 0.0))
    return Variance(value=np.maximum((np.square(shift.spread) - rest) / weight, 0.0), df=shift.df * np.square(share))
