"""The gate, asked outside of a session: runs that somebody measured against runs that somebody accepted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.config import Settings
from pytest_infer.device.fingerprint import Device
from pytest_infer.gating import Gate
from pytest_infer.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_infer.baselines.schema import Entry
    from pytest_infer.baselines.store import BaselineStore
    from pytest_infer.verdict import Change

TOLERANCE = 0.02
"""The marker's default for `max_regression`: a report and a baseline do not hold the test's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """Runs of one test, to be held against an entry.

    Attributes:
        test: a name for it, by which its verdict is found.
        device: the slug.
        entry: what is compared with.
        runs: the metrics of each run.
        metrics: which of them are judged.
        tolerance: what never counts as a regression.
    """

    test: str
    device: str
    entry: Entry
    runs: tuple[Mapping[str, float], ...]
    metrics: tuple[str, ...] = ("latency",)
    tolerance: float = TOLERANCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Verdicts by test, and what holds of each device's session as a whole."""

    changes: Mapping[str, tuple[Change, ...]]
    notes: tuple[str, ...] = ()


def judge(
    fresh: Sequence[Fresh],
    store: BaselineStore,
    environments: Mapping[str, Mapping[str, str]],
) -> Judged:
    """Let the gate of each device judge, with the spread that the store's runs show.

    Args:
        fresh: all that is to be judged, of one session a device.
        store: where the spread comes from.
        environments: by device, the surroundings of the fresh runs.
    """
    changes: dict[str, tuple[Change, ...]] = {}
    notes: list[str] = []
    for slug in dict.fromkeys(one.device for one in fresh):
        mine = [one for one in fresh if one.device == slug]
        settings = Settings(root=Path(), confirm=max(1, min(len(one.runs) for one in mine)))
        device = device_named(slug)
        gate = Gate(settings, device, store, dict(environments.get(slug, {})))
        gate.tests = len(mine)
        for one in mine:  # all of them first: each is judged relative to what the session did to the others
            for metric in one.metrics:
                gate.screen(one.test, one.entry, _measurements(one)[0], metric, one.tolerance)
        for one in mine:
            changes[one.test] = tuple(
                change
                for metric in one.metrics
                for change in gate.confirm(one.test, one.entry, _measurements(one), metric, one.tolerance)
                if change.against == "baseline"
            )
        told = [(gate.ratio(one.test, ""), changes[one.test]) for one in mine]
        known = [(ratio, some[0].sessions) for ratio, some in told if ratio is not None and some]
        line = gate.session_line([ratio for ratio, _ in known], [sessions for _, sessions in known])
        notes += [] if line is None else [f"{slug}: {line[0]}"]
    return Judged(changes=changes, notes=tuple(notes))


def device_named(slug: str) -> Device:
    """A device of which nothing else is known."""
    return Device(slug=slug, kind="gpu" if slug.startswith("gpu-") else "cpu", name=slug)


def _measurements(fresh: Fresh) -> list[Measurement]:
    return [Measurement(name="", workload={}, digest="", metrics=dict(metrics)) for metrics in fresh.runs]
