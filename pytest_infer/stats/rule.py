"""What the gate is asked for, and its thresholds.

`regressed` when the fresh runs are slower than the baseline beyond chance (p < alpha), by more than the practical
floor, and every one of them lies above the baseline's slowest runs. All three conditions are distances, in log units,
that a change moves one to one: the smallest of them is the margin, and the gate fires where it is positive. The
minimum detectable effect asks the same margins.

Beyond chance is what either of two statistics says. One holds the mean of the fresh runs, their own spread in its
noise. Slower code often spreads further, too, and one run of 100 ms among three of 10 would hide that all of them were
ten times as slow: the other holds the fastest fresh run alone, as one run, against a tenth of alpha. The fastest of K
is above a threshold more seldom than any one run, so this adds a tenth of alpha to the level at most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pytest_infer.stats.comparison import Comparison, alone, compare

if TYPE_CHECKING:
    from pytest_infer.stats.reference import Reference
    from pytest_infer.stats.runs import Array

FASTEST_SHARE: Final = 0.1
"""The share of alpha that the fastest fresh run alone is held against, beside the mean's whole alpha."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What the gate is asked for.

    Attributes:
        alpha: significance level of one test (with m gated tests the caller gives min(alpha, 0.05 / m)).
        max_regression: the practical floor as a fraction: a smaller change never fails.
        screen_p: a screening run above this p passes at once.
        confirm: fresh runs that enter the test, K.

    Raises:
        ValueError: a level that is no probability, a negative floor, or a test without runs.
    """

    alpha: float = 0.001
    max_regression: float = 0.02
    screen_p: float = 0.05
    confirm: int = 3

    def __post_init__(self) -> None:
        """Refuse what no gate can be held to."""
        if not (0 < self.alpha < 1 and 0 < self.screen_p < 1):
            raise ValueError("alpha and screen_p are probabilities between 0 and 1")
        if self.max_regression < 0 or self.confirm < 1:
            raise ValueError("max_regression can't be negative, and a test needs at least one fresh run")

    @property
    def floor(self) -> float:
        """`max_regression` in log units."""
        return math.log1p(self.max_regression)


def screen_margin(held: Reference, y_new: Array, rule: Rule) -> Array:
    """(...) how far one screening run lies beyond the threshold of suspicion; positive: suspected."""
    one = alone(held, y_new)
    return np.asarray(one.estimate - one.critical(rule.screen_p))


def margin(held: Reference, fresh: Array, rule: Rule) -> Array:
    """(...) the smallest distance of fresh runs, (..., K), to the gate's three thresholds; positive: regressed."""
    mean, fastest = _both(held, fresh)
    return np.minimum(np.minimum(_lower_end(mean, fastest, rule.alpha), mean.estimate - rule.floor), mean.above)


def lower_end(held: Reference, fresh: Array, level: float) -> Array:
    """(...) what the fresh runs, (..., K), are slower by at least, as `level` (one-sided) has it; in log units."""
    return _lower_end(*_both(held, fresh), level)


def p_value(held: Reference, fresh: Array) -> Array:
    """(...) the level from which on the fresh runs, (..., K), are beyond chance by either statistic."""
    mean, fastest = _both(held, fresh)
    return np.asarray(np.minimum(mean.p, fastest.p / FASTEST_SHARE))


def _both(held: Reference, fresh: Array) -> tuple[Comparison, Comparison]:
    return compare(held, fresh), alone(held, fresh.min(axis=-1))


def _lower_end(mean: Comparison, fastest: Comparison, level: float) -> Array:
    return np.maximum(mean.estimate - mean.critical(level), fastest.estimate - fastest.critical(level * FASTEST_SHARE))


def whole_margin(held: Reference, y: Array, rule: Rule) -> Array:
    """(...) the margin of screening and test together; positive: the gate calls it regressed.

    Args:
        held: the test's baseline.
        y: (..., 1 + K) the screening run, then the K fresh runs.
        rule: what is asked.
    """
    return np.minimum(screen_margin(held, y[..., 0], rule), margin(held, y[..., 1:], rule))
