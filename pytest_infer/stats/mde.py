"""The minimum detectable effect: the change at which the whole rule would fire in 80 % of cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pytest_infer.stats.comparison import compare
from pytest_infer.stats.knowledge import predicted_common_variance, predicted_session_variance, run_variance
from pytest_infer.stats.rule import Rule, margin, screen_margin
from pytest_infer.stats.runs import Array, Runs, Summary, summarise

if TYPE_CHECKING:
    from pytest_infer.stats.moderation import Variance
    from pytest_infer.stats.shift import Shift
    from pytest_infer.stats.spread import Spread

POWER: Final = 0.8
DRAWS: Final = 4000


def minimum_detectable_effect(
    runs: Runs, spread: Spread, rule: Rule, *, shift: Shift | None = None, seed: int = 0
) -> float:
    """The smallest change, as a fraction, that the whole rule finds in 80 % of cases; never below `max_regression`.

    Screening and fresh runs that nothing slowed are drawn around this baseline: the true level, the session's effect
    and the runs' noise normal, their variances from what is known of each (scaled inverse chi-square). A change moves
    every margin of the rule one to one, so each draw fires from a change of its own on, and the answer is the 80 %
    quantile of those. Screen, alpha, floor and rank are the very functions that judge.

    Args:
        runs: the baseline entry.
        spread: the device's.
        rule: what is asked.
        shift: the session's, to judge relative to it.
        seed: of the draws; the same seed gives the same answer.
    """
    return float(detectable(null_margins(runs, spread, rule, shift, np.random.default_rng(seed)), rule))


def detectable(margins: Array, rule: Rule) -> Array:
    """(...) the minimum detectable effect that `null_margins` (draws, ...) amount to, as a fraction."""
    return np.maximum(np.expm1(np.quantile(-margins, POWER, axis=0)), rule.max_regression)


def null_margins(
    runs: Runs, spread: Spread, rule: Rule, shift: Shift | None, random: np.random.Generator, draws: int = DRAWS
) -> Array:
    """(draws, ...) the whole rule's margins where nothing changed, variances as uncertain as they are known."""
    baseline = summarise(runs)
    shape = (draws, *baseline.mean.shape)
    known = run_variance(baseline, spread, 0.0, 0)
    run = _draw(random, known, shape)
    session = _draw(random, predicted_session_variance(baseline, spread, known, shift), shape)
    session = np.maximum(session - run / spread.session_runs, 0.0)
    if shift is None:
        session = session + _draw(random, predicted_common_variance(spread), shape)
    return drawn_margins(baseline, spread, rule, shift, random, run=run, session=session)


def drawn_margins(
    baseline: Summary,
    spread: Spread,
    rule: Rule,
    shift: Shift | None,
    random: np.random.Generator,
    *,
    run: Array,
    session: Array,
) -> Array:
    """The whole rule's margins on runs drawn around `baseline`, where nothing changed; positive: a false alarm.

    Args:
        baseline: (...) of one or many devices.
        spread: what the rule believes.
        rule: what is asked.
        shift: the session's.
        random: source of the draws.
        run: (draws, ...) true variance of runs.
        session: (draws, ...) true variance of sessions, as far as the shift does not take it out.
    """
    error = np.zeros(()) if shift is None else np.square(np.asarray(shift.se))
    # The baseline's own error, this session's effect and the shift's error move screen and fresh runs alike.
    together = np.sqrt(baseline.run_weight * run + baseline.session_weight * session + error)
    level = baseline.mean + together * random.standard_normal(run.shape) + (0.0 if shift is None else shift.value)
    y = level[..., None] + np.sqrt(run)[..., None] * random.standard_normal((*run.shape, 1 + rule.confirm))
    suspected = screen_margin(baseline, spread, y[..., 0], rule, shift)
    return np.minimum(suspected, margin(compare(baseline, spread, y[..., 1:], shift), rule))


def _draw(random: np.random.Generator, known: Variance, shape: tuple[int, ...]) -> Array:
    return np.asarray(known.value * known.df / random.chisquare(np.broadcast_to(known.df, shape)))
