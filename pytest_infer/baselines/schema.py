"""What a baseline file holds. History of `schema`: 1 - the first."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from pytest_infer.measurement import Samples

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SCHEMA: Final = 1
MAX_RUNS: Final = 20
"""Accepted runs an entry keeps: the oldest session as the drift anchor, then the newest."""
SESSION_RUNS: Final = 5
"""Runs that each session keeps at least where room runs out, but for those that go whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One recording: when, in which surroundings, and why, where a reset gave a reason."""

    recorded: str
    environment: dict[str, str] = field(default_factory=dict)
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRun:
    """One accepted run, in a process of its own."""

    session: str
    metrics: dict[str, float]
    samples: Samples | None = None
    model: str | None = None
    contention: dict[str, float] = field(default_factory=dict)
    device_state: dict[str, str | int | float] = field(default_factory=dict)


class MeasuredRun(Protocol):
    """What a baseline keeps of a run: of a `Measurement`, or as a report tells of one."""

    @property
    def metrics(self) -> dict[str, float]:
        """By name."""
        ...

    @property
    def samples(self) -> Samples | None:
        """Counts and quantiles."""
        ...

    @property
    def model_digest(self) -> str | None:
        """Of the model's content."""
        ...

    @property
    def contention(self) -> dict[str, float]:
        """What the CPU was busy with besides."""
        ...

    @property
    def device_state(self) -> dict[str, str | int | float]:
        """What the device was doing."""
        ...


def accepted_runs(runs: Iterable[MeasuredRun], session: str) -> tuple[BaselineRun, ...]:
    """Runs as a baseline holds them, of the session of that id."""
    return tuple(
        BaselineRun(
            session=session,
            metrics=run.metrics,
            samples=run.samples,
            model=run.model_digest,
            contention=run.contention,
            device_state=run.device_state,
        )
        for run in runs
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The accepted runs of one measurement of one test, oldest first."""

    workload: dict[str, Any]
    runs: tuple[BaselineRun, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineFile:
    """The entries of one test module on one device, by `entry_key`."""

    schema: int
    device: dict[str, str | int | float]
    sessions: dict[str, Session] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What an A/A study found a device's spread to be; standard deviations of log latency (0.01 is one percent).

    Attributes:
        run_sd: of runs inside a session.
        session_sd: of a test's own part from session to session.
        common_sd: of the shift that a session gives all tests.
        df: degrees of freedom that the study is worth.
        tests, sessions, runs: its size.
        recorded: when.
    """

    schema: int
    run_sd: float
    session_sd: float
    common_sd: float
    df: float
    tests: int
    sessions: int
    runs: int
    recorded: str


def sessions_of(entries: Mapping[str, Entry], known: Mapping[str, Session]) -> dict[str, Session]:
    """Those of the `known` sessions that some entry has a run of: a file keeps no others."""
    used = {run.session for entry in entries.values() for run in entry.runs}
    return {key: session for key, session in known.items() if key in used}


def split_nodeid(nodeid: str) -> tuple[str, str]:
    """A node id as its module's path, which names a file, and the test within it."""
    module, _, test = nodeid.partition("::")
    return module, test


def entry_key(test: str, name: str, digest: str) -> str:
    """The key of a measurement: the test's id within its module, the measurement's name, the workload's digest."""
    return " ".join(part for part in (test, name, digest) if part)


def appended(entry: Entry, runs: tuple[BaselineRun, ...]) -> Entry:
    """`entry` with `runs` behind, at most MAX_RUNS.

    Where room runs out, the largest session is thinned first (several sessions tell more than one large one); when all
    are small, the oldest run goes that is not of the oldest session, the anchor.
    """
    everything = [*entry.runs, *runs]
    while len(everything) > MAX_RUNS:
        sizes = collections.Counter(run.session for run in everything)
        anchor = everything[0].session
        largest, size = sizes.most_common(1)[0]
        if size > SESSION_RUNS and largest == anchor:
            del everything[size - 1]
        else:
            thinned = largest if size > SESSION_RUNS else None
            del everything[
                next(i for i, r in enumerate(everything) if r.session != anchor and thinned in {None, r.session})
            ]
    return Entry(workload=entry.workload, runs=tuple(everything))
