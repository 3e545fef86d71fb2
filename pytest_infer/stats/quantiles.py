"""Quantiles of one run, and how sure they are, from samples kept in blocks.

Iterations follow one another: the clock, the caches and the neighbours carry over, so n samples are worth fewer than n
independent ones. Blocks of consecutive samples are nearly independent of each other; they are the unit here.

SciPy takes a quarter of a second to import, and each fresh process would pay it: it is imported where it is used, and
Student's t for as many blocks as the loop makes stands here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.stats.runs import Array

STUDENT_95: Final = {4: 2.7764451051977987, 9: 2.2621571627409915}
"""Two-sided 95 % points by degrees of freedom, of five blocks and of ten: `scipy.special.stdtrit(df, 0.975)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantileEstimate:
    """A quantile in the unit of the samples.

    Attributes:
        value: the estimate.
        low: lower end of its confidence interval.
        high: upper end; inf where the samples are too few to have one.
        effective: how many independent samples the blocks are worth.
    """

    value: float
    low: float
    high: float
    effective: float


def quantile_interval(blocks: Sequence[Array], q: float, *, confidence: float = 0.95) -> QuantileEstimate:
    """A quantile with a distribution-free interval that is honest about autocorrelation.

    The share of samples below the quantile is a mean over blocks; its error comes from how that share differs between
    blocks (never less than binomial), and the interval are the order statistics at the ends of the share's interval:
    Woodruff 1952, "Confidence intervals for medians and other position measures", JASA 47, 635-646, with blocks as
    clusters and Student t of (blocks - 1) degrees of freedom.

    Args:
        blocks: at least two arrays of samples, in order.
        q: which quantile, 0 < q < 1.
        confidence: of the interval, two-sided.

    Raises:
        ValueError: fewer than two blocks, an empty one, or q outside (0, 1).
    """
    if not 0 < q < 1:
        raise ValueError(f"a quantile lies between 0 and 1, not {q}")
    if len(blocks) < 2 or min(block.size for block in blocks) == 0:  # noqa: PLR2004 - a spread needs two
        raise ValueError("an interval needs at least two blocks of samples, none of them empty")
    pooled = np.sort(np.concatenate(blocks))
    count = pooled.size
    value = float(np.quantile(pooled, q))
    sizes = np.array([block.size for block in blocks])
    below = np.array([np.count_nonzero(block < value) + 0.5 * np.count_nonzero(block == value) for block in blocks])
    share = below.sum() / count
    between = len(blocks) / (len(blocks) - 1) * np.sum(np.square(below - share * sizes)) / count**2
    variance = max(float(between), q * (1.0 - q) / count)
    reach = _student(len(blocks) - 1, confidence) * math.sqrt(variance)
    lower, upper = math.floor((q - reach) * count), math.ceil((q + reach) * count)
    return QuantileEstimate(
        value=value,
        low=float(pooled[lower - 1]) if lower >= 1 else -math.inf,
        high=float(pooled[upper - 1]) if upper <= count else math.inf,
        effective=q * (1.0 - q) / variance,
    )


def _student(df: int, confidence: float) -> float:
    known = STUDENT_95.get(df) if confidence == 0.95 else None  # noqa: PLR2004 - the table's
    if known is not None:
        return known
    from scipy import special

    return float(special.stdtrit(df, 0.5 + confidence / 2.0))


def order_interval(values: Array, q: float, *, confidence: float = 0.95) -> tuple[float, float]:
    """The narrowest pair of order statistics that holds the q-quantile of independent `values` often enough.

    The number of values below the quantile is binomial (n, q), whatever their distribution (David & Nagaraja 2003,
    "Order Statistics", 7.1). Each side may miss with (1 - confidence) / 2; an end that the values are too few for
    is infinite.
    """
    from scipy import special

    ordered = np.sort(values)
    count = ordered.size
    miss = (1.0 - confidence) / 2.0
    below = special.bdtr(np.arange(count), count, q)  # P(at most k values lie below the quantile)
    # The k-th smallest lies above the quantile where fewer than k values are below, and below it where k or more are.
    lower = int(np.searchsorted(below, miss, side="right"))
    upper = int(np.searchsorted(below, 1.0 - miss, side="left"))
    return (
        float(ordered[lower - 1]) if lower >= 1 else -math.inf,
        float(ordered[upper]) if upper < count else math.inf,
    )


def block_medians(samples: Array, blocks: int) -> Array:
    """(blocks,) the medians of `blocks` stretches of consecutive samples, as equal in size as can be."""
    return np.array([np.median(stretch) for stretch in np.array_split(samples, blocks)])
