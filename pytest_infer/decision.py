"""The staged decision of one test: screen, fresh runs where something is suspected, verdict."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from pytest_infer.device.cpu_state import disturbed_runs, excuses, outnumbered
from pytest_infer.errors import MeasurementError
from pytest_infer.metrics import METRICS
from pytest_infer.result import Compared, Result
from pytest_infer.stats import repeats
from pytest_infer.stats.standing import Standing
from pytest_infer.tolerances import default_inaccuracies
from pytest_infer.verdict import Change, Evidence, Outcome, fails, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_infer.baselines.schema import Entry
    from pytest_infer.budget import Limit
    from pytest_infer.config import Settings
    from pytest_infer.gating import Gate
    from pytest_infer.marker import Request
    from pytest_infer.measurement import Measurement
    from pytest_infer.result import AcceptedRun

    Rerun = Callable[[int], list[tuple[Measurement, ...]]]
    """Run the test in that many fresh processes; what each measured. Empty where no other process is allowed."""
    Interleave = Callable[[], Mapping[str, Compared]]
    """Compare the test with the other side; what is to be said of each measurement, by name."""


_REPEATS: Final = 2
"""How often runs that something else than the code may have slowed are made again, before they stand as they are."""


_ENOUGH: Final = 2
"""So many fresh runs without an excuse can break a budget by themselves."""
_BESIDE: Final = frozenset({"build", "load"})
"""Metrics that are over before the machine is watched."""
_GREEN: Final = frozenset({Outcome.PASSED, Outcome.IMPROVED, Outcome.NO_BASELINE})


UNLIKE_P: Final = 0.005
"""A run so much faster than its baseline that this is its chance is not like the recorded ones: a suite's process may
be another world (a thread pool that some other test has set up), in which slower code looks fast. So fresh runs are
asked, as about a slow one; that adds to the level this share of their own."""


@dataclass(slots=True)
class _Suspect:
    """One measurement on its way to a verdict.

    `doubted` are the changes, by metric and what they are against, that fresh runs are asked about, `near` budgets that
    one run can't decide, `refuted` those of them that it alone breaks, `crowded` those that it or the fresh ones break
    while others took the CPU, `again` the fresh runs that something else than the code may have slowed, `scattered` why
    a recording's own runs are no baseline.
    """

    measurement: Measurement
    entry: Entry | None = None
    changes: tuple[Change, ...] = ()
    doubted: frozenset[tuple[str, str]] = frozenset()
    near: tuple[Limit, ...] = ()
    over: tuple[str, ...] = ()
    crowded: tuple[str, ...] = ()
    refuted: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    inaccurate: tuple[str, ...] = ()
    disturbed: tuple[str, ...] = ()
    scattered: tuple[str, ...] = ()
    again: frozenset[int] = frozenset()
    compared: Compared = field(default_factory=Compared)

    @property
    def settled(self) -> bool:
        """Whether nothing that is still to be asked could change the verdict."""
        return bool(self.disturbed or self.inaccurate or self.over)

    @property
    def open(self) -> bool:
        """Whether fresh runs are needed: something is in doubt, and nothing stronger is known already."""
        return not self.settled and bool(self.near or self.doubted)


class Decision:
    """Turns one test's measurements into results."""

    def __init__(
        self, nodeid: str, request: Request, settings: Settings, gate: Gate, *, key: str | None = None
    ) -> None:
        """Decide for the test `nodeid` by its budgets, the settings and the session's gate; baselines know it as `key`.

        The two differ where a test runs once on each of several GPUs.
        """
        self._reported = nodeid
        self._nodeid = nodeid if key is None else key
        self._request = request
        self._settings = settings
        self._gate = gate

    def compare(
        self, measurements: Sequence[Measurement], rerun: Rerun, interleave: Interleave | None = None
    ) -> tuple[Result, ...]:
        """Hold measurements against budgets and baselines; `rerun` makes the fresh runs that a suspicion needs.

        Where there is another side, `interleave` compares with that, and no baseline is looked at.
        """
        suspects = [self._screened(m) for m in measurements]
        doubted = [s for s in suspects if s.open]
        fresh = rerun(self._settings.confirm) if doubted else []
        for attempt in range(1 + _REPEATS):
            for suspect in doubted:
                if fresh:
                    self._confirm(suspect, _of(suspect.measurement, fresh))
                else:
                    _give_up(suspect)
            again = {i for suspect in doubted for i in suspect.again}
            if not again or attempt == _REPEATS:
                break
            fresh = [run for i, run in enumerate(fresh) if i not in again] + rerun(len(again))
        if interleave is not None and not self._request.budget.cost:
            for suspect in suspects:  # the comparison watches for disturbance itself
                suspect.disturbed = ()
        if interleave is not None and not all(s.settled for s in suspects):
            compared = interleave()
            for suspect in suspects:
                suspect.compared = compared[suspect.measurement.name]
        return tuple(self._result(s) for s in suspects)

    def record(self, rerun: Rerun) -> tuple[Result, ...]:
        """Record fresh runs, and hold them against budgets and the baseline that is there; they are saved later."""
        runs = rerun(self._settings.runs)
        for attempt in range(_REPEATS):
            odd = (self._odd(_of(measurement, runs), stands_out=not attempt) for measurement in runs[0])
            again = sorted({i for some in odd for i in some})
            for i in again:
                runs[i] = rerun(1)[0]
            if not again:
                break
        results = []
        for measurement in runs[0]:
            mine = _of(measurement, runs)
            suspect = self._screened(measurement)
            suspect.missing = ()
            # A metric that is new to the baseline is what a recording brings; what is known is judged by all runs.
            suspect.near = tuple(limit for limit in self._request.budget.cost if limit.name in measurement.metrics)
            suspect.over = ()
            suspect.changes = self._confirmed(suspect, mine, self._request.gate)
            self._confirm_rest(suspect, mine)
            suspect.refuted = ()  # it is one of those that refute it
            suspect.scattered = tuple(text for metric in self._request.gate if (text := scattered(metric, mine)))
            results.append(replace(self._result(suspect), recorded=tuple(mine)))
        return tuple(results)

    def _odd(self, recorded: Sequence[Measurement], *, stands_out: bool) -> tuple[int, ...]:
        """Which runs of a recording were disturbed as the others were not, lie tenfold off, or, if asked, stand out.

        It is asked once: whoever goes on until nothing stands out has picked his runs.
        """
        values = [run.metrics.get("latency", 0.0) for run in recorded]
        lone = self._gate.stand_outs(values, "latency") if stands_out else []
        return (*lone, *repeats.far_off(values), *disturbed_runs([run.contention for run in recorded]))

    def _screened(self, measurement: Measurement) -> _Suspect:
        request, values = self._request, measurement.metrics
        suspect = _Suspect(measurement=measurement, disturbed=measurement.disturbed)
        suspect.inaccurate = inaccuracies(request, measurement)
        if suspect.disturbed or suspect.inaccurate:
            return suspect
        held = [limit for limit in request.budget.cost if limit.name in values]
        limits = [(limit, self._gate.standing(limit, values[limit.name])) for limit in held]
        over = [limit for limit, at in limits if at is Standing.OVER and _watched(limit, measurement)]
        suspect.over = tuple(limit.broken_by(values[limit.name]) for limit in over)
        suspect.near = tuple(limit for limit, at in limits if at is not Standing.WITHIN and limit not in over)
        if self._settings.baseline_mode == "off" or self._settings.against:
            return suspect
        suspect.entry = self._gate.entry(self._nodeid, measurement)
        if suspect.entry is None:
            suspect.missing = (self._gate.no_baseline(self._nodeid, measurement),)
            return suspect
        for metric in request.gate:
            changes = self._gate.screen(self._nodeid, suspect.entry, measurement, metric, request.max_regression)
            suspect.changes += changes
            if not changes:
                suspect.missing += (f"{metric} can't be compared: the baseline or this run has none; record anew",)
        suspect.doubted = frozenset(
            (change.metric, change.against)
            for change in suspect.changes
            if change.suspected or change.p >= 1 - UNLIKE_P
        )
        return suspect

    def _confirm(self, suspect: _Suspect, fresh: Sequence[Measurement]) -> None:
        """Judge what is in doubt by fresh runs alone; the rest stays as the screen saw it. A suspicion stays one."""
        metrics = tuple(dict.fromkeys(c.metric for c in suspect.changes if (c.metric, c.against) in suspect.doubted))
        confirmed = {(c.metric, c.against): c for c in self._confirmed(suspect, fresh, metrics)}
        judged = {key: change for key, change in confirmed.items() if key in suspect.doubted}
        changes = [(c, judged.get((c.metric, c.against), c)) for c in suspect.changes]
        suspect.changes = tuple(replace(new, suspected=old.suspected or new.suspected) for old, new in changes)
        self._confirm_rest(suspect, fresh)
        suspect.again = frozenset(self._again(suspect, fresh))

    def _again(self, suspect: _Suspect, fresh: Sequence[Measurement]) -> Iterator[int]:
        """Which fresh runs of what still looks slower the machine may have slowed, or stand out from the others."""
        if suspect.crowded:
            yield from (i for i, run in enumerate(fresh) if any(_outnumbered(limit, run) for limit in suspect.near))
        slower = [c for c in suspect.changes if c.suspected and c.estimate > c.tolerance]
        if suspect.entry is None or not slower:
            return
        known, shown = [run.contention for run in suspect.entry.runs], [c.estimate for c in slower if c.regressed]
        if any(METRICS[change.metric].hosted for change in slower):
            yield from (i for i, run in enumerate(fresh) if excuses(run.contention, known, max(shown, default=0.0)))
        if not shown:
            for metric in {change.metric for change in slower}:
                yield from self._gate.stand_outs([run.metrics[metric] for run in fresh], metric, slow_only=True)

    def _confirmed(self, suspect: _Suspect, fresh: Sequence[Measurement], metrics: Sequence[str]) -> tuple[Change, ...]:
        if suspect.entry is None:
            return ()
        entry, tolerance = suspect.entry, self._request.max_regression
        return tuple(c for m in metrics for c in self._gate.confirm(self._nodeid, entry, fresh, m, tolerance))

    def _confirm_rest(self, suspect: _Suspect, fresh: Sequence[Measurement]) -> None:
        disturbed = [text for run in fresh for text in (*run.disturbed, *self._excuses(suspect, run))]
        unbelieved = [f"not believed: {change}" for change in suspect.changes if change.regressed and disturbed]
        suspect.disturbed = tuple(dict.fromkeys((*disturbed, *unbelieved)))
        suspect.inaccurate = tuple(dict.fromkeys(t for run in fresh for t in inaccuracies(self._request, run)))
        held = [(limit, *self._held(limit, fresh)) for limit in suspect.near]
        suspect.over, suspect.crowded = _believed([(text, excuses) for _, text, excuses in held if text is not None])
        seen = suspect.measurement.metrics
        suspect.refuted = tuple(
            f"{limit.broken_by(seen[limit.name])} in this run, and {len(fresh)} fresh ones don't confirm it"
            for limit, text, _ in held
            if text is None and not limit.allows(seen[limit.name])
        )

    def _held(self, limit: Limit, fresh: Sequence[Measurement]) -> tuple[str | None, tuple[str, ...]]:
        """How fresh runs break a budget, if they do, and what excuses it: those that nothing excuses are enough."""
        clean = [run for run in fresh if not _outnumbered(limit, run)]
        judged = clean if len(clean) >= min(_ENOUGH, len(fresh)) else fresh
        text = self._gate.over(limit, [run.metrics[limit.name] for run in judged])
        return text, tuple(line for run in judged for line in _outnumbered(limit, run))

    def _excuses(self, suspect: _Suspect, fresh: Measurement) -> tuple[str, ...]:
        """Why a run is slower without the code's doing. Of what no CPU moves, worse is worse whatever else ran."""
        regressed = [change for change in suspect.changes if change.regressed]
        if suspect.entry is None or not regressed or not all(METRICS[change.metric].hosted for change in regressed):
            return ()
        known = [run.contention for run in suspect.entry.runs]
        return excuses(fresh.contention, known, max(change.estimate for change in regressed))

    def _result(self, suspect: _Suspect) -> Result:
        compared = suspect.compared
        changes = (*suspect.changes, *compared.changes)
        missing = (*suspect.missing, *compared.missing)
        settings = self._settings
        require = settings.baseline_mode == "require" and not settings.update
        failing = suspect.over or suspect.inaccurate or any(c.regressed for c in changes) or (require and missing)
        crowded = () if failing else suspect.crowded  # a budget that can't be told hides nothing that fails
        outcome, reasons = judge(
            Evidence(
                disturbed=(*suspect.disturbed, *compared.disturbed, *crowded),
                inaccurate=suspect.inaccurate,
                over_budget=suspect.over,
                changes=changes,
                undecided=(*suspect.scattered, *compared.undecided),
                no_baseline=missing,
            )
        )
        differs = compared.differs
        history: tuple[AcceptedRun, ...] = ()
        if suspect.entry is not None:
            history = self._gate.history(self._nodeid, suspect.entry)
            tell = self._gate.clocks_differ if outcome is Outcome.PASSED else self._gate.differs
            differs = tell(self._nodeid, suspect.entry, suspect.measurement)
        failed = fails(outcome, strict=settings.strict, require=require)
        return Result(
            nodeid=self._reported,
            outcome=outcome,
            failed=failed and not (outcome is Outcome.REGRESSED and settings.force),  # the user accepts it
            reasons=reasons,
            cleared=suspect.refuted if outcome in _GREEN else (),
            measurement=suspect.measurement,
            changes=changes,
            differs=differs,
            ratio=self._gate.ratio(self._nodeid, suspect.measurement.name),
            against=settings.against,
            history=history,
            rounds=compared.rounds,
            held=tuple(limit.name for limit in self._request.budget.accuracy) or ("cosine",),
        )


