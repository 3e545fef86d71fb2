"""A budget against the spread of runs: one run when that is clear, an interval over fresh runs when it is near.

A budget asks about the device as it is today, so the runs' spread inside one session is the yardstick; sessions don't
enter. Everything in log units, signed so that larger is worse, the limit too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import special

from pytest_infer.stats.moderation import Variance
from pytest_infer.stats.standing import Standing

if TYPE_CHECKING:
    from pytest_infer.stats.runs import Array
    from pytest_infer.stats.spread import Spread

CLEARLY_OVER: Final = 1e-4  # one run alone may fail a test only this rarely, even where the device's spread is a guess
CLEARLY_WITHIN: Final = 0.05
FAR: Final = math.log(2.0)  # and only at twice the budget: one run in ten may be slower by much of that
GROSS: Final = math.log(1.25)  # every fresh run this far beyond the limit is over it, however wide their interval is
OVER: Final = 0.01  # of K runs; a true value 2 % under the limit then fails in far less than 0.5 %


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetInterval:
    """What K fresh runs say about a budget; y as in the runs, larger is worse.

    Attributes:
        estimate: their mean.
        low: lower end of its 98 % interval (one-sided 99 %).
        high: upper end of it.
        over: every run and the whole interval lie beyond the limit, or every run lies far beyond it.
    """

    estimate: float
    low: float
    high: float
    over: bool


def budget_screen(y: float, limit: float, spread: Spread) -> Standing:
    """One run against a budget: clearly within, clearly over, or near (to be confirmed by fresh runs)."""
    run = np.array([y])
    if clearly_over(run, limit, spread):
        return Standing.OVER
    return Standing.WITHIN if beyond(-run, -limit, spread, CLEARLY_WITHIN) > 0 else Standing.NEAR


def budget_confirm(fresh: Array, limit: float, spread: Spread) -> BudgetInterval:
    """K fresh runs against a budget: over where each and their whole interval lie beyond the limit, or each far.

    Args:
        fresh: (K,) y of the fresh runs.
        limit: the budget, as y.
        spread: the device's; the fresh runs' own spread moderates it.
    """
    estimate = float(fresh.mean())
    reach = estimate - limit - float(beyond(fresh, limit, spread, OVER))
    over = bool(over_limit(fresh, limit, spread))
    return BudgetInterval(estimate=estimate, low=estimate - reach, high=estimate + reach, over=over)


def clearly_over(run: Array, limit: float, spread: Spread) -> Any:
    """(...) whether one run, (..., 1), is so far over the limit that no fresh ones are needed."""
    return (beyond(run, limit, spread, CLEARLY_OVER) > 0) & (run[..., 0] - limit > FAR)


def over_limit(fresh: Array, limit: float, spread: Spread) -> Any:
    """(...) whether K fresh runs (..., K) are over: each one and their whole interval, or each of them far."""
    least = fresh.min(axis=-1) - limit
    return ((least > 0) & (beyond(fresh, limit, spread, OVER) > 0)) | (least > GROSS)


def beyond(y: Array, limit: float, spread: Spread, level: float) -> Array:
    """(...) how far the lower end of the interval over runs lies beyond the limit; negative: it does not.

    Args:
        y: (..., K) K >= 1 runs of one session.
        limit: the budget, as y.
        spread: the device's.
        level: one-sided error of the interval.
    """
    count = y.shape[-1]
    mean = y.mean(axis=-1)
    squares = np.square(y - mean[..., None]).sum(axis=-1)
    run = spread.run.joined(Variance(value=squares / max(count - 1, 1), df=float(count - 1)))
    reach = special.stdtrit(np.asarray(run.df), 1.0 - level) * np.sqrt(np.asarray(run.value) / count)
    return np.asarray(mean - reach - limit)
