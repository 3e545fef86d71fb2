"""Baselines meet statistics: one session's gate on one device."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from pytest_infer.baselines.schema import entry_key, split_nodeid
from pytest_infer.device.clock_lock import CLOCKS, LOCKED
from pytest_infer.device.environment import differences
from pytest_infer.device.fingerprint import Device
from pytest_infer.device.gpu_state import state_differences
from pytest_infer.device.nearest import nearest
from pytest_infer.errors import BaselineError
from pytest_infer.metrics import METRICS, Better
from pytest_infer.result import AcceptedRun
from pytest_infer.stats.budget_interval import budget_confirm, budget_screen
from pytest_infer.stats.drift import anchored, drift
from pytest_infer.stats.gate import confirm, log_ratio, shift_ratio
from pytest_infer.stats.mde import minimum_detectable_effect
from pytest_infer.stats.repeats import stands_out
from pytest_infer.stats.rule import Rule
from pytest_infer.stats.runs import Runs
from pytest_infer.stats.shift import Shift, ordinary, session_shift, shift_p
from pytest_infer.stats.spread import FIRM_SESSIONS, SIZE, Prior, Spread, apart, as_wide_as, declared, estimate_spread
from pytest_infer.stats.standing import Standing
from pytest_infer.verdict import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_infer.baselines.schema import BaselineFile, Entry
    from pytest_infer.baselines.store import BaselineStore
    from pytest_infer.budget import Limit
    from pytest_infer.config import Settings
    from pytest_infer.measurement import Measurement
    from pytest_infer.stats.gate import Change as LogChange

SIZES: Final = frozenset({"engine_size", "device_memory", "host_memory"})
"""Metrics that no clock moves: another prior is believed of them."""
FAMILY_ERROR: Final = 0.05
"""The chance that any test of a session fails falsely stays below this (Bonferroni), however many there are."""
SHIFT_P: Final = 0.01
"""A session's shift is no ordinary one from here on."""
SHIFT_TOLD: Final = 0.02
"""An ordinary one is told from this size on (a fraction): what all tests share is taken out of each."""


def worse(metric: str, value: float) -> float:
    """The value as the statistics want it: its logarithm, signed so that larger is worse. `value` is positive."""
    return _sign(metric) * math.log(value)


def _sign(metric: str) -> float:
    """1 where larger is worse; what is no metric of its own is a ratio to another engine's, where larger is better."""
    return 1.0 if metric in METRICS and METRICS[metric].better is Better.LOWER else -1.0


def runs_of(entry: Entry, metric: str, sessions: set[str]) -> Runs | None:
    """An entry's runs of one metric as the statistics want them, among all `sessions` of the device; None without any.

    Session ids begin with their time: sorted, they are in the order of acceptance.
    """
    kept = [run for run in entry.runs if run.metrics.get(metric, 0) > 0]
    if not kept:
        return None
    order = sorted(sessions | {run.session for run in kept})
    numbers = {session: number for number, session in enumerate(order)}
    return Runs(
        y=np.array([worse(metric, run.metrics[metric]) for run in kept]),
        session=np.array([numbers[run.session] for run in kept], np.intp),
    )


