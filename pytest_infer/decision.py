"""The staged decision of one test: screen, fresh runs where something is suspected, verdict."""

from __future__ import annotations

import math
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
            for suspect in (s for s in suspects if s.open):
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
        if not fresh:  # no process but the suite's own is allowed: what is only suspected can never be shown
            suspect.over = tuple(limit.broken_by(suspect.measurement.metrics[limit.name]) for limit in suspect.limits)
            suspect.changes = tuple(replace(change, detectable=math.inf) for change in suspect.changes)
            return
        suspect.disturbed = tuple(dict.fromkeys(text for run in fresh for text in run.disturbed))
        confirmed: list[str] = []
        for limit in suspect.limits:
            over = [run.metrics[limit.name] for run in fresh if not limit.allows(run.metrics[limit.name])]
            if len(over) == len(fresh):
                confirmed.append(
                    f"{limit.broken_by(min(over) if limit.at_most else max(over))} in {len(fresh)} fresh runs"
                )
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
        outcome, reasons = judge(evidence)
        differs: tuple[str, ...] = ()
        if suspect.entry is not None and outcome is not Outcome.PASSED:
            differs = self._gate.differs(self._nodeid, suspect.entry, measurement)
        return Result(
            nodeid=self._nodeid,
            outcome=outcome,
            failed=fails(
                outcome,
                strict=self._settings.strict,
                require=self._settings.baseline_mode == "require" and not self._settings.update,
            ),
            reasons=reasons,
            measurement=measurement,
            changes=suspect.changes,
            differs=differs,
        )


def _notes(measurement: Measurement) -> str:
    return f" ({'; '.join(measurement.accuracy_notes)})" if measurement.accuracy_notes else ""


def _of(measurement: Measurement, runs: Sequence[tuple[Measurement, ...]]) -> list[Measurement]:
    """The counterparts of one measurement in other runs of its test."""
    return [one for run in runs for one in run if one.name == measurement.name and one.digest == measurement.digest]
