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

if TYPE_CHECKING:
    from pytest_infer.stats.reference import Reference
    from pytest_infer.stats.runs import Array


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


def compare(held: Reference, fresh: Array) -> Comparison:
    """Hold fresh runs, (..., K) y of K >= 1 runs of one session, against a baseline."""
    count = fresh.shape[-1]
    mean = fresh.mean(axis=-1)
    # One run tells nothing of its noise: that is then the same for all, and so is its critical value, which is slow.
    squares = np.square(fresh - mean[..., None]).sum(axis=-1) if count > 1 else 0.0
    noise = _noise(held, run_variance(held, squares, count - 1), count)
    return Comparison(
        estimate=mean - held.level,
        se=np.sqrt(np.asarray(noise.value)),
        df=np.maximum(noise.df, 1.0),
        above=fresh.min(axis=-1) - held.bound,
    )


def _noise(held: Reference, run: Variance, count: int) -> Variance:
    """The variance of (mean of `count` fresh runs - baseline) where nothing changed."""
    own = session_variance(held, run)
    weight = held.baseline.session_weight
    session = weight * own.value
    session_error = session / np.sqrt(own.df)
    if held.shift is None:
        common = held.spread.common
        session = session + weight * common.value
        session_error = session_error + weight * common.value / np.sqrt(common.df)
    # Session means carry part of the runs' noise already: the rest is added. Never less than the runs' whole noise.
    whole = (held.baseline.run_weight + 1.0 / count) * run.value
    rest = whole - weight / held.spread.session_runs * run.value
    variance = np.maximum(session + rest, whole)
    error = np.where(session + rest > whole, np.square(session_error) + np.square(rest) / run.df, whole**2 / run.df)
    if held.shift is not None:
        variance = variance + np.square(held.shift.se)
    return Variance(value=variance, df=np.square(variance) / error)
