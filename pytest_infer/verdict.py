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


_TENFOLD = 9.0


def percent(fraction: float) -> str:
    """A change as people read it: in percent with its sign, from tenfold on as a factor."""
    return f"{fraction:+.1%}" if fraction < _TENFOLD else f"x {1.0 + fraction:.4g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A metric against its baseline. Relative, and larger is always worse: 0.05 is 5 % slower, or 5 % less throughput.

    Attributes:
        metric: its name.
        estimate: the change; `low` to `high` is its 95 % interval.
        p: of the one-sided test that it is worse.
        detectable: the change at which this rule would fire in 80 % of cases (minimum detectable effect); None where
            nothing could have been seen.
        regressed: the rule fired; `improved`: its mirror did; `suspected`: the screen fired.
        provisional: the baseline has fewer than three sessions.
        baseline: the baseline's value, and `current` this run's (or the confirming runs' geometric mean), in the
            metric's unit.
        runs, sessions: how much the baseline holds; `confirmed`: how many fresh runs confirmed.
        shift: what the whole session is off by, where the change is relative to it (a fraction).
        blind: noise hides a change of the tolerance's size. An interleaved comparison is so only while it is undecided:
            it goes on until it is not, or time is over, and so is inconclusive then.
        against: `baseline`, `anchor` when it is the oldest accepted session that is compared with, or `other` when it
            is the other side of an interleaved comparison (then `runs` are its rounds), called `other`.
    """

    metric: str
    unit: str
    estimate: float
    low: float
    high: float
    p: float
    detectable: float | None
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
    blind: bool
    shift: float | None = None
    against: str = "baseline"
    other: str = ""

    @property
    def scattered(self) -> bool:
        """Fresh runs show more than the rule finds in 80 % of cases, and it was not found: they lie too far apart."""
        seen = not self.regressed and not self.other and self.detectable is not None
        return seen and self.confirmed > 0 and self.estimate > (self.detectable or 0.0)

    @property
    def in_doubt(self) -> bool:
        """Whether it is not known if this is slower: a suspicion on a noisy device, or fresh runs that disagree."""
        return self.scattered or (self.blind and (self.suspected or bool(self.other)))

    @property
    def sees_nothing(self) -> bool:
        """Whether a change must be tenfold to be seen."""
        return self.detectable is not None and self.detectable >= _TENFOLD

    @property
    def detectable_text(self) -> str:
        """The detectable change as people read it."""
        if self.detectable is None:
            return "nothing"
        return "more than tenfold" if self.sees_nothing else f"{self.detectable:+.1%}"

    @property
    def interval_text(self) -> str:
        """The interval as people read it."""
        return f"{percent(self.low)} to {percent(self.high)}"

    def __str__(self) -> str:
        """The change in words, with its interval and what could have been seen."""
        word = "worse" if self.estimate >= 0 else "better"
        than = {"anchor": "the oldest accepted session", "other": self.other}.get(self.against, "the baseline")
        firm = ", provisional" if self.provisional else ""
        of = f"{self.runs} rounds" if self.other else f"{self.runs} runs of {self.sessions} session(s)"
        shifted = "" if self.shift is None else f", relative to the whole session's {self.shift:+.1%}"
        return (
            f"{self.metric} {self.current:.4g} {self.unit} is {abs(self.estimate):.1%} {word} than {than}'s "
            f"{self.baseline:.4g} {self.unit} (95 % interval {self.interval_text}, p = {self.p:.2g}, "
            f"detectable {self.detectable_text}, {of}{firm}"
            f"{shifted})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that a verdict rests on; each tuple holds sentences and is empty where nothing is wrong."""

    disturbed: tuple[str, ...] = ()
    inaccurate: tuple[str, ...] = ()
    over_budget: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    undecided: tuple[str, ...] = ()
    no_baseline: tuple[str, ...] = ()


def judge(evidence: Evidence) -> tuple[Outcome, tuple[str, ...]]:
    """The outcome and its reasons: the first line of this ladder that holds anything.

    What makes figures worthless comes first, good news last.
    """
    changes = evidence.changes
    ladder = (
        (Outcome.INVALID, evidence.disturbed),
        (Outcome.INACCURATE, evidence.inaccurate),
        (Outcome.OVER_BUDGET, evidence.over_budget),
        (Outcome.REGRESSED, tuple(str(c) for c in changes if c.regressed)),
        (
            Outcome.INCONCLUSIVE,
            (*evidence.undecided, *(_doubt(c) for c in changes if c.in_doubt)),
        ),
        (Outcome.NO_BASELINE, evidence.no_baseline),
        (Outcome.IMPROVED, tuple(str(c) for c in changes if c.improved)),
    )
    return next(((outcome, reasons) for outcome, reasons in ladder if reasons), (Outcome.PASSED, ()))


def _doubt(change: Change) -> str:
    if change.scattered:
        return f"{change}; slower than that by its {change.confirmed} fresh runs, which lie too far apart to prove it"
    shown_by = "comparison" if change.other else "baseline"
    what = "neither slower nor as fast beyond doubt"
    if change.suspected:
        fresh = f"{change.confirmed} fresh ones leave it open" if change.confirmed else "no fresh ones could be asked"
        what = "not beyond doubt" if change.other else f"a run looked slower, and {fresh}"
    if change.detectable is None:
        return f"{change}; {what}: one run alone proves nothing"
    more = "only" if change.sees_nothing else "and more"
    return f"{change}; {what}: this {shown_by} can show {change.detectable_text} {more}"


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
