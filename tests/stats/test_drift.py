"""Slow drift."""

from __future__ import annotations

import numpy as np

from pytest_infer.stats.drift import drift
from pytest_infer.stats.gate import confirm
from pytest_infer.stats.rule import Rule
from pytest_infer.stats.runs import Runs
from pytest_infer.stats.spread import GPU_LOCKED, estimate_spread

CODE = np.repeat(np.arange(10), 2)


def creeping(step: float) -> Runs:
    """Ten accepted sessions, each slower by `step` than the one before."""
    return Runs(y=step * CODE + 0.001 * np.random.default_rng(1).standard_normal(CODE.size), session=CODE)


def test_one_percent_an_update_is_caught_against_the_anchor() -> None:
    """The baseline as a whole has crept along; its oldest session has not."""
    steady = [
        Runs(y=0.001 * np.random.default_rng(seed).standard_normal(CODE.size), session=CODE) for seed in range(2, 12)
    ]
    spread = estimate_spread(steady, GPU_LOCKED)
    fresh = np.array([0.1, 0.101, 0.099])
    found = drift(creeping(0.01), spread, fresh, Rule())
    assert found is not None
    assert found.regressed
    assert not found.provisional
    assert found.estimate > confirm(creeping(0.01), spread, fresh, Rule()).estimate


def test_a_baseline_of_one_session_has_no_anchor_but_itself() -> None:
    """It is compared once, not twice."""
    runs = Runs(y=np.zeros(5), session=np.zeros(5, dtype=np.intp))
    assert drift(runs, estimate_spread([runs], GPU_LOCKED), np.zeros(3), Rule()) is None
