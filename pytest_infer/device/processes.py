"""Whose processes use a GPU: this run's own (pytest, its xdist workers, its measuring processes), or a stranger's."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_INITIAL_NAMESPACE: Final = "pid:[4026531836]"
"""The kernel's name of the machine's own process ids (PROC_PID_INIT_INO in Linux's include/linux/proc_ns.h)."""


def run_root(workers: int, proc: Path = Path("/proc")) -> int:
    """The pytest that the user started: so many generations of our own measuring processes above this one.

    xdist's workers are one more generation; what they start inherits the variable that tells so.
    """
    pid = os.getpid()
    for _ in range(workers + ("PYTEST_XDIST_WORKER" in os.environ)):
        pid = parent(pid, proc) or pid
    return pid


def parent(pid: int, proc: Path = Path("/proc")) -> int | None:
    """A process's parent; None where it is gone, or the platform does not tell."""
    if pid == os.getpid():
        return os.getppid()
    try:
        status = (proc / str(pid) / "status").read_text()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("PPid:")), None)


def kin(root: int, proc: Path = Path("/proc")) -> Callable[[int], bool]:
    """Tells whether a process is `root` or descends from it; asked of the system once a process."""

    @cache
    def known(pid: int) -> bool:
        while pid not in {root, os.getpid()}:
            above = parent(pid, proc)
            if not above or above == pid:
                return False
            pid = above
        return True

    return known


def count_kin(root: int, proc: Path = Path("/proc")) -> int:
    """How many processes this run has now, at least this one."""
    known = kin(root, proc)
    return max(1, sum(known(int(folder.name)) for folder in proc.glob("[0-9]*")))


def ids_are_the_machine_s(proc: Path = Path("/proc")) -> bool:
    """Whether the ids that NVML tells, the machine's own, are those that this process sees: not in a container."""
    try:
        return os.readlink(proc / "self/ns/pid") == _INITIAL_NAMESPACE  # noqa: PTH115 - no path: a name
    except OSError:
        return True


def strangers(
    listed: frozenset[int], before: frozenset[int], *, is_kin: Callable[[int], bool], same_ids: bool, family: int
) -> frozenset[int]:
    """Those of the processes that NVML lists that are not of this run.

    In a container NVML may list all of them by ids that mean nothing there. Then a stranger is told by having come
    while we measured, or by there being more than this run has processes.

    Args:
        listed: NVML's list now.
        before: and when the measurement began.
        is_kin: whether an id is of this run.
        same_ids: whether NVML's ids are ours.
        family: how many processes this run has.
    """
    others = frozenset(pid for pid in listed if not is_kin(pid))
    if same_ids or len(others) < len(listed) or len(listed) > family:
        return others
    return others - before


def process_name(pid: int, proc: Path = Path("/proc")) -> str:
    """A process as a message names it: its id, and its command's name where that can be seen."""
    try:
        return f"{pid} ({(proc / str(pid) / 'comm').read_text().strip()})"
    except OSError:
        return str(pid)
