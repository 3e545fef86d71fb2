"""The gate: one screening run, then K fresh runs, then a decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pytest_infer.stats.comparison import compare
from pytest_infer.stats.mde import minimum_detectable_effect
from pytest_infer.stats.reference import log_ratio, reference, shift_ratio
from pytest_infer.stats.rule import Rule, hold
from pytest_infer.stats.spread import FIRM_SESSIONS

if TYPE_CHECKING:
    from pytest_infer.stats.runs import Array, Runs
    from pytest_infer.stats.shift import Shift
    from pytest_infer.stats.spread import Spread

__all__ = ["Change", "confirm", "log_ratio", "screen", "shift_ratio"]

_TAIL_OF_95: Final = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What K fresh runs say about one metric of one test; log ratios, positive is worse.

    Attributes:
        estimate: log ratio of the fresh runs to the baseline, relative to the session's shift where there is one.
        low: lower end of its 95 % confidence interval.
        high: upper end of it.
        p: one-sided p value of "not slower": the smaller one of the rule's two statistics, each at its share.
        se: standard error of the estimate.
        df: degrees of freedom of the standard error.
        mde: smallest change, as a fraction, that the whole rule would find in 80 % of cases.
        ranked: every fresh run lies above the baseline's slowest runs.
        provisional: the baseline holds fewer than three sessions: their spread leans on a declaration.
        relative: judged relative to the session's shift.
        regressed: slower, by everything that the gate asks.
        improved: faster, by the mirror of it.
    """

    estimate: float
    low: float
    high: float
    p: float
    se: float
    df: float
    mde: float
    ranked: bool
    provisional: bool
    relative: bool
    regressed: bool
    improved: bool


def screen(runs: Runs, spread: Spread, y_new: float, *, shift: Shift | None = None) -> float:
    """Return p of one run: the chance of one this slow or slower where nothing changed.

    Suspected slower: p <= rule.screen_p. Suspected faster, to whoever confirms improvements: p >= 1 - rule.screen_p.
    """
    return float(compare(reference(runs, spread, shift), np.array([y_new])).p)


def confirm(runs: Runs, spread: Spread, fresh: Array, rule: Rule, *, shift: Shift | None = None) -> Change:
    """Judge fresh runs of one session against a baseline.

    Args:
        runs: the baseline entry.
        spread: the device's spread.
        fresh: (K,) y of the fresh runs; the screening run is not among them.
        rule: what is asked.
        shift: the session's, from the eighth test on.
    """
    held = reference(runs, spread, shift)
    slower, faster = hold(held, fresh), hold(held.mirrored(), -fresh)
    compared = slower.mean
    return Change(
        estimate=float(compared.estimate),
        low=float(slower.lower_end(_TAIL_OF_95)),
        high=float(compared.estimate + compared.critical(_TAIL_OF_95)),
        p=float(slower.p),
        se=float(compared.se),
        df=float(compared.df),
        mde=minimum_detectable_effect(runs, spread, rule, shift=shift),
        ranked=bool(compared.above > 0),
        provisional=runs.sessions < FIRM_SESSIONS,
        relative=held.shift is not None,
        regressed=bool(slower.margin(rule) > 0),
        improved=bool(faster.margin(rule) > 0),
    )