def inaccuracies(request: Request, measurement: Measurement) -> tuple[str, ...]:
    """How a measurement's outputs are not finite, or break the accuracy budgets that a test asks for."""
    notes = f" ({'; '.join(measurement.accuracy_notes)})" if measurement.accuracy_notes else ""
    if request.budget.accuracy:
        broken = request.budget.inaccuracies(measurement.accuracy)
    else:
        broken = default_inaccuracies(measurement.accuracy, measurement.workload.get("precision"))
    return (*measurement.non_finite, *(f"{text}{notes}" for text in broken))


def scattered(metric: str, recorded: Sequence[Measurement]) -> str | None:
    """Why runs of a recording that lie tenfold apart make no baseline, by the metric; None where they don't."""
    values = [run.metrics[metric] for run in recorded if metric in run.metrics]
    if len(values) < len(recorded) or min(values) <= 0 or max(values) < repeats.TENFOLD * min(values):
        return None
    return (
        f"{metric}: the {len(values)} runs of this recording lie from {min(values):.4g} to {max(values):.4g} "
        f"{METRICS[metric].unit}, and no change could be seen with such a baseline: record again when the machine is "
        "quiet, or take them as they are by --infer-update-baselines=reset"
    )


def _give_up(suspect: _Suspect) -> None:
    """No process but the suite's own is allowed (--infer-isolate=never): a suspicion stays one, a budget is as seen."""
    values = suspect.measurement.metrics
    broken = [limit for limit in suspect.near if not limit.allows(values[limit.name])]
    suspect.over, suspect.crowded = _believed(
        [(li.broken_by(values[li.name]), _outnumbered(li, suspect.measurement)) for li in broken]
    )
    suspect.changes = tuple(replace(c, detectable=None, blind=True) if c.suspected else c for c in suspect.changes)


