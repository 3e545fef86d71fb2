"""What the gate would do on a device with these spreads: its false alarms, and what it could see with more sessions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from pytest_infer.stats.mde import detectable, drawn_margins
from pytest_infer.stats.moderation import Variance
from pytest_infer.stats.reference import reference
from pytest_infer.stats.runs import Runs
from pytest_infer.stats.shift import Shift

if TYPE_CHECKING:
    from pytest_infer.stats.rule import Rule
    from pytest_infer.stats.spread import Spread

DEVICES: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What to expect of the gate.

    Attributes:
        false_alarms: the share of unchanged tests that it fails.
        mde: the change that it finds in 80 % of cases, as a fraction.
    """

    false_alarms: float
    mde: float


def outlook(
    spread: Spread, rule: Rule, *, sessions: int, runs: int, others: int | None = None, seed: int = 0
) -> Outlook:
    """Simulate the whole rule on baselines of `sessions` sessions of `runs` runs each.

    Args:
        spread: the device's, taken for true.
        rule: what is asked.
        sessions: of the baseline; its knowledge of the common spread grows with them.
        runs: in each session.
        others: how many other tests the session's shift is taken from; None: judged without one.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)
    code = np.repeat(np.arange(sessions), runs)
    own, common = float(spread.session_sd), float(spread.common_sd) if others is None else 0.0
    level = np.hypot(own, common) * random.standard_normal((DEVICES, sessions))
    run_sd = float(spread.run_sd)
    baseline = Runs(y=level[:, code] + run_sd * random.standard_normal((DEVICES, code.size)), session=code)
    known = replace(
        spread,
        common=Variance(value=spread.common.value, df=np.maximum(spread.common.df, sessions - 1)).plain(),
        sessions=np.arange(sessions),
        shifts=np.zeros(sessions),
    )
    shift = None
    if others is not None:
        scatter = run_sd**2 * (1.0 + 1.0 / code.size) + own**2 * (1.0 + 1.0 / sessions)
        shift = Shift(value=0.0, spread=math.sqrt(scatter), count=others)
    run, session = np.full((1, DEVICES), run_sd**2), np.full((1, DEVICES), own**2 + common**2)
    margins = drawn_margins(reference(baseline, known, shift), rule, random, run=run, session=session)[0]
    return Outlook(false_alarms=float(np.mean(margins > 0)), mde=float(detectable(margins, rule)))
