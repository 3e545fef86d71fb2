"""Was the CPU disturbed while we measured? Steal, pressure, involuntary switches, tracers."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_STEAL_SHARE: Final = 0.05
"""Steal above this share of the time of all cores means that the host ran someone else (DESIGN 4.7)."""


CONTENTION_EXPLAINS: Final = 3.0
"""The largest change (a fraction) that contention excuses where no other process is behind it: half the time waited,
by each of two threads that wait for each other, is a factor of four; more is the code's own (too many threads, say)."""
SOME_OTHERS: Final = 0.1
"""What others take of a machine that is left alone stays below this share."""
MOST_OTHERS: Final = 0.5
"""Beyond this share there is no bound on what it does to threads that wait for each other (see `neighbours`)."""
PULSE: Final = "pulse_us "
"""How the name of a core's pulse begins among what a run met, see `measure.pulse`."""
MAX_SLOWDOWN: Final = 0.1
"""A pulse slower by more than this share is another speed of the core; on an idle one it varies by half of that."""

FEWEST_TICKS: Final = 20
"""Of all cores, in which others can be told: counters are off by one at their ends, and of fewer that is a lot."""

_IDLE, _WAITING = 3, 4  # places in a line of /proc/stat
_USED, _WAITED_FOR = slice(11, 13), slice(13, 15)  # in /proc/<pid>/stat, behind the name: user and system time
_MOST_HELPERS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuState:
    """Counters of the kernel at one moment; zero where the platform has none.

    Attributes:
        total_ticks: clock ticks since boot of all cores that this process may use.
        busy_ticks: those in which a core ran something of this system.
        own_ns: CPU time of this process, all its threads together, nanoseconds.
        helper_ticks: CPU time of the processes that it started, and they: living, or dead and waited for; clock ticks.
        steal_ticks: those that the hypervisor gave to another guest.
        pressure_us: time in which some task waited for a CPU (PSI `some`), microseconds.
        switches: involuntary context switches of this process.
    """

    total_ticks: int = 0
    busy_ticks: int = 0
    own_ns: int = 0
    helper_ticks: int = 0
    steal_ticks: int = 0
    pressure_us: int = 0
    switches: int = 0


def read_cpu_state(proc: Path = Path("/proc")) -> CpuState:
    """Read the counters now."""
    ticks = [0]
    steal = busy = 0
    pressure_us = switches = 0
    with contextlib.suppress(OSError, ValueError, IndexError, KeyError):
        ticks = _ticks((proc / "stat").read_text().splitlines())
        steal = ticks[7]
        busy = sum(ticks) - steal - ticks[_IDLE] - ticks[_WAITING]
    with contextlib.suppress(OSError, ValueError, IndexError):
        pressure_us = int((proc / "pressure/cpu").read_text().splitlines()[0].rpartition("total=")[2])
    with contextlib.suppress(ImportError):
        import resource

        switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
    return CpuState(
        total_ticks=sum(ticks),
        busy_ticks=busy,
        own_ns=time.process_time_ns(),
        helper_ticks=_helper_ticks(proc),
        steal_ticks=steal,
        pressure_us=pressure_us,
        switches=switches,
    )


def _ticks(lines: Sequence[str]) -> list[int]:
    """The first eight counters of a /proc/stat, of the cores that this process may use: what others do is far away."""
    counters = {line.split()[0]: [int(t) for t in line.split()[1:9]] for line in lines if line.startswith("cpu")}
    mine = [f"cpu{core}" for core in os.sched_getaffinity(0)] if hasattr(os, "sched_getaffinity") else []
    if not mine or not counters.keys() >= {*mine}:
        mine = ["cpu"]
    return [sum(column) for column in zip(*(counters[name] for name in mine), strict=True)]


def disturbance(before: CpuState, after: CpuState) -> tuple[str, ...]:
    """The reasons why what was measured between two states is not to be believed; empty when it is."""
    elapsed = after.total_ticks - before.total_ticks
    steal = (after.steal_ticks - before.steal_ticks) / elapsed if elapsed else 0.0
    if steal > MAX_STEAL_SHARE:
        return (f"the hypervisor took {steal:.0%} of the CPU time (more than {MAX_STEAL_SHARE:.0%})",)
    return ()


def contention(before: CpuState, after: CpuState, elapsed_ns: int) -> dict[str, float]:
    """How much was waited for a CPU: `pressure` (share of the time) and `switches` (involuntary, a second).

    And `others`: the share of our cores' time that went to neither this process nor those that it started, where the
    kernel tells. What is too much depends on the workload: a network of two threads makes half the time pressure on two
    cores by itself; in a container the kernel tells of the whole machine. So these are recorded, and only held against
    what the same workload showed then.
    """
    seconds = max(elapsed_ns, 1) / 1e9
    ticks = after.total_ticks - before.total_ticks
    helpers = max(0, after.helper_ticks - before.helper_ticks)  # one that nobody waited for takes its time along
    taken = after.busy_ticks - before.busy_ticks - helpers - (after.own_ns - before.own_ns) / _tick_ns()
    told = {"others": max(0.0, taken / ticks)} if ticks >= FEWEST_TICKS else {}
    return told | {
        "pressure": (after.pressure_us - before.pressure_us) / 1e6 / seconds,
        "switches": (after.switches - before.switches) / seconds,
    }