class Gate:
    """Screens and confirms measurements against the device's baselines and budgets; remembers the session's ratios."""

    def __init__(self, settings: Settings, device: Device, store: BaselineStore, environment: dict[str, str]) -> None:
        """Read nothing yet."""
        self.tests = 1
        self._settings = settings
        self._device = device
        self._store = store
        self._environment = environment
        self._files: tuple[BaselineFile, ...] | None = None
        self._spreads: dict[str, Spread] = {}
        self._ratios: dict[str, dict[str, float]] = {}
        self._others: dict[tuple[str, str], BaselineFile | None] = {}

    def entry(self, nodeid: str, measurement: Measurement) -> Entry | None:
        """The accepted runs that this measurement is compared with.

        Raises:
            BaselineError: the module's file is there and can't be used.
        """
        module, test = split_nodeid(nodeid)
        file = self._store.read(self._device, module)
        return None if file is None else file.entries.get(entry_key(test, measurement.name, measurement.digest))

    def no_baseline(self, nodeid: str, measurement: Measurement) -> str:
        """Why there is none, and what to do."""
        module, test = split_nodeid(nodeid)
        advice = "record one with --infer-update-baselines"
        file = self._store.read(self._device, module)
        if file is not None:
            prefix = entry_key(test, measurement.name, "") + " "
            for key, entry in file.entries.items():
                if key.startswith(prefix) and " " not in key.removeprefix(prefix):
                    changed = _changed(entry.workload, measurement.workload)
                    return f"the baseline is of another workload ({changed}); {advice}"
            return f"no baseline for this test on {self._device.slug}; {advice}"
        others = [slug for slug in self._store.devices() if slug != self._device.slug]
        known = f" (there are some for {', '.join(others)})" if others else ""
        near = self._nearest(module, entry_key(test, measurement.name, ""))
        told = f"; the nearest device that has one is {near}" if near else ""
        return f"no baseline on {self._device.slug}{known}; {advice}{told}"

    def _nearest(self, module: str, key: str) -> str:
        """The device most like this one on which the test has a baseline, and what differs; empty where there is none.

        It explains, and decides nothing: a file that can't be read is left to those who measure on its device.
        """
        identities = {}
        for slug in self._store.devices():
            with contextlib.suppress(BaselineError):
                file = self._elsewhere(slug, module)
                if file is not None and any(known.startswith(f"{key} ") for known in file.entries):
                    identities[slug] = {name: value for name, value in file.device.items() if name != "slug"}
        found = nearest(self._device, identities)
        if found is None:
            return ""
        return f"{found.slug} ({', '.join(found.differs)})" if found.differs else found.slug

    def _elsewhere(self, slug: str, module: str) -> BaselineFile | None:
        """A module's file of another device, read once."""
        if (slug, module) not in self._others:
            device = Device(slug=slug, kind=slug.partition("-")[0], name=slug)
            self._others[slug, module] = None
            self._others[slug, module] = self._store.read(device, module)
        return self._others[slug, module]

    def screen(
        self, nodeid: str, entry: Entry, measurement: Measurement, metric: str, tolerance: float
    ) -> tuple[Change, ...]:
        """Judge one run, which can only be suspected: against the baseline, and against its oldest session.

        Empty where the two can't be compared: the metric is missing, or not positive.
        """
        changes = self._changes(nodeid, entry, [measurement], metric, tolerance)
        runs = self._runs(entry, metric)
        if runs is not None and changes:
            ratio = shift_ratio(runs, self._spread(metric), worse(metric, measurement.metrics[metric]))
            if ratio is not None:
                self._ratios.setdefault(metric, {})[f"{nodeid} {measurement.name}"] = ratio
        # One run can show an improvement, which fails nothing; a regression takes fresh ones.
        return tuple(replace(change, regressed=False, confirmed=0) for change in changes)

    def confirm(
        self, nodeid: str, entry: Entry, fresh: Sequence[Measurement], metric: str, tolerance: float
    ) -> tuple[Change, ...]:
        """Judge fresh runs; these alone can show a regression. Empty where they can't be compared."""
        return self._changes(nodeid, entry, fresh, metric, tolerance)

    def standing(self, limit: Limit, value: float) -> Standing:
        """One run against a budget: clearly within, clearly over, or near."""
        if value <= 0:
            return Standing.WITHIN if limit.allows(value) else Standing.OVER
        return budget_screen(worse(limit.name, value), worse(limit.name, limit.bound), self._spread(limit.name))

    def over(self, limit: Limit, values: Sequence[float]) -> str | None:
        """Fresh runs against a budget that one run was near to: how they break it, or None."""
        if min(values) <= 0:
            return None
        y = np.array([worse(limit.name, value) for value in values])
        found = budget_confirm(y, worse(limit.name, limit.bound), self._spread(limit.name))
        if not found.over:
            return None
        ends = sorted(math.exp(_sign(limit.name) * end) for end in (found.low, found.high))
        mean = math.exp(_sign(limit.name) * found.estimate)
        interval = f"98 % interval of {len(values)} fresh runs {ends[0]:.4g} to {ends[1]:.4g}{limit.unit}"
        return f"{limit.broken_by(mean)} ({interval})"

    def stand_outs(self, values: Sequence[float], metric: str, *, slow_only: bool = False) -> list[int]:
        """Which runs of a recording, or of a confirmation (`slow_only`), stand out so far that they are made again."""
        if min(values) <= 0:
            return []
        y = np.array([worse(metric, value) for value in values])
        out = stands_out(y, float(self._spread(metric).run_sd), slow_only=slow_only)
        return [int(i) for i in np.flatnonzero(out)]

    def differs(self, nodeid: str, entry: Entry, measurement: Measurement) -> tuple[str, ...]:
        """What is not as it was when the newest run of the entry was recorded."""
        file = self._store.read(self._device, split_nodeid(nodeid)[0])
        newest = entry.runs[-1]
        session = None if file is None else file.sessions.get(newest.session)
        told = () if session is None else differences(session.environment, self._environment)
        if newest.model and measurement.model_digest and newest.model != measurement.model_digest:
            told = (f"model: {newest.model[:12]} → {measurement.model_digest[:12]}", *told)
        return (*told, *state_differences(newest.device_state, measurement.device_state))

    def history(self, nodeid: str, entry: Entry) -> tuple[AcceptedRun, ...]:
        """The entry's runs, with the time of their recording."""
        file = self._store.read(self._device, split_nodeid(nodeid)[0])
        sessions = {} if file is None else file.sessions
        return tuple(
            AcceptedRun(
                session=run.session,
                recorded=sessions[run.session].recorded if run.session in sessions else "",
                metrics=run.metrics,
                quantiles_ns={} if run.samples is None else run.samples.quantiles_ns,
            )
            for run in entry.runs
        )

    def clocks_differ(self, nodeid: str, entry: Entry, measurement: Measurement) -> tuple[str, ...]:
        """What of it must be told with every verdict: a locked GPU against one whose clocks were free."""
        return tuple(line for line in self.differs(nodeid, entry, measurement) if line.startswith(f"{CLOCKS}:"))

    def ratio(self, nodeid: str, name: str) -> float | None:
        """One test's log ratio of latency to its baseline, as the session's shift is taken of them."""
        return self._ratios.get("latency", {}).get(f"{nodeid} {name}")

    def session_line(self, ratios: Sequence[float], sessions: Sequence[int]) -> tuple[str, bool] | None:
        """The session's own line, and whether its tests together lie further off than this device's sessions do.

        None where they hardly lie off at all, or are too few to tell.

        Args:
            ratios: of all tests (`ratio`).
            sessions: of their baselines.
        """
        shift = session_shift(np.array(ratios)) if ratios else None
        if shift is None:
            return None
        off = _fraction(float(shift.value))
        one_sided = float(shift_p(shift, self._spread("latency"), round(float(np.median(sessions)))))
        p = min(one_sided, 1.0 - one_sided)
        if p > SHIFT_P:
            if abs(off) <= SHIFT_TOLD:
                return None
            return (
                f"the whole session is {off:+.1%} off its baselines, as sessions of this device may be (p = {p:.2g}): "
                "tests are judged relative to it, so a change of everything by as much can't be told"
            ), False
        how = "relative to it" if ordinary(one_sided) else "as they are, since no session of this device explains it"
        return (
            f"the whole session is {off:+.1%} off its baselines (p = {p:.2g}): driver, clocks, neighbours, or a change "
            f"of everything; tests are judged {how}"
        ), True

    def _changes(
        self, nodeid: str, entry: Entry, fresh: Sequence[Measurement], metric: str, tolerance: float
    ) -> tuple[Change, ...]:
        runs = self._runs(entry, metric)
        if runs is None or any(one.metrics.get(metric, 0) <= 0 for one in fresh):
            return ()
        rule = Rule(
            alpha=min(self._settings.alpha, FAMILY_ERROR / self.tests),
            max_regression=tolerance,
            confirm=self._settings.confirm,
        )
        y = np.array([worse(metric, one.metrics[metric]) for one in fresh])
        spread = self._spread(metric)
        shift = self._shift(nodeid, metric, runs.sessions)
        off = None if shift is None else _fraction(float(shift.value))
        found = confirm(runs, spread, y, rule, shift=shift)
        anchor = drift(runs, spread, y, rule, shift=shift)
        judged = [(found, runs, rule, "baseline"), (anchor, runs.oldest(), anchored(rule), "anchor")]
        return tuple(
            replace(
                _told(one, held, y, metric, asked, against, blind=_blind(held, spread, asked, shift)),
                shift=off if one.relative else None,
            )
            for one, held, asked, against in judged
            if one is not None
        )

    def _shift(self, nodeid: str, metric: str, sessions: int) -> Shift | None:
        """The session's shift as the other tests show it: what is judged is no part of its own yardstick.

        None where it is larger than sessions of this device ever are: an explanation that would excuse anything.
        """
        others = [ratio for key, ratio in self._ratios.get(metric, {}).items() if not key.startswith(f"{nodeid} ")]
        shift = session_shift(np.array(others)) if others else None
        if shift is None:
            return None
        return shift if ordinary(float(shift_p(shift, self._spread(metric), sessions))) else None

    def _runs(self, entry: Entry, metric: str) -> Runs | None:
        return runs_of(entry, metric, self._sessions())

    def _spread(self, metric: str) -> Spread:
        if metric not in self._spreads:
            entries = [e for file in self._all_files() for e in file.entries.values()]
            known = [runs for entry in entries if (runs := self._runs(entry, metric)) is not None]
            prior = self._prior(metric)
            found = estimate_spread(known, prior)
            huddled = metric not in SIZES and self._apart() < min(FIRM_SESSIONS, len(self._sessions()))
            self._spreads[metric] = as_wide_as(prior, found) if huddled else found
        return self._spreads[metric]

    def _prior(self, metric: str) -> Prior:
        if metric in SIZES:
            return SIZE
        found = self._store.calibration(self._device)
        if found is not None:
            return Prior(run_sd=found.run_sd, session_sd=found.session_sd, common_sd=found.common_sd, df=found.df)
        locked = self._environment.get(CLOCKS, "").startswith(LOCKED)
        if (session_sd := self._settings.session_prior) is not None:
            return replace(declared(self._device.kind, FIRM_SESSIONS, locked=locked), session_sd=session_sd)
        return declared(self._device.kind, self._apart(), locked=locked)

    def _all_files(self) -> tuple[BaselineFile, ...]:
        if self._files is None:
            self._files = tuple(self._store.read_all(self._device))
        return self._files

    def _apart(self) -> int:
        """How many of the device's sessions were recorded an hour from each other; one without a time counts."""
        recorded = {key: session.recorded for file in self._all_files() for key, session in file.sessions.items()}
        times_s = []
        for session in self._sessions():
            with contextlib.suppress(KeyError, ValueError):
                times_s.append(datetime.fromisoformat(recorded[session]).timestamp())
        return apart(times_s) + len(self._sessions()) - len(times_s)

    def _sessions(self) -> set[str]:
        return {run.session for file in self._all_files() for entry in file.entries.values() for run in entry.runs}


