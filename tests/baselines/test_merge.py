"""Two branches' baselines: nothing is lost, nothing depends on the order, nothing happens twice."""

from __future__ import annotations

import collections
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.baselines.codec import encode
from pytest_infer.baselines.merge import merged
from pytest_infer.baselines.schema import MAX_RUNS, BaselineFile, BaselineRun, Entry, appended
from pytest_infer.errors import BaselineError
from tests.baselines.strategies import KEYS, SESSIONS, counted, described, entries, file_of, files, run, runs_at

bases = st.one_of(st.none(), files())


@given(files(), files(), bases)
def test_the_sides_can_be_exchanged(ours: BaselineFile, theirs: BaselineFile, base: BaselineFile | None) -> None:
    """To the last byte: who merges whom is no matter."""
    assert encode(merged(ours, theirs, base)) == encode(merged(theirs, ours, base))


@given(files(), files())
def test_no_accepted_run_is_lost_but_by_the_cap(ours: BaselineFile, theirs: BaselineFile) -> None:
    """Each entry holds each run as often as the side that has it more often, or as many as an entry keeps."""
    found = merged(ours, theirs)
    assert set(found.entries) == set(ours.entries) | set(theirs.entries)
    for key in found.entries:
        union = counted(runs_at(ours, key)) | counted(runs_at(theirs, key))
        left = counted(runs_at(found, key))
        assert left <= union
        assert left.total() == min(union.total(), MAX_RUNS)


@given(files(), files())
def test_the_cap_is_that_of_a_recording(ours: BaselineFile, theirs: BaselineFile) -> None:
    """Of each session as many runs stay as appending would leave: the oldest stays the anchor, the newest is in."""
    found = merged(ours, theirs)
    for key in found.entries:
        sessions = collections.Counter(one.session for one in runs_at(found, key))
        union = counted(runs_at(ours, key)) | counted(runs_at(theirs, key))
        sizes = collections.Counter(name for text in union.elements() for name in SESSIONS if name in text)
        stand_ins = tuple(BaselineRun(session=name, metrics={}) for name in sorted(sizes) for _ in range(sizes[name]))
        kept = appended(Entry(workload={}), stand_ins).runs
        assert sessions == collections.Counter(one.session for one in kept)
        assert min(sessions) == min(sizes)
        assert max(sessions) == max(sizes)


@given(files(), files())
def test_merging_again_changes_nothing(ours: BaselineFile, theirs: BaselineFile) -> None:
    """A branch that is merged twice, or into itself, brings nothing new; not even a line moves."""
    found = merged(ours, theirs)
    assert merged(found, ours) == found
    assert merged(found, theirs) == found
    assert merged(found, found) == found
    assert merged(ours, ours) == ours


@given(files(6), files(6), files(6))
def test_three_branches_come_together_in_any_order(a: BaselineFile, b: BaselineFile, c: BaselineFile) -> None:
    """While there is room, all orders hold the same runs."""
    orders = [merged(merged(a, b), c), merged(merged(c, a), b), merged(a, merged(b, c))]
    contents = [{key: counted(runs_at(found, key)) for key in found.entries} for found in orders]
    assert contents[0] == contents[1] == contents[2]
    assert orders[0].sessions == orders[1].sessions == orders[2].sessions


@given(files(), files(), bases)
def test_every_run_keeps_what_is_known_of_its_session(
    ours: BaselineFile, theirs: BaselineFile, base: BaselineFile | None
) -> None:
    """The surroundings of each run are there, and those of no other."""
    found = merged(ours, theirs, base)
    used = {one.session for entry in found.entries.values() for one in entry.runs}
    assert found.sessions == {name: described(name) for name in used}


@given(files(), files())
def test_what_only_one_side_did_is_taken_as_it_is(side: BaselineFile, base: BaselineFile) -> None:
    """Whatever it is: new runs, entries begun anew, entries dropped."""
    assert merged(side, base, base) == merged(base, side, base)
    assert merged(side, base, base).entries == side.entries


@given(entries(5))
def test_what_was_begun_anew_stays_so(old: Entry) -> None:
    """One branch accepts a slower speed and begins its entry anew, the other appends: the old runs do not come back."""
    base = file_of({KEYS[0]: old})
    anew = file_of({KEYS[0]: replace(old, runs=(run("20240201T000000-bb", 5.0),))})
    more = file_of({KEYS[0]: replace(old, runs=(*old.runs, run("20240202T000000-cc", 6.0)))})
    assert [one.metrics["latency"] for one in runs_at(merged(anew, more, base), KEYS[0])] == [5.0, 6.0]


@given(entries(5))
def test_a_test_that_was_measured_again_is_not_pruned(old: Entry) -> None:
    """One branch prunes an entry, the other records it anew: the runs are kept, all of them."""
    base, gone = file_of({KEYS[0]: old}), file_of({})
    more = file_of({KEYS[0]: replace(old, runs=(*old.runs, run("20240202T000000-cc", 6.0)))})
    assert merged(gone, more, base).entries == more.entries
    assert merged(gone, base, base).entries == {}
    assert merged(gone, base).entries == base.entries


@given(files(), files())
def test_what_is_there_keeps_its_line(ours: BaselineFile, theirs: BaselineFile) -> None:
    """Where there is room, the runs of a session that one side alone has stay in their order: no line moves."""
    found = merged(ours, theirs)
    for key, entry in found.entries.items():
        alone = {one.session for one in runs_at(ours, key)} - {one.session for one in runs_at(theirs, key)}
        union = counted(runs_at(ours, key)) | counted(runs_at(theirs, key))
        if union.total() <= MAX_RUNS:
            mine = [one for one in entry.runs if one.session in alone]
            assert mine == [one for one in runs_at(ours, key) if one.session in alone]
        assert [one.session for one in entry.runs] == sorted(one.session for one in entry.runs)


def test_two_devices_stay_apart() -> None:
    """A file of another device is refused by name."""
    other = replace(file_of({}), device={"slug": "gpu-y"})
    with pytest.raises(BaselineError, match="two devices, cpu-x-4c and gpu-y"):
        merged(file_of({}), other)
