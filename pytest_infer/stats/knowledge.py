"""What is known of one test's variances: the device's spread, moderated by the test's own runs and the session's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pytest_infer.stats.moderation import Variance

if TYPE_CHECKING:
    from pytest_infer.stats.reference import Reference
    from pytest_infer.stats.runs import Real
    from pytest_infer.stats.spread import Spread

_TINY: Final = float(np.finfo(np.float64).tiny)
_ENOUGH: Final = 2.0  # degrees of freedom from which on data alone predict


def run_variance(held: Reference, fresh_ss: Real, fresh_df: int) -> Variance:
    """The run variance of one test: the device's, moderated by the entry's own runs and by fresh ones.

    Args:
        held: the test's baseline.
        fresh_ss: (...) sum of squares of fresh runs around their mean.
        fresh_df: its degrees of freedom.
    """
    df = held.baseline.within_df
    inside = Variance(value=held.baseline.within_ss / max(df, 1), df=float(df))
    fresh = Variance(value=fresh_ss / max(fresh_df, 1), df=float(fresh_df))
    return held.spread.run.joined(inside).joined(fresh)


def session_variance(held: Reference, run: Variance) -> Variance:
    """The variance of session means, one test's own part: the device's, moderated by what else is known.

    A test whose runs (`run`) spread further than the device's is taken to differ as much more between sessions.
    """
    return _scaled(held.spread.session.joined(_data(held)), held, run)


def predicted_session_variance(held: Reference, run: Variance) -> Variance:
    """The same as the next session will show it: from data alone, from the declaration only where there are none.

    A declaration that is too wide makes the gate careful; what the gate can see hangs on how far runs really spread.
    """
    data, spread = _data(held), held.spread
    return _scaled(_predicted(spread.session_measured.joined(data), spread.session.joined(data)), held, run)


def predicted_common_variance(spread: Spread) -> Variance:
    """The variance of the shift of all tests as the next session will show it."""
    return _predicted(spread.common_measured, spread.common)


def _predicted(measured: Variance, known: Variance) -> Variance:
    enough = np.asarray(measured.df) >= _ENOUGH
    return Variance(value=np.where(enough, measured.value, known.value), df=np.where(enough, measured.df, known.df))


def _scaled(session: Variance, held: Reference, run: Variance) -> Variance:
    wider = np.maximum(run.value / np.maximum(held.spread.run.value, _TINY), 1.0)
    return Variance(value=session.value * wider, df=session.df)


def _data(held: Reference) -> Variance:
    """What the test's own sessions, and the scatter of this session's tests around its shift, say of it.

    The scatter of one-run log ratios expects weight * session + rest * run; it tells of `session` as much as that
    part's share in it.
    """
    if held.shift is None:
        return held.scatter
    weight = held.baseline.session_weight
    rest = (held.baseline.run_weight + 1.0 - weight / held.spread.session_runs) * held.spread.run.value
    expected = weight * held.spread.session.value
    share = expected / (expected + np.maximum(rest, 0.0))
    seen = np.maximum((np.square(held.shift.spread) - rest) / weight, 0.0)
    return held.scatter.joined(Variance(value=seen, df=held.shift.df * np.square(share)))