def _watched(limit: Limit, measurement: Measurement) -> bool:
    """Whether one run may break a budget beyond doubt: nothing else ran, and it was looked at whether it did."""
    whole = limit.name in METRICS and limit.name not in _BESIDE
    return whole and not _outnumbered(limit, measurement)


def _outnumbered(limit: Limit, run: Measurement) -> tuple[str, ...]:
    """Why a run may break a budget without the code's doing: others had the CPU. Nothing excuses what no CPU moves."""
    if limit.name in _BESIDE or (limit.name in METRICS and not METRICS[limit.name].hosted):
        return ()
    return outnumbered(run.contention, limit.exceeded(run.metrics[limit.name]))


def _believed(broken: Sequence[tuple[str, tuple[str, ...]]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of sentences with what excuses each, if anything does: those that hold; excuses and what is not believed then."""
    over = tuple(text for text, excuses in broken if not excuses)
    doubted = [line for text, excuses in broken if excuses for line in (*excuses, f"not believed: {text}")]
    return over, tuple(dict.fromkeys(doubted))


def _of(measurement: Measurement, runs: Sequence[tuple[Measurement, ...]]) -> list[Measurement]:
    """The counterparts of one measurement in other runs of its test.

    Raises:
        MeasurementError: a run measured something else.
    """
    mine = [one for run in runs for one in run if one.name == measurement.name and one.digest == measurement.digest]
    if len(mine) != len(runs):
        raise MeasurementError(
            f"{len(runs) - len(mine)} of {len(runs)} fresh processes did not measure {measurement.name or 'the engine'}"
            f" like this one (workload {measurement.digest}): does the test depend on its process?"
        )
    return mine