def _blind(runs: Runs, spread: Spread, rule: Rule, shift: Shift | None) -> bool:
    """Whether noise hides a change of the tolerance's size: asked of the rule without its floor.

    With the floor in it, a change of just the tolerance would pass half the time on the quietest of devices.
    """
    return minimum_detectable_effect(runs, spread, replace(rule, max_regression=0.0), shift=shift) > rule.max_regression


def _fraction(log_ratio: float) -> float:
    """exp(x) - 1, kept finite: beyond e^50 nobody asks for the figure."""
    return math.expm1(min(log_ratio, 50.0))


def _told(
    found: LogChange, runs: Runs, y: NDArray[np.float64], metric: str, rule: Rule, against: str, *, blind: bool
) -> Change:
    """The statistics' word on a change, in the metric's unit and in fractions."""
    mean, sign = float(y.mean()), _sign(metric)
    return Change(
        metric=metric,
        unit=METRICS[metric].unit,
        estimate=_fraction(found.estimate),
        low=_fraction(found.low),
        high=_fraction(found.high),
        p=found.p,
        detectable=found.mde if math.isfinite(found.mde) else None,
        tolerance=rule.max_regression,
        regressed=found.regressed,
        improved=found.improved and against == "baseline",
        suspected=found.p <= rule.screen_p,
        provisional=found.provisional,
        baseline=math.exp(sign * (mean - log_ratio(runs, mean))),
        current=math.exp(sign * mean),
        runs=runs.count,
        sessions=runs.sessions,
        confirmed=y.size,
        against=against,
        blind=blind,
    )


def _changed(then: dict[str, object], now: dict[str, object]) -> str:
    told = [f"{key}: {then.get(key)} → {now.get(key)}" for key in sorted(now) if then.get(key) != now.get(key)]
    return ", ".join(told) or "another digest"
