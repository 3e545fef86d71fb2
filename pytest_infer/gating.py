"""Baselines meet statistics: one session's gate on one device."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from pytest_infer.baselines.schema import BaselineFile, entry_key
from pytest_infer.device.environment import differences
from pytest_infer.metrics import METRICS, Better
from pytest_infer.stats.gate import confirm, log_ratio
from pytest_infer.stats.rule import Rule
from pytest_infer.stats.runs import Runs
from pytest_infer.stats.shift import Shift, session_shift
from pytest_infer.stats.spread import CPU, GPU, Prior, Spread, estimate_spread
from pytest_infer.verdict import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.baselines.schema import Entry
    from pytest_infer.baselines.store import BaselineStore
    from pytest_infer.config import Settings
    from pytest_infer.device.fingerprint import Device
    from pytest_infer.measurement import Measurement

PRIORS: Final = {"cpu": CPU, "gpu": GPU}
FAMILY_ERROR: Final = 0.05
"""The chance that any test of a session fails falsely stays below this (Bonferroni), however many there are."""


def split_nodeid(nodeid: str) -> tuple[str, str]:
    """A node id as its module's path and the test within it."""
    module, _, test = nodeid.partition("::")
    return module, test


def worse(metric: str, value: float) -> float:
    """The value as the statistics want it: its logarithm, signed so that larger is worse."""
    sign = 1.0 if METRICS[metric].better is Better.LOWER else -1.0
    return sign * math.log(value)


class Gate:
    """Screens and confirms measurements against the device's baselines; remembers the session's ratios."""

    def __init__(self, settings: Settings, device: Device, store: BaselineStore, environment: dict[str, str]) -> None:
        """Read nothing yet."""
        self.tests = 1
        self._settings = settings
        self._device = device
        self._store = store
        self._environment = environment
        self._files: tuple[BaselineFile, ...] | None = None
        self._spreads: dict[str, Spread] = {}
        self._ratios: dict[str, list[float]] = {}

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
        return f"no baseline on {self._device.slug}{known}; {advice}"

    def screen(self, entry: Entry, measurement: Measurement, metric: str, tolerance: float) -> tuple[Change, ...]:
        """Judge one run, which can only be suspected: against the baseline, and against its oldest session.

        Empty where the baseline lacks the metric.
        """
        runs = self._runs(entry, metric)
        if runs is None or metric not in measurement.metrics:
            return ()
        y = worse(metric, measurement.metrics[metric])
        self._ratios.setdefault(metric, []).append(log_ratio(runs, y))
        rule = self._rule(tolerance)
        changes = []
        for against, reference in _references(runs):
            # One run can show an improvement, which fails nothing; a regression takes fresh ones.
            change = self._change(metric, reference, [measurement], rule)
            suspected = change.p <= rule.screen_p
            changes.append(replace(change, against=against, suspected=suspected, regressed=False, confirmed=0))
        return tuple(changes)

    def confirm(self, entry: Entry, fresh: Sequence[Measurement], metric: str, tolerance: float) -> tuple[Change, ...]:
        """Judge fresh runs; these alone can show a regression."""
        runs = self._runs(entry, metric)
        if runs is None or any(metric not in one.metrics for one in fresh):
            return ()
        rule = self._rule(tolerance)
        return tuple(
            replace(self._change(metric, reference, fresh, rule), against=against)
            for against, reference in _references(runs)
        )

    def differs(self, nodeid: str, entry: Entry, measurement: Measurement) -> tuple[str, ...]:
        """What is not as it was when the newest run of the entry was recorded."""
        file = self._store.read(self._device, split_nodeid(nodeid)[0])
        newest = entry.runs[-1]
        session = None if file is None else file.sessions.get(newest.session)
        told = () if session is None else differences(session.environment, self._environment)
        if newest.model and measurement.model_digest and newest.model != measurement.model_digest:
            told = (f"model: {newest.model[:12]} → {measurement.model_digest[:12]}", *told)
        return told

    def shift(self, metric: str) -> Shift | None:
        """The session's shift, from the eighth gated test on."""
        return session_shift(np.array(self._ratios.get(metric, [])))

    def _change(self, metric: str, runs: Runs, fresh: Sequence[Measurement], rule: Rule) -> Change:
        y = np.array([worse(metric, one.metrics[metric]) for one in fresh])
        found = confirm(runs, self._spread(metric), y, rule, shift=self.shift(metric))
        sign = 1.0 if METRICS[metric].better is Better.LOWER else -1.0
        return Change(
            metric=metric,
            unit=METRICS[metric].unit,
            estimate=math.expm1(found.estimate),
            low=math.expm1(found.low),
            high=math.expm1(found.high),
            p=found.p,
            detectable=found.mde,
            tolerance=rule.max_regression,
            regressed=found.regressed,
            improved=found.improved,
            suspected=True,
            provisional=found.provisional,
            baseline=math.exp(sign * (float(y.mean()) - log_ratio(runs, float(y.mean())))),
            current=math.exp(sign * float(y.mean())),
            runs=runs.count,
            sessions=runs.sessions,
            confirmed=len(fresh),
        )

    def _rule(self, tolerance: float) -> Rule:
        return Rule(
            alpha=min(self._settings.alpha, FAMILY_ERROR / self.tests),
            max_regression=tolerance,
            confirm=self._settings.confirm,
        )

    def _runs(self, entry: Entry, metric: str) -> Runs | None:
        numbers = self._session_numbers()
        kept = [run for run in entry.runs if run.metrics.get(metric, 0) > 0]
        if not kept:
            return None
        return Runs(
            y=np.array([worse(metric, run.metrics[metric]) for run in kept]),
            session=np.array([numbers[run.session] for run in kept], np.intp),
        )

    def _spread(self, metric: str) -> Spread:
        if metric not in self._spreads:
            entries = [
                runs for file in self._all_files() for e in file.entries.values() if (runs := self._runs(e, metric))
            ]
            self._spreads[metric] = estimate_spread(entries, self._prior())
        return self._spreads[metric]

    def _prior(self) -> Prior:
        prior = PRIORS[self._device.kind]
        session_sd = self._settings.session_prior
        return prior if session_sd is None else replace(prior, session_sd=session_sd)

    def _all_files(self) -> tuple[BaselineFile, ...]:
        if self._files is None:
            self._files = tuple(self._store.read_all(self._device))
        return self._files

    def _session_numbers(self) -> dict[str, int]:
        """Session ids begin with their time: their order is the order of acceptance."""
        ids = {run.session for file in self._all_files() for entry in file.entries.values() for run in entry.runs}
        return {session: number for number, session in enumerate(sorted(ids))}


def _references(runs: Runs) -> list[tuple[str, Runs]]:
    """The baseline as it is, and its oldest session where there are others: drift must not creep past it."""
    return [("baseline", runs)] if runs.sessions == 1 else [("baseline", runs), ("anchor", runs.oldest())]


def _changed(then: dict[str, object], now: dict[str, object]) -> str:
    return (
        ", ".join(f"{key}: {then.get(key)} → {now.get(key)}" for key in sorted(now) if then.get(key) != now.get(key))
        or "another digest"
    )
