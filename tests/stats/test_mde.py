"""The minimum detectable effect."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_infer.stats.mde import minimum_detectable_effect
from pytest_infer.stats.outlook import outlook
from pytest_infer.stats.rule import Rule
from pytest_infer.stats.runs import Runs
from pytest_infer.stats.shift import Shift
from pytest_infer.stats.spread import GPU, GPU_LOCKED, estimate_spread

CODE = np.repeat(np.arange(3), 5)
ENTRIES = [Runs(y=0.005 * np.random.default_rng(seed).standard_normal(15), session=CODE) for seed in range(20)]
SPREAD = estimate_spread(ENTRIES, GPU)


def test_the_same_question_has_the_same_answer() -> None:
    """Draws are seeded: a verdict can be computed again; another seed gives nearly the same."""
    asked = [minimum_detectable_effect(ENTRIES[0], SPREAD, Rule(), seed=seed) for seed in (0, 0, 1)]
    assert asked[0] == asked[1]
    assert asked[2] == pytest.approx(asked[0], rel=0.1)


@pytest.mark.parametrize("tolerance", [0.02, 0.5])
def test_it_is_never_below_what_is_tolerated(tolerance: float) -> None:
    """A change within the floor never fails, so none such is detectable."""
    assert minimum_detectable_effect(ENTRIES[0], SPREAD, Rule(max_regression=tolerance)) >= tolerance


def test_a_shift_lets_smaller_changes_be_seen() -> None:
    """What sessions do to all tests is taken out."""
    shift = Shift(value=0.0, spread=0.006, count=19)
    relative = minimum_detectable_effect(ENTRIES[0], SPREAD, Rule(), shift=shift)
    assert relative < minimum_detectable_effect(ENTRIES[0], SPREAD, Rule())


def test_the_outlook_says_what_more_sessions_bring() -> None:
    """More sessions, and more tests to take the shift from, make smaller changes visible; alarms stay rare."""
    first, more = (outlook(SPREAD, Rule(), sessions=sessions, runs=5) for sessions in (1, 10))
    relative = outlook(SPREAD, Rule(), sessions=10, runs=5, others=19)
    assert first.mde > more.mde > relative.mde >= 0.02
    assert max(first.false_alarms, more.false_alarms, relative.false_alarms) <= 0.001


def test_the_outlook_knows_quiet_devices() -> None:
    """Locked clocks, as declared: a third of the spread and about a third of the change."""
    quiet, usual = (outlook(estimate_spread([], prior), Rule(), sessions=3, runs=5).mde for prior in (GPU_LOCKED, GPU))
    assert quiet < 0.7 * usual
