"""Empirical Bayes for variances: what many entries know together about the spread of one.

Model (Smyth 2004, "Linear models and empirical Bayes methods for assessing differential expression in microarray
experiments", Stat. Appl. Genet. Mol. Biol. 3(1), article 3): entry e has its own variance v_e with
s0^2 d0 / v_e ~ chi^2(d0); its estimate from d_e degrees of freedom is s_e^2 | v_e ~ v_e chi^2(d_e) / d_e. Then
log s_e^2 has mean log s0^2 + psi(d_e/2) - log(d_e/2) - psi(d0/2) + log(d0/2) and variance psi'(d_e/2) + psi'(d0/2),
and d0, s0^2 follow from its first two moments over the entries (section 6.2 there).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from pytest_infer.stats.runs import Array, Real

_NEWTON_STEPS: Final = 30
_SMALLEST_SHARE: Final = 1e-5  # of the median variance: an exact zero would drag the mean of logarithms to -inf


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Variance:
    """A variance as well known as if it came from `df` degrees of freedom: a scaled inverse chi-square.

    Attributes:
        value: the variance, in squared log units.
        df: its degrees of freedom; zero: nothing is known, infinite: known exactly.
    """

    value: Real
    df: Real

    def joined(self, other: Variance) -> Variance:
        """Both pieces of knowledge together: variances weighted by their degrees of freedom."""
        df = np.asarray(self.df + other.df)
        total = np.asarray(self.df * self.value + other.df * other.value)
        return Variance(value=np.where(df > 0, total / np.where(df > 0, df, 1.0), self.value), df=df)

    def at_most(self, df: Real) -> Variance:
        """The same variance, known no better than by `df` degrees of freedom."""
        return Variance(value=self.value, df=np.minimum(self.df, df))

    def plain(self) -> Variance:
        """The same in floats where it is of one device."""
        if np.ndim(self.value) or np.ndim(self.df):
            return self
        return Variance(value=float(self.value), df=float(self.df))


def trigamma_inverse(value: Array) -> Array:
    """Solve psi'(x) = value for x > 0 by Newton's method on 1/psi' (Smyth 2004, appendix); inf where value <= 0."""
    target = np.where(value > 0, value, 1.0)
    x = 0.5 + 1.0 / target
    for _ in range(_NEWTON_STEPS):
        curve = special.polygamma(1, x)
        x = x + curve * (1.0 - curve / target) / special.polygamma(2, x)
    return np.where(value > 0, x, np.inf)


def common_variance(variances: Array, df: Array) -> Variance:
    """Fit s0^2 and d0 to the entries' variances.

    Args:
        variances: (..., E) estimated variances of E >= 1 entries.
        df: (E,) their degrees of freedom, positive.

    Returns:
        s0^2 (...) and d0 (...); d0 is inf where the entries differ no more than chance makes them, s0^2 then the mean.
    """
    pooled = np.sum(variances * df, axis=-1) / np.sum(df)
    if df.size == 1:
        return Variance(value=pooled, df=np.full(pooled.shape, np.inf))
    median = np.median(variances, axis=-1, keepdims=True)
    floor = np.maximum(_SMALLEST_SHARE * median, np.finfo(np.float64).tiny)
    half = df / 2.0
    e = np.log(np.maximum(variances, floor)) - special.digamma(half) + np.log(half)
    d0 = 2.0 * trigamma_inverse(e.var(axis=-1, ddof=1) - special.polygamma(1, half).mean())
    finite = np.isfinite(d0)
    half0 = np.where(finite, d0, 2.0) / 2.0
    fitted = np.exp(e.mean(axis=-1) + special.digamma(half0) - np.log(half0))
    return Variance(value=np.where(finite, fitted, pooled), df=d0)


def faded(df: float, evidence: float) -> float:
    """Degrees of freedom left to a declaration of `df` beside `evidence` of data: df^2 / (df + evidence).

    Alone it counts in full, beside as many data for half of that, and it vanishes as data grow: a declaration is a
    guess at a scale, so it may not hold a well measured spread away from its value.
    """
    return df * df / (df + evidence)
