"""The minimum detectable effect: the change at which the whole rule would fire in 80 % of cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pytest_infer.stats.knowledge import predicted_common_variance, predicted_session_variance, run_variance
from pytest_infer.stats.reference import Reference, reference
from pytest_infer.stats.rule import Rule, whole_margin

if TYPE_CHECKING:
    from pytest_infer.stats.moderation import Variance
    from pytest_infer.stats.runs import Array, Runs
    from pytest_infer.stats.shift import Shift
    from pytest_infer.stats.spread import Spread

POWER: Final = 0.8
_BEYOND: Final = 50.0  # log units: a change of e^50 and one beyond it are the same news, and both are finite
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
    held = reference(runs, spread, shift)
    return float(detectable(null_margins(held, rule, np.random.default_rng(seed)), rule))


def detectable(margins: Array, rule: Rule) -> Array:
    """(...) the minimum detectable effect that `null_margins` (draws, ...) amount to, as a fraction."""
    change = np.minimum(np.quantile(-margins, POWER, axis=0), _BEYOND)
    return np.maximum(np.expm1(change), rule.max_regression)


def null_margins(held: Reference, rule: Rule, random: np.random.Generator, draws: int = DRAWS) -> Array:
    """(draws, ...) the whole rule's margins where nothing changed, variances as uncertain as they are known."""
    shape = (draws, *held.baseline.mean.shape)
    known = run_variance(held, 0.0, 0)
    run = _draw(random, known, shape)
    session = _draw(random, predicted_session_variance(held, known), shape)
    session = np.maximum(session - run / held.spread.session_runs, 0.0)
    if held.shift is None:
        session = session + _draw(random, predicted_common_variance(held.spread), shape)
    return drawn_margins(held, rule, random, run=run, session=session)


def drawn_margins(held: Reference, rule: Rule, random: np.random.Generator, *, run: Array, session: Array) -> Array:
    """The whole rule's margins on runs drawn around a baseline, where nothing changed; positive: a false alarm.

    Args:
        held: the baseline (...) of one or many devices.
        rule: what is asked.
        random: source of the draws.
        run: (draws, ...) true variance of runs.
        session: (draws, ...) true variance of sessions, as far as a shift does not take it out.
    """
    error = np.zeros(()) if held.shift is None else np.square(np.asarray(held.shift.se))
    # The baseline's own error, this session's effect and the shift's error move screen and fresh runs alike.
    together = np.sqrt(held.baseline.run_weight * run + held.baseline.session_weight * session + error)
    level = held.level + together * random.standard_normal(run.shape)
    y = level[..., None] + np.sqrt(run)[..., None] * random.standard_normal((*run.shape, 1 + rule.confirm))
    return whole_margin(held, y, rule)


def _draw(random: np.random.Generator, known: Variance, shape: tuple[int, ...]) -> Array:
    return np.asarray(known.value * known.df / random.chisquare(np.broadcast_to(known.df, shape)))
