"""Finished results: what the session hands to stores and reporters, which never see the session."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_infer.measurement import Measurement
from pytest_infer.verdict import Change, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One measurement of one test, judged.

    Attributes:
        nodeid: the test.
        outcome: the verdict; `failed`: whether it fails the test.
        reasons: why, in sentences.
        measurement: the screening run, or the first of a recording.
        changes: gated metrics against the baseline.
        differs: what is not as it was when the baseline was recorded.
        recorded: the fresh runs to be saved, when baselines are updated.
        ratio: log ratio of latency to the baseline, of which all together the session's shift is taken.
        against: what `--infer-against` says, where that was compared with and no baseline.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What an interleaved comparison says of one measurement; see `verdict.Evidence`.

    Attributes:
        changes: gated metrics against the other side.
        missing: why there is nothing to compare with.
        undecided: why the comparison came to no decision.
        disturbed: why it is not to be believed.
        differs: what is not the same on both sides.
    """

    changes: tuple[Change, ...] = ()
    missing: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    disturbed: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """One session of pytest, finished."""

    device: dict[str, str | int | float]
    environment: dict[str, str]
    results: tuple[Result, ...]
    started: str
    notes: tuple[str, ...] = field(default_factory=tuple)
