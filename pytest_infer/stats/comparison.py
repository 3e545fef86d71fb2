"""Fresh runs of one session against a baseline: the estimate, its standard error and its degrees of freedom.

Model: y = mu + c_session + b_session + w_run. The difference of K fresh runs and a baseline of S sessions has the
variance s_w^2 (1/R + 1/K) + (s_b^2 + s_c^2) (1/S + 1); relative to the session's shift s_c^2 gives way to the shift's
own error. That is a weighted sum of estimated variances; its degrees of freedom are Satterthwaite's (1946, "An
approximate distribution of estimates of variance components", Biometrics Bulletin 2(6), 110-114), except that the two
session variances lean on one declaration and so err together: their standard errors are added, not their squares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from pytest_infer.stats.knowledge import run_variance, session_variance
from pytest_infer.stats.moderation import Variance
from pytest_infer.stats.runs import slowest

if TYPE_CHECKING:
    from pytest_infer.stats.runs import Array, Summary
    from pytest_infer.stats.shift import Shift
    from pytest_infer.stats.spread import Spread


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """Fresh runs against a baseline, in log units; larger is worse.

    Attributes:
        estimate: (...) mean of the fresh runs minus mean of the baseline minus the session's shift.
        se: (...) its standard error.
        df: (...) degrees of freedom of `se`.
        above: (...) how far the fastest fresh run lies above the baseline's rank bound.
    """

    estimate: Array
    se: Array
    df: Array
    above: Array

    @property
    def p(self) -> Array:
        """(...) probability of such an estimate or a worse one where nothing changed (one-sided Student t)."""
        return np.asarray(special.stdtr(self.df, -self.estimate / self.se))

    def critical(self, alpha: float) -> Array:
        """(...) the estimate from which on `p` is below `alpha`."""
        return np.asarray(special.stdtrit(self.df, 1.0 - alpha) * self.se)


def compare(baseline: Summary, spread: Spread, fresh: Array, shift: Shift | None) -> Comparison:
    """Hold fresh runs against a baseline.

    Args:
        baseline: the entry's runs, summarised.
        spread: the device's.
        fresh: (..., K) y of K >= 1 fresh runs of one session.
        shift: the session's, to judge relative to it.
    """
    count = fresh.shape[-1]
    fresh_mean = fresh.mean(axis=-1)
    run = run_variance(baseline, spread, np.square(fresh - fresh_mean[..., None]).sum(axis=-1), count - 1)
    noise = _noise(baseline, spread, run, count, shift)
    removed = 0.0 if shift is None else shift.value
    return Comparison(
        estimate=fresh_mean - baseline.mean - removed,
        se=np.sqrt(np.asarray(noise.value)),
        df=np.maximum(noise.df, 1.0),
        above=fresh.min(axis=-1) - removed - rank_bound(baseline, spread, shift),
    )


def _noise(baseline: Summary, spread: Spread, run: Variance, count: int, shift: Shift | None) -> Variance:
    """The variance of (mean of `count` fresh runs - baseline) where nothing changed."""
    own = session_variance(baseline, spread, run, shift)
    weight = baseline.session_weight
    session = weight * own.value
    session_error = session / np.sqrt(own.df)
    if shift is None:
        session = session + weight * spread.common.value
        session_error = session_error + weight * spread.common.value / np.sqrt(spread.common.df)
    # Session means carry part of the runs' noise already: the rest is added. Never less than the runs' whole noise.
    whole = (baseline.run_weight + 1.0 / count) * run.value
    rest = whole - weight / spread.session_runs * run.value
    variance = np.maximum(session + rest, whole)
    error = np.where(session + rest > whole, np.square(session_error) + np.square(rest) / run.df, whole**2 / run.df)
    if shift is not None:
        variance = variance + np.square(shift.se)
    return Variance(value=variance, df=np.square(variance) / error)


def rank_bound(baseline: Summary, spread: Spread, shift: Shift | None) -> Array:
    """(...) what every fresh run must lie above: the baseline's slowest runs.

    Relative to a session's shift, the baseline's runs are taken without the shifts of their own sessions.
    """
    shifts = None if shift is None else spread.shifts_of(baseline.sessions)
    if shifts is None:
        return slowest(baseline.y)
    return slowest(baseline.y - (shifts - shifts.mean(axis=-1, keepdims=True))[..., baseline.code])
