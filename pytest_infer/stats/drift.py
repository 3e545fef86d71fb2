"""Slow drift: one percent an update would creep forever past a gate that only knows the latest baseline."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_infer.stats.gate import Change, confirm
from pytest_infer.stats.rule import FIRM_SESSIONS, Rule

if TYPE_CHECKING:
    from pytest_infer.stats.runs import Array, Runs
    from pytest_infer.stats.shift import Shift
    from pytest_infer.stats.spread import Spread


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
    return replace(confirm(runs.oldest(), spread, fresh, rule, shift=shift), provisional=runs.sessions < FIRM_SESSIONS)
