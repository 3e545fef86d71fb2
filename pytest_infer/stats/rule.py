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

from pytest_infer.stats.comparison import Comparison, compare

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fresh:
    """Fresh runs held against a baseline by both statistics.

    Attributes:
        mean: of all of them.
        fastest: the fastest, as one run.
    """

    mean: Comparison
    fastest: Comparison

    @property
    def p(self) -> Array:
        """(...) the level from which on they are slower beyond chance by either statistic."""
        return np.asarray(np.minimum(self.mean.p, self.fastest.p / FASTEST_SHARE))

    def lower_end(self, level: float) -> Array:
        """(...) what they are slower by at least, as `level` (one-sided) has it; in log units."""
        mean = self.mean.estimate - self.mean.critical(level)
        return np.maximum(mean, self.fastest.estimate - self.fastest.critical(level * FASTEST_SHARE))

    def margin(self, rule: Rule) -> Array:
        """(...) the smallest distance to the gate's three thresholds; positive: regressed."""
        beyond = np.minimum(self.lower_end(rule.alpha), self.mean.estimate - rule.floor)
        return np.minimum(beyond, self.mean.above)


def hold(held: Reference, fresh: Array) -> Fresh:
    """Hold fresh runs, (..., K) y of one session, against a baseline by both statistics."""
    return Fresh(mean=compare(held, fresh), fastest=compare(held, fresh.min(axis=-1, keepdims=True)))


def screen_margin(held: Reference, y_new: Array, rule: Rule) -> Array:
    """(...) how far one screening run lies beyond the threshold of suspicion; positive: suspected."""
    one = compare(held, y_new[..., None])
    return np.asarray(one.estimate - one.critical(rule.screen_p))


def whole_margin(held: Reference, y: Array, rule: Rule) -> Array:
    """(...) the margin of screening and test together; positive: the gate calls it regressed.

    Args:
        held: the test's baseline.
        y: (..., 1 + K) the screening run, then the K fresh runs.
        rule: what is asked.
    """
    return np.minimum(screen_margin(held, y[..., 0], rule), hold(held, y[..., 1:]).margin(rule))
