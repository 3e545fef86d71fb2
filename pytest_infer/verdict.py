"""Outcome and verdict: the rule by which a test passes or fails, pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What came of a measurement, in the order of precedence when several hold."""

    INVALID = "invalid"
    INACCURATE = "inaccurate"
    OVER_BUDGET = "over_budget"
    REGRESSED = "regressed"
    INCONCLUSIVE = "inconclusive"
    NO_BASELINE = "no_baseline"
    IMPROVED = "improved"
    PASSED = "passed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A metric against its baseline. Relative, and larger is always worse: 0.05 is 5 % slower, or 5 % less throughput.

    Attributes:
        metric: its name.
        estimate: the change; `low` to `high` is its interval at level 1 - alpha.
        p: of the one-sided test that it is worse.
        detectable: the change at which this rule would fire in 80 % of cases (minimum detectable effect).
        regressed: the rule fired; `improved`: its mirror did; `suspected`: the screen fired.
        provisional: the baseline has fewer than three sessions.
        baseline: the baseline's value, and `current` this run's (or the confirming runs' geometric mean), in the
            metric's unit.
        runs, sessions: how much the baseline holds; `confirmed`: how many fresh runs confirmed.
        against: `baseline`, or `anchor` when it is the oldest accepted session that is compared with.
    """

    metric: str
    unit: str
    estimate: float
    low: float
    high: float
    p: float
    detectable: float
    tolerance: float
    regressed: bool
    improved: bool
    suspected: bool
    provisional: bool
    baseline: float
    current: float
    runs: int
    sessions: int
    confirmed: int
    against: str = "baseline"

    @property
    def blind(self) -> bool:
        """Whether a change of the tolerance's size could not have been seen."""
        return self.detectable > self.tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that a verdict rests on; each tuple holds sentences and is empty where nothing is wrong."""

    disturbed: tuple[str, ...] = ()
    inaccurate: tuple[str, ...] = ()
    over_budget: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    no_baseline: tuple[str, ...] = ()


def judge(evidence: Evidence) -> Outcome:
    """The outcome, by the order that the design gives: what makes figures worthless first, good news last."""
    changes = evidence.changes
    if evidence.disturbed:
        return Outcome.INVALID
    if evidence.inaccurate:
        return Outcome.INACCURATE
    if evidence.over_budget:
        return Outcome.OVER_BUDGET
    if any(change.regressed for change in changes):
        return Outcome.REGRESSED
    if any(change.suspected and change.blind for change in changes):
        return Outcome.INCONCLUSIVE
    if evidence.no_baseline:
        return Outcome.NO_BASELINE
    if any(change.improved for change in changes):
        return Outcome.IMPROVED
    return Outcome.PASSED


def fails(outcome: Outcome, *, strict: bool, require: bool) -> bool:
    """Whether a test with this outcome fails; `strict` is `--infer-strict`, `require` the baseline mode."""
    match outcome:
        case Outcome.INACCURATE | Outcome.OVER_BUDGET | Outcome.REGRESSED:
            return True
        case Outcome.INCONCLUSIVE | Outcome.INVALID:
            return strict
        case Outcome.NO_BASELINE:
            return require
        case _:
            return False