def crowded(now: dict[str, float], recorded: Sequence[dict[str, float]]) -> tuple[str, ...]:
    """The reasons why a run met more contention than any of the recorded ones could explain.

    Asked only where the kernel does not tell what others took: code that starts too many threads waits for itself.
    """
    if "others" in now and any("others" in run for run in recorded):
        return ()
    found = []
    for name, unit, factor, slack in (("pressure", "of the time", 1.0, 0.25), ("switches", "a second", 2.0, 200.0)):
        known = [run[name] for run in recorded if name in run]
        if known and name in now and now[name] > factor * max(known) + slack:
            words = {"pressure": "some task waited for a CPU", "switches": "involuntary switches"}[name]
            found.append(f"{words} {now[name]:.2g} {unit}, at most {max(known):.2g} in the runs it is held against")
    return tuple(found)


def neighbours(now: dict[str, float], recorded: Sequence[dict[str, float]]) -> tuple[str, ...]:
    """The reason why other processes may be behind any slowness of a run: they took what they did not at the recording.

    There is no bound on what they do to threads that wait for each other at every layer: a background process of the
    lowest priority, in its slices of milliseconds, made DenseNet-121 on two cores 6.5 times as slow.
    """
    known = [run["others"] for run in recorded if "others" in run]
    if not known or now.get("others", 0.0) <= max(known) + MAX_STEAL_SHARE:
        return ()
    most = f"at most {max(known):.0%} in the runs it is held against"
    return (f"other processes took {now['others']:.0%} of the CPU time, {most}",)


def slow_core(now: dict[str, float], recorded: Sequence[dict[str, float]]) -> tuple[str, ...]:
    """The reason why the core itself may be behind a run's slowness: it was slower than in any of the recorded runs."""
    for name in (name for name in now if name.startswith(PULSE)):
        known = [run[name] for run in recorded if name in run]
        if known and now[name] > max(known) * (1 + MAX_SLOWDOWN):
            return (f"the CPU core ran at {max(known) / now[name]:.0%} of its speed in the runs it is held against",)
    return ()


def excuses(now: dict[str, float], recorded: Sequence[dict[str, float]], slower: float) -> tuple[str, ...]:
    """Why a run that is `slower` (a fraction) than the recorded ones may be so without the code's doing."""
    bounded = (*slow_core(now, recorded), *crowded(now, recorded)) if slower <= CONTENTION_EXPLAINS else ()
    return (*neighbours(now, recorded), *bounded)


def outnumbered(now: dict[str, float], slower: float) -> tuple[str, ...]:
    """Why a run that is `slower` (a fraction) than a budget allows may be so without the code's doing.

    Nothing was recorded that it could be held against, so small shares and large excesses are the code's.
    """
    others = now.get("others", 0.0)
    if others > MOST_OTHERS or (others > SOME_OTHERS and slower <= CONTENTION_EXPLAINS):
        return (f"other processes took {others:.0%} of the CPU time",)
    return ()


def disturbed_runs(runs: Sequence[dict[str, float]]) -> tuple[int, ...]:
    """Which runs of a recording other processes or a slower core disturbed, by what the best of them met."""
    names = {name for run in runs for name in run if name == "others" or name.startswith(PULSE)}
    best = {name: min(run[name] for run in runs if name in run) for name in names}
    return tuple(i for i, run in enumerate(runs) if neighbours(run, [best]) or slow_core(run, [best]))


def tracers() -> tuple[str, ...]:
    """Coverage, debuggers and tracers that run now: what is timed under them is not the code's own time."""
    found: list[str] = []
    if (trace := sys.gettrace()) is not None:
        found.append(f"a trace function is set ({_owner(trace)})")
    if (profile := sys.getprofile()) is not None:
        found.append(f"a profile function is set ({_owner(profile)})")
    return (*found, *monitors())


def monitors() -> tuple[str, ...]:
    """Those of them that no one can pause."""
    monitoring = getattr(sys, "monitoring", None)
    if monitoring is None:
        return ()
    return tuple(f"sys.monitoring is used by {name}" for i in range(6) if (name := monitoring.get_tool(i)))


def _helper_ticks(proc: Path) -> int:
    """See `CpuState`. By the kernel's own lists of children: they are short where /proc is long."""
    ticks, found = 0, ["self"]
    for pid in islice(found, _MOST_HELPERS):  # grows on the way
        with contextlib.suppress(OSError, ValueError):
            stat = (proc / pid / "stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, stat[_WAITED_FOR])) + (sum(map(int, stat[_USED])) if pid != "self" else 0)
        with contextlib.suppress(OSError):
            for thread in (proc / pid / "task").iterdir():
                with contextlib.suppress(OSError):  # it is gone, and another thread has its children
                    found += (thread / "children").read_text().split()
    return ticks


def _tick_ns() -> float:
    return 1e9 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 1e7


def _owner(function: object) -> str:
    module = getattr(function, "__module__", None) or type(function).__module__
    return f"{module.partition('.')[0]}: {getattr(function, '__qualname__', type(function).__qualname__)}"
