"""Baseline files as a store holds them: few sessions, tests and figures, so that any two have much in common."""

from __future__ import annotations

import collections
import json
from typing import TYPE_CHECKING, Any, Final

import msgspec
from hypothesis import strategies as st

from pytest_infer.baselines.accept import Proposal
from pytest_infer.baselines.schema import MAX_RUNS, SCHEMA, BaselineFile, BaselineRun, Entry, Session

if TYPE_CHECKING:
    from collections.abc import Iterable

SLUG: Final = "cpu-x-4c"
SESSIONS: Final = tuple(f"2024010{day}T000000-aa" for day in range(1, 9))
KEYS: Final = ("test_a 01", "test_a f#2 01", "test_b[fp32] 02", "test_c 03")
DEVICE: Final[dict[str, str | int | float]] = {"slug": SLUG, "cores": 4}

sessions = st.sampled_from(SESSIONS)
latencies = st.integers(1, 9).map(float)


def run(session: str, latency: float) -> BaselineRun:
    """A run of a session."""
    return BaselineRun(session=session, metrics={"latency": latency})


def described(session: str) -> Session:
    """What is known of a session: the same wherever it turns up."""
    return Session(recorded=session, environment={"driver": session[6:8]})


def file_of(entries: dict[str, Entry]) -> BaselineFile:
    """A file with these entries, and what is known of their sessions."""
    used = sorted({one.session for entry in entries.values() for one in entry.runs})
    return BaselineFile(
        schema=SCHEMA, device=DEVICE, sessions={name: described(name) for name in used}, entries=entries
    )


@st.composite
def _runs(draw: st.DrawFn, most: int) -> tuple[BaselineRun, ...]:
    """Up to `most` runs, oldest session first."""
    drawn = draw(st.lists(st.builds(run, sessions, latencies), min_size=1, max_size=most))
    return tuple(sorted(drawn, key=lambda one: one.session))


def entries(most: int = MAX_RUNS) -> st.SearchStrategy[Entry]:
    """Entries of at most so many runs."""
    return st.builds(Entry, workload=st.just({"target": "net.onnx"}), runs=_runs(most))


def files(most: int = MAX_RUNS) -> st.SearchStrategy[BaselineFile]:
    """Files of one module on one device."""
    return st.dictionaries(st.sampled_from(KEYS), entries(most), max_size=len(KEYS)).map(file_of)


@st.composite
def proposals(draw: st.DrawFn, most: int = 5) -> Proposal:
    """What a report offers one entry: runs of a session."""
    session = draw(sessions)
    found = draw(st.lists(latencies, min_size=1, max_size=most))
    return Proposal(
        device=DEVICE,
        module="tests/test_net.py",
        key=draw(st.sampled_from(KEYS)),
        workload={"target": "net.onnx"},
        runs=tuple(run(session, latency) for latency in found),
        session=described(session),
    )


def text(value: Any) -> str:
    """A value as comparable text."""
    return json.dumps(msgspec.to_builtins(value), sort_keys=True)


def counted(runs: Iterable[BaselineRun]) -> collections.Counter[str]:
    """Runs with how often each is there, whatever their order."""
    return collections.Counter(map(text, runs))


def runs_at(file: BaselineFile | None, key: str) -> tuple[BaselineRun, ...]:
    """The runs of an entry; none where it is not there."""
    return file.entries[key].runs if file is not None and key in file.entries else ()
