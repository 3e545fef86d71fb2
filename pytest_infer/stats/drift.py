"""Slow drift: one percent an update would creep forever past a gate that only knows the latest baseline."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_infer.stats.gate import Change, confirm
from pytest_infer.stats.rule import FIRM_SESSIONS, Rule

if TYPE_CHECKING:
    from pytest_infer.stats.runs import Array, Runs
    from pytest_infer.stats.spread import Spread


def drift(runs: Runs, spread: Spread, fresh: Array, rule: Rule) -> Change | None:
    """The gate once more, against the oldest accepted session alone; None where that is all the baseline holds.

    The oldest session shares nothing with this one, and the session's shift is taken against whole baselines: so this
    is judged without a shift, with the sessions' common spread in its error.

    Args:
        runs: the baseline entry, its oldest accepted session first in number.
        spread: the device's.
        fresh: (K,) y of the fresh runs.
        rule: what is asked.
    """
    if runs.sessions == 1:
        return None
    return replace(confirm(runs.oldest(), spread, fresh, rule), provisional=runs.sessions < FIRM_SESSIONS)
