"""What a baseline entry keeps: keys, appending, the cap and the anchor."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.baselines.schema import MAX_RUNS, BaselineRun, Entry, appended, entry_key

EMPTY = Entry(workload={"target": "net.onnx"})


def runs(session: int, count: int, start: int = 0) -> tuple[BaselineRun, ...]:
    """Runs of one session, all different."""
    return tuple(
        BaselineRun(session=f"2024010{session}T000000", metrics={"latency": 1000.0 * session + start + i})
        for i in range(count)
    )


def recorded(counts: list[int]) -> Entry:
    """An entry after recordings of that many runs, one a session."""
    entry = EMPTY
    for session, count in enumerate(counts):
        entry = appended(entry, runs(session, count))
    return entry


recordings = st.lists(st.integers(1, 20), min_size=1, max_size=8)


@given(recordings)
def test_an_entry_never_holds_more_than_the_cap(counts: list[int]) -> None:
    """However often and however much is recorded; and it never forgets while there is room."""
    entry = recorded(counts)
    assert len(entry.runs) <= MAX_RUNS
    assert len(entry.runs) >= min(sum(counts), 5)
    if sum(counts) <= MAX_RUNS:
        assert len(entry.runs) == sum(counts)
    assert entry.workload == EMPTY.workload


@given(recordings)
def test_the_oldest_session_stays_as_the_anchor(counts: list[int]) -> None:
    """Drift is held against it: its first runs are there after any number of recordings."""
    entry = recorded(counts)
    assert entry.runs[0] == runs(0, 1)[0]
    anchor = [run for run in entry.runs if run.session == entry.runs[0].session]
    assert len(anchor) >= min(counts[0], 5)


@given(recordings)
def test_the_newest_session_is_in(counts: list[int]) -> None:
    """What was just accepted is never what is dropped: at least five of its runs are the last ones."""
    entry = recorded(counts)
    kept = min(counts[-1], 5)
    assert {run.session for run in entry.runs[-kept:]} == {runs(len(counts) - 1, 1)[0].session}


@given(recordings)
def test_runs_stay_in_the_order_of_acceptance(counts: list[int]) -> None:
    """Sessions in order, each in one piece; no run twice."""
    kept = recorded(counts).runs
    sessions = [session for session, _ in groupby(run.session for run in kept)]
    assert sessions == sorted(set(sessions))
    assert len(set(kept_values := [run.metrics["latency"] for run in kept])) == len(kept_values)
    assert kept_values == sorted(kept_values)


@pytest.mark.parametrize("count", range(1, 21))
def test_a_baseline_becomes_firm_whatever_is_recorded_at_once(count: int) -> None:
    """Three sessions make it firm; a large recording must not push the others out for ever."""
    assert len({run.session for run in recorded([count] * 4).runs}) >= 3


def test_equal_runs_are_separate_evidence() -> None:
    """Two runs with the same figures are two runs, also where room runs out."""
    same = BaselineRun(session="a", metrics={"latency": 1.0})
    other = BaselineRun(session="b", metrics={"latency": 1.0})
    assert len(appended(Entry(workload={}, runs=(same,) * 5), (other,) * 15).runs) == 20
    assert len(appended(Entry(workload={}, runs=(same,) * 15), (other,) * 15).runs) >= 10


def test_keys_leave_out_what_is_not_there() -> None:
    """The marker's own engine has no name."""
    assert entry_key("test_net[fp32]", "", "abc") == "test_net[fp32] abc"
    assert entry_key("test_net[fp32]", "f#2", "abc") == "test_net[fp32] f#2 abc"


@given(st.text("abc[]-"), st.text("abc."), st.text("0123456789abcdef", min_size=12, max_size=12))
def test_keys_end_with_the_digest(test: str, name: str, digest: str) -> None:
    """One key a meaning: another digest is another entry."""
    assert entry_key(test, name, digest).endswith(digest)
    assert entry_key(test, name, digest) != entry_key(test, name, digest[::-1] + "0")
