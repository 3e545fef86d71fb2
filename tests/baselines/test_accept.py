"""Runs measured elsewhere join a baseline: in any order, once, and beside what is there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.baselines.accept import Proposal, accepted
from pytest_infer.baselines.codec import encode
from pytest_infer.baselines.schema import MAX_RUNS, BaselineFile, Entry
from tests.baselines.strategies import (
    DEVICE,
    KEYS,
    counted,
    described,
    entries,
    file_of,
    files,
    proposals,
    run,
    runs_at,
)

if TYPE_CHECKING:
    import random

reports = st.lists(proposals(), min_size=1, max_size=6)


@given(st.one_of(st.none(), files()), reports, st.randoms())
def test_the_order_of_reports_does_not_matter(
    file: BaselineFile | None, offered: list[Proposal], rng: random.Random
) -> None:
    """However they are named on the command line: the same file, to the last byte."""
    shuffled = rng.sample(offered, len(offered))
    assert encode(accepted(file, shuffled)) == encode(accepted(file, offered))


@given(files(5), st.lists(proposals(3), min_size=1, max_size=4), st.randoms())
def test_one_after_the_other_is_all_at_once(file: BaselineFile, offered: list[Proposal], rng: random.Random) -> None:
    """Nightly artifacts that are accepted one by one, in any order, make what all at once make, while there is room."""
    together = accepted(file, offered)
    for one in rng.sample(offered, len(offered)):
        file = accepted(file, [one])
    assert {key: counted(runs_at(file, key)) for key in file.entries} == {
        key: counted(runs_at(together, key)) for key in together.entries
    }
    assert file.sessions == together.sessions


@given(st.one_of(st.none(), files()), reports)
def test_accepting_again_changes_nothing(file: BaselineFile | None, offered: list[Proposal]) -> None:
    """A report that is accepted twice counts once: sessions have ids."""
    once = accepted(file, offered)
    assert accepted(once, offered) == once


@given(files(), reports)
def test_no_accepted_run_is_lost_but_by_the_cap(file: BaselineFile, offered: list[Proposal]) -> None:
    """What was there is there, and what came; at most as many as an entry keeps."""
    found = accepted(file, offered)
    for key in file.entries.keys() | {one.key for one in offered}:
        union = counted(runs_at(file, key))
        for one in offered:
            if one.key == key:
                union |= counted(one.runs)
        left = counted(runs_at(found, key))
        assert left <= union
        assert left.total() == min(union.total(), MAX_RUNS)


@given(files(), reports)
def test_other_entries_stay_as_they_are(file: BaselineFile, offered: list[Proposal]) -> None:
    """No line of an entry moves that no report speaks of."""
    found = accepted(file, offered)
    for key in file.entries.keys() - {one.key for one in offered}:
        assert found.entries[key] == file.entries[key]


@given(entries(10))
def test_a_slower_speed_begins_anew(old: Entry) -> None:
    """What was accepted before goes; what came after it stays; and accepting it again does not undo what followed."""
    offer = Proposal(
        device=DEVICE,
        module="tests/test_net.py",
        key=KEYS[0],
        workload={},
        runs=(run("20240201T000000-bb", 5.0),),
        session=described("20240201T000000-bb"),
        anew=True,
    )
    later = replace(offer, runs=(run("20240202T000000-cc", 6.0),), session=described("20240202T000000-cc"), anew=False)
    file = file_of({KEYS[0]: old})
    found = accepted(accepted(file, [offer]), [later])
    assert [one.metrics["latency"] for one in runs_at(found, KEYS[0])] == [5.0, 6.0]
    assert accepted(found, [offer]) == found
    assert accepted(accepted(file, [later]), [offer]) == found
    assert found.sessions.keys() == {"20240201T000000-bb", "20240202T000000-cc"}


@given(proposals())
def test_a_first_baseline(offer: Proposal) -> None:
    """Where there is none, the file says of the device what the report says."""
    found = accepted(None, [offer])
    assert found.device == DEVICE
    assert found.entries == {offer.key: Entry(workload=offer.workload, runs=offer.runs)}
