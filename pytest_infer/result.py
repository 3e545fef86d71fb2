"""Finished results: what the session hands to stores and reporters, which never see the session."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_infer.measurement import Measurement
from pytest_infer.verdict import Change, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedRun:
    """One run of the baseline that a measurement was compared with: what a picture of its history shows.

    Attributes:
        session: the recording that it belongs to.
        recorded: when that was; empty where the baseline does not say.
        metrics: its values by metric name, in the metric's unit.
        quantiles_ns: its timings, as in `Samples`.
    """

    session: str
    recorded: str
    metrics: dict[str, float]
    quantiles_ns: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One measurement of one test, judged.

    Attributes:
        nodeid: the test.
        outcome: the verdict; `failed`: whether it fails the test.
        reasons: why, in sentences.
        cleared: what that run alone broke, and fresh ones did not, of a test that fails nothing.
        measurement: the screening run, or the first of a recording.
        changes: gated metrics against the baseline.
        differs: what is not as it was when the baseline was recorded.
        recorded: the fresh runs to be saved, when baselines are updated.
        ratio: log ratio of latency to the baseline, of which all together the session's shift is taken.
        against: what `--infer-against` says, where that was compared with and no baseline.
        held: the accuracy figures that a budget, or the default tolerance, was held against.
        location: the test's file, relative to rootdir, and its line, from 1; None where pytest knows none.
        history: the accepted runs that it was compared with, oldest first.
        rounds: of an interleaved comparison, each round's change by metric, in order; larger is worse.
        expected: the test is expected to fail (xfail), so that nothing of it is accepted, missed or reported as failed.
    """

    nodeid: str
    outcome: Outcome
    failed: bool
    reasons: tuple[str, ...]
    measurement: Measurement
    changes: tuple[Change, ...] = ()
    differs: tuple[str, ...] = ()
    recorded: tuple[Measurement, ...] = ()
    ratio: float | None = None
    against: str | None = None
    held: tuple[str, ...] = ()
    location: tuple[str, int] | None = None
    history: tuple[AcceptedRun, ...] = ()
    rounds: dict[str, tuple[float, ...]] = field(default_factory=dict)
    cleared: tuple[str, ...] = ()
    expected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenTest:
    """A test of ours that failed, and not by a verdict: by a fixture, its own assertion, a worker that died.

    Attributes:
        nodeid: the test.
        phase: `setup`, `call` or `teardown`.
        message: what happened, its first line.
        location: the test's file, relative to rootdir, and its line, from 1; None where pytest knows none.
    """

    nodeid: str
    phase: str
    message: str
    location: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What an interleaved comparison says of one measurement; see `verdict.Evidence`.

    Attributes:
        changes: gated metrics against the other side.
        missing: why there is nothing to compare with.
        undecided: why the comparison came to no decision.
        disturbed: why it is not to be believed.
        differs: what is not the same on both sides.
        rounds: each round's change by metric, in order; larger is worse.
    """

    changes: tuple[Change, ...] = ()
    missing: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    disturbed: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    rounds: dict[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """One session of pytest, finished.

    Attributes:
        session: its id, by which baselines know runs that it recorded.
        devices: what each device is, its slug with it: what a new baseline file says of it.
        update: how baselines were recorded, `append` or `reset`; None where they were not.
        update_reason: why.
        multiplied: each test ran once on each of several GPUs, whose number begins its id's parameters.
        errors: the tests that failed without a verdict.
    """

    device: dict[str, str | int | float]
    environment: dict[str, str]
    results: tuple[Result, ...]
    started: str
    notes: tuple[str, ...] = field(default_factory=tuple)
    session: str = ""
    devices: tuple[dict[str, str | int | float], ...] = ()
    update: str | None = None
    update_reason: str | None = None
    multiplied: bool = False
    errors: tuple[BrokenTest, ...] = ()
