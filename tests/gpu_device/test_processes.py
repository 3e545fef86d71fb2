"""Whose process it is: of this run, or a stranger's; also where NVML's ids are not ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_infer.device.processes import (
    count_kin,
    ids_are_the_machine_s,
    kin,
    parent,
    process_name,
    run_root,
    strangers,
)

OURS, THEIRS, LATE = 1, 2, 3


def judged(listed: set[int], before: set[int], *, same_ids: bool = True, family: int = 1) -> set[int]:
    """The strangers among those listed."""
    return set(
        strangers(
            frozenset(listed),
            frozenset(before),
            is_kin=lambda pid: pid == OURS,
            same_ids=same_ids,
            family=family,
        )
    )


def test_who_is_not_of_this_run_is_a_stranger() -> None:
    """Whether it was there before or not."""
    assert judged({OURS, THEIRS}, {OURS, THEIRS}) == {THEIRS}
    assert judged({OURS}, set()) == set()
    assert judged({THEIRS}, set()) == {THEIRS}


def test_ids_that_turn_out_to_be_ours() -> None:
    """In a container whose driver translates them: one of ours is among them, so the others are strangers."""
    assert judged({OURS, THEIRS}, {OURS, THEIRS}, same_ids=False, family=2) == {THEIRS}


def test_ids_of_another_world() -> None:
    """In a container: who was there at the beginning may be us, who came while we measured is not."""
    assert judged({THEIRS}, {THEIRS}, same_ids=False) == set()
    assert judged({THEIRS, LATE}, {THEIRS}, same_ids=False, family=2) == {LATE}
    assert judged(set(), set(), same_ids=False) == set()


def test_more_than_we_are() -> None:
    """Where this run has one process and two compute, one of them is a stranger, whichever it is."""
    assert judged({THEIRS, LATE}, {THEIRS, LATE}, same_ids=False) == {THEIRS, LATE}
    assert judged({THEIRS, LATE}, {THEIRS, LATE}, same_ids=False, family=2) == set()


def test_a_run_s_processes(tmp_path: Path) -> None:
    """The root and everything below it; not what stands above it or beside it."""
    for pid, above in ((10, 1), (11, 10), (12, 11), (20, 1), (1, 0)):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "status").write_text(f"Name:\tx\nPid:\t{pid}\nPPid:\t{above}\n")
    (tmp_path / "self").mkdir()
    of_run = kin(10, tmp_path)
    assert [pid for pid in (10, 11, 12, 20, 1, 99) if of_run(pid)] == [10, 11, 12]
    assert count_kin(10, tmp_path) == 3


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc on this platform")
def test_real_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child is of this run, the process that started us is not; generations are counted upwards."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert parent(child.pid) == os.getpid()
        of_run = kin(os.getpid())
        assert of_run(os.getpid())
        assert of_run(child.pid)
        assert not of_run(os.getppid())
        assert kin(os.getppid())(child.pid)
        assert count_kin(os.getpid()) >= 2
    finally:
        child.communicate()
    assert parent(child.pid) is None
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    assert [run_root(0), run_root(1)] == [os.getpid(), os.getppid()]
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    assert run_root(0) == os.getppid()


def test_without_proc(tmp_path: Path) -> None:
    """On other systems this process knows itself and its parent, and takes NVML's ids for its own."""
    nowhere = tmp_path / "proc"
    assert ids_are_the_machine_s(nowhere)
    assert kin(os.getpid(), nowhere)(os.getpid())
    assert kin(os.getppid(), nowhere)(os.getpid())
    assert not kin(os.getpid(), nowhere)(1)
    assert count_kin(os.getpid(), nowhere) == 1
    assert process_name(77, nowhere) == "77"


@pytest.mark.parametrize(("name", "same"), [("pid:[4026531836]", True), ("pid:[4026532281]", False)])
def test_a_container_is_known_by_its_namespace(tmp_path: Path, name: str, same: bool) -> None:  # noqa: FBT001 - pytest gives it by position
    """The machine's own one has a fixed number."""
    (tmp_path / "self/ns").mkdir(parents=True)
    (tmp_path / "self/ns/pid").symlink_to(name)
    assert ids_are_the_machine_s(tmp_path) is same


def test_a_name_for_messages(tmp_path: Path) -> None:
    """The id, and the command where it can be seen."""
    (tmp_path / "77").mkdir()
    (tmp_path / "77/comm").write_text("python3\n")
    assert process_name(77, tmp_path) == "77 (python3)"
    assert process_name(78, tmp_path) == "78"
