"""The staged decision of one test: screen, fresh runs where something is suspected, verdict."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_infer.result import Result
from pytest_infer.verdict import Change, Evidence, Outcome, fails, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_infer.baselines.schema import Entry
    from pytest_infer.budget import Limit
    from pytest_infer.config import Settings
    from pytest_infer.gating import Gate
    from pytest_infer.marker import Request
    from pytest_infer.measurement import Measurement

    Rerun = Callable[[int], list[tuple[Measurement, ...]]]
    """Run the test in that many fresh processes; what each measured."""


@dataclass(slots=True)
class _Suspect:
    """One measurement on its way to a verdict."""

    measurement: Measurement
    entry: Entry | None = None
    changes: tuple[Change, ...] = ()
    limits: tuple[Limit, ...] = ()
    over: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    inaccurate: tuple[str, ...] = ()
    disturbed: tuple[str, ...] = ()
    recorded: tuple[Measurement, ...] = field(default=())

    @property
    def open(self) -> bool:
        """Whether fresh runs are needed: something is suspected, and nothing stronger is known already."""
        if self.disturbed or self.inaccurate or self.over:
            return False
        return bool(self.limits) or any(change.suspected for change in self.changes)


class Decision:
    """Turns one test's measurements into results."""

    def __init__(self, nodeid: str, request: Request, settings: Settings, gate: Gate) -> None:
        """Decide for the test `nodeid` by its budgets, the settings and the session's gate."""
        self._nodeid = nodeid
        self._request = request
        self._settings = settings
        self._gate = gate

    def compare(self, measurements: Sequence[Measurement], rerun: Rerun) -> tuple[Result, ...]:
        """Hold measurements against budgets and baselines; `rerun` makes the fresh runs that a suspicion needs."""
        suspects = [self._screened(m) for m in measurements]
        if any(s.open for s in suspects):
            fresh = rerun(self._settings.confirm)
            for suspect in suspects:
                if suspect.open:
                    self._confirm(suspect, _of(suspect.measurement, fresh))
        return tuple(self._result(s) for s in suspects)

    def record(self, runs: Sequence[tuple[Measurement, ...]]) -> tuple[Result, ...]:
        """Hold a recording's fresh runs against budgets and the baseline that is there; they are saved later."""
        results = []
        for first in runs[0]:
            mine = _of(first, runs)
            suspect = self._screened(first)
            if not (suspect.disturbed or suspect.inaccurate):
                self._confirm(suspect, mine)
            suspect.missing = ()
            result = self._result(suspect)
            results.append(replace(result, recorded=tuple(mine)))
        return tuple(results)

    def _screened(self, measurement: Measurement) -> _Suspect:
        suspect = _Suspect(measurement=measurement, disturbed=measurement.disturbed)
        broken = self._request.budget.inaccuracies(measurement.accuracy)
        suspect.inaccurate = (*measurement.non_finite, *(f"{text}{_notes(measurement)}" for text in broken))
        values = measurement.metrics
        suspect.limits = tuple(
            limit
            for limit in self._request.budget.cost
            if limit.name in values and not limit.allows(values[limit.name])
        )
        if self._settings.baseline_mode == "off" or suspect.disturbed or suspect.inaccurate:
            return suspect
        suspect.entry = self._gate.entry(self._nodeid, measurement)
        if suspect.entry is None:
            suspect.missing = (self._gate.no_baseline(self._nodeid, measurement),)
        else:
            entry = suspect.entry
            suspect.changes = tuple(
                change
                for metric in self._request.gate
                for change in self._gate.screen(entry, measurement, metric, self._request.max_regression)
            )
        return suspect

    def _confirm(self, suspect: _Suspect, fresh: Sequence[Measurement]) -> None:
        suspect.disturbed = tuple(dict.fromkeys(text for run in fresh for text in run.disturbed))
        confirmed: list[str] = []
        for limit in suspect.limits:
            over = [run.metrics[limit.name] for run in fresh if not limit.allows(run.metrics[limit.name])]
            if len(over) == len(fresh):
                confirmed.append(f"{limit.broken_by(suspect.measurement.metrics[limit.name])} (and in {len(fresh)} fresh runs)")
        suspect.over = tuple(confirmed)
        if suspect.entry is not None:
            entry = suspect.entry
            suspect.changes = tuple(
                change
                for metric in self._request.gate
                for change in self._gate.confirm(entry, fresh, metric, self._request.max_regression)
            )

    def _result(self, suspect: _Suspect) -> Result:
        measurement = suspect.measurement
        evidence = Evidence(
            disturbed=suspect.disturbed,
            inaccurate=suspect.inaccurate,
            over_budget=suspect.over,
            changes=suspect.changes,
            no_baseline=suspect.missing,
        )
        outcome = judge(evidence)
        differs = ()
        if suspect.entry is not None and outcome is not Outcome.PASSED:
            differs = self._gate.differs(self._nodeid, suspect.entry, measurement)
        return Result(
            nodeid=self._nodeid,
            outcome=outcome,
            failed=fails(
                outcome, strict=self._settings.strict, require=self._settings.baseline_mode == "require" and not self._settings.update
            ),
            reasons=_reasons(outcome, evidence),
            measurement=measurement,
            changes=suspect.changes,
            differs=differs,
        )


def _reasons(outcome: Outcome, evidence: Evidence) -> tuple[str, ...]:
    match outcome:
        case Outcome.INVALID:
            return evidence.disturbed
        case Outcome.INACCURATE:
            return evidence.inaccurate
        case Outcome.OVER_BUDGET:
            return evidence.over_budget
        case Outcome.NO_BASELINE:
            return evidence.no_baseline
        case Outcome.REGRESSED:
            return tuple(sentence(change) for change in evidence.changes if change.regressed)
        case Outcome.IMPROVED:
            return tuple(
                f"{sentence(change)}; the baseline guards the old speed: record it with --infer-update-baselines=reset"
                for change in evidence.changes
                if change.improved
            )
        case Outcome.INCONCLUSIVE:
            return tuple(
                f"{sentence(change)}: a change of {change.tolerance:.1%} could not have been told from noise"
                for change in evidence.changes
                if change.suspected and change.blind
            )
        case _:
            return ()


def sentence(change: Change) -> str:
    """One metric's change in words, with its interval and what could have been seen."""
    word = "worse" if change.estimate >= 0 else "better"
    against = "the oldest accepted session" if change.against == "anchor" else "the baseline"
    return (
        f"{change.metric} {change.current:.4g} {change.unit} is {abs(change.estimate):.1%} {word} than {against}'s "
        f"{change.baseline:.4g} {change.unit} (95 % interval {change.low:+.1%} to {change.high:+.1%}, p = {change.p:.2g}, "
        f"detectable {change.detectable:+.1%}, {change.runs} runs of {change.sessions} session(s)"
        f"{', provisional' if change.provisional else ''})"
    )


def _notes(measurement: Measurement) -> str:
    return f" ({'; '.join(measurement.accuracy_notes)})" if measurement.accuracy_notes else ""


def _of(measurement: Measurement, runs: Sequence[tuple[Measurement, ...]]) -> list[Measurement]:
    """The counterparts of one measurement in other runs of its test."""
    return [one for run in runs for one in run if one.name == measurement.name and one.digest == measurement.digest]
