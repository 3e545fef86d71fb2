"""Entries of tests that are no more go; nobody else's."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.baselines.prune import Collected, pruned
from pytest_infer.baselines.schema import BaselineFile, Entry
from tests.baselines.strategies import file_of, files

tests = st.frozensets(st.sampled_from(["test_a", "test_b[fp32]", "test_b[int8]", "test", "test_", "test_new"]))
PLACE = PurePosixPath("cpu-x/tests/test_net.json")


@given(files(), tests)
def test_exactly_what_is_no_more_goes(file: BaselineFile, there: frozenset[str]) -> None:
    """An entry stays where its test does, as it is; a file without an entry goes."""
    found = pruned(file, there)
    kept = {key: entry for key, entry in file.entries.items() if key.rpartition(" ")[0].split()[0] in there}
    assert ({} if found is None else found.entries) == kept
    assert (found is None) == (not kept and bool(file.entries))


@given(files(), tests)
def test_pruning_again_changes_nothing(file: BaselineFile, there: frozenset[str]) -> None:
    """What is left is of tests that are there."""
    found = pruned(file, there)
    assert found is None or pruned(found, there) == found


@given(files())
def test_where_all_tests_are_there_nothing_changes(file: BaselineFile) -> None:
    """Not even a session that no run belongs to."""
    assert pruned(file, frozenset({"test_a", "test_b[fp32]", "test_c"})) is file


def test_ids_with_spaces_are_told_apart() -> None:
    """A parameter may hold any text; a measurement has a name between the test and the digest."""
    entry = Entry(workload={})
    file = file_of({"test_a[a b] 01": entry, "test_a[a] 01": entry, "test_a[a] name 01": entry})
    found = pruned(file, frozenset({"test_a[a]"}))
    assert found is not None
    assert sorted(found.entries) == ["test_a[a] 01", "test_a[a] name 01"]


@pytest.mark.parametrize(
    ("collected", "expected"),
    [
        (Collected(tests={"tests/test_net.py": frozenset({"test_a"})}), frozenset({"test_a"})),
        (Collected(tests={}), frozenset()),
        (Collected(tests={}, within=("tests",)), frozenset()),
        (Collected(tests={}, within=("tests/test_net.py",)), frozenset()),
        (Collected(tests={}, within=("other", "test")), None),
        (Collected(tests={}, within=("tests/test_net",)), None),
        (Collected(tests={}, unknown=frozenset({"tests/test_net.py"})), None),
    ],
)
def test_only_what_was_looked_through_is_judged(collected: Collected, expected: frozenset[str] | None) -> None:
    """A module that nobody looked into keeps its entries."""
    assert collected.tests_of(PLACE) == expected


def test_a_module_outside_rootdir_is_judged_only_where_it_was_collected() -> None:
    """`.` is rootdir."""
    place = PurePosixPath("cpu-x/__/elsewhere/test_net.json")
    assert Collected(tests={}).tests_of(place) is None
    assert Collected(tests={"../elsewhere/test_net.py": frozenset({"test_a"})}).tests_of(place) == frozenset({"test_a"})
