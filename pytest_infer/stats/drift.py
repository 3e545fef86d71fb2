"""Slow drift: one percent an update would creep forever past a gate that only knows the latest baseline."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pytest_infer.stats.gate import Change, confirm
from pytest_infer.stats.spread import FIRM_SESSIONS

if TYPE_CHECKING:
    from pytest_infer.stats.rule import Rule
    from pytest_infer.stats.runs import Array, Runs
    from pytest_infer.stats.shift import Shift
    from pytest_infer.stats.spread import Spread


SHARE: Final = 0.25
"""Of the level: the gate is asked twice then, and both together must keep what one is held to
(tests/statistical/test_false_alarms.py; with the whole level, spreads wrong by a factor of two fail 1 %)."""


def anchored(rule: Rule) -> Rule:
    """What is asked of the oldest session."""
    return replace(rule, alpha=SHARE * rule.alpha)


def drift(runs: Runs, spread: Spread, fresh: Array, rule: Rule, *, shift: Shift | None = None) -> Change | None:
    """The gate once more, against the oldest accepted session alone; None where that is all the baseline holds.

    Relative to a shift, what that session did to all tests is taken out of it as well, so that neither a driver nor the
    weather looks like one test's drift.

    Args:
        runs: the baseline entry, its oldest accepted session first in number.
        spread: the device's.
        fresh: (K,) y of the fresh runs.
        rule: what is asked.
        shift: the session's, from the eighth test on.
    """
    if runs.sessions == 1:
        return None
    found = confirm(runs.oldest(), spread, fresh, anchored(rule), shift=shift)
    return replace(found, provisional=runs.sessions < FIRM_SESSIONS)
