"""Was the CPU disturbed: kernel counters from a made-up /proc, and tracers."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.device.cpu_state import (
    FEWEST_TICKS,
    MAX_STEAL_SHARE,
    CpuState,
    contention,
    crowded,
    disturbance,
    neighbours,
    read_cpu_state,
    tracers,
)

counts = st.integers(0, 10**9)


# --- counters --------------------------------------------------------------------------------------------------------


def test_the_counters_are_the_kernel_s(tmp_path: Path) -> None:
    """Ticks of all cores without the guest's, which are counted in user time already; steal is the eighth."""
    (tmp_path / "stat").write_text("cpu  100 20 30 1000 5 6 7 40 900 900\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
    (tmp_path / "pressure").mkdir()
    (tmp_path / "pressure/cpu").write_text(
        "some avg10=1.00 avg60=0.50 avg300=0.10 total=123456\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=99\n"
    )
    state = read_cpu_state(tmp_path)
    assert (state.total_ticks, state.steal_ticks, state.pressure_us) == (1208, 40, 123456)
    assert state.busy_ticks == 100 + 20 + 30 + 6 + 7


def test_cores_that_we_may_not_use_are_far_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their work is not beside ours: a busy host takes nothing from a container with cores of its own."""
    lines = ["cpu  30 0 0 30 0 0 0 3", "cpu0 10 0 0 20 0 0 0 1", "cpu1 10 0 0 0 0 0 0 1", "cpu2 10 0 0 10 0 0 0 1"]
    (tmp_path / "stat").write_text("\n".join([*lines, "intr 5 0", ""]))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 2})
    state = read_cpu_state(tmp_path)
    assert (state.total_ticks, state.busy_ticks, state.steal_ticks) == (52, 20, 2)


@pytest.mark.parametrize("stat", [None, "", "cpu  1 2 3\n", "nothing here\n"])
def test_what_the_platform_lacks_is_zero(tmp_path: Path, stat: str | None) -> None:
    """No /proc, an old kernel's or another one's: no error, no steal."""
    if stat is not None:
        (tmp_path / "stat").write_text(stat)
    state = read_cpu_state(tmp_path)
    assert (state.steal_ticks, state.pressure_us) == (0, 0)
    assert state.switches >= 0


def test_a_platform_without_resource_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no such module: no switches are counted."""
    monkeypatch.setitem(sys.modules, "resource", None)
    assert read_cpu_state(tmp_path).switches == 0


def test_this_machine_can_be_read() -> None:
    """The real files, twice: counters don't fall."""
    before, after = read_cpu_state(), read_cpu_state()
    assert after.total_ticks >= before.total_ticks
    assert after.switches >= before.switches


# --- helpers ---------------------------------------------------------------------------------------------------------


def process(proc: Path, pid: str, *, used: int = 0, waited_for: int = 0, children: tuple[str, ...] = ()) -> None:
    """Put a process with two threads into a made-up /proc, its ticks half in the kernel, its children by both."""
    for number, thread in enumerate(("1", "2")):
        (proc / pid / "task" / thread).mkdir(parents=True)
        (proc / pid / "task" / thread / "children").write_text(" ".join([*children[number::2], ""]))
    times = [used - used // 2, used // 2, waited_for - waited_for // 2, waited_for // 2]
    (proc / pid / "stat").write_text(f"1 (a) b) c) S {'9 ' * 10}{' '.join(map(str, times))} 9 9\n")


def test_helpers_are_all_that_this_process_started(tmp_path: Path) -> None:
    """Children and theirs, living and waited for, each once; not this process, and nobody else's."""
    process(tmp_path, "self", used=10_000, waited_for=7, children=("20", "30", "gone"))
    process(tmp_path, "20", used=100, waited_for=1, children=("21",))
    process(tmp_path, "21", used=1000)
    process(tmp_path, "30", used=30)
    process(tmp_path, "40", used=50_000, waited_for=50_000)
    assert read_cpu_state(tmp_path).helper_ticks == 7 + 100 + 1 + 1000 + 30


def test_looking_for_helpers_ends(tmp_path: Path) -> None:
    """Also where process ids are given anew while we look."""
    process(tmp_path, "self", children=("20",))
    process(tmp_path, "20", children=("20", "20"))
    assert read_cpu_state(tmp_path).helper_ticks == 0


def test_a_thread_that_ends_hides_no_helper(tmp_path: Path) -> None:
    """The others' children are told all the same."""
    process(tmp_path, "self", children=("20", "30"))
    process(tmp_path, "30", used=30)
    (tmp_path / "self/task/1/children").unlink()
    assert read_cpu_state(tmp_path).helper_ticks == 30


@pytest.mark.skipif(not Path(f"/proc/self/task/{os.getpid()}/children").exists(), reason="this kernel has no lists")
def test_a_real_helper_counts_once() -> None:
    """While it lives and when it has been waited for."""
    before = read_cpu_state().helper_ticks
    burn = "sum(range(20_000_000)); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as helper:
        assert helper.stdout is not None
        helper.stdout.readline()
        living = read_cpu_state().helper_ticks
        helper.communicate(b"\n")
    dead = read_cpu_state().helper_ticks
    assert living > before
    assert living <= dead < living + (living - before)


# --- steal -----------------------------------------------------------------------------------------------------------


@given(counts, counts, st.integers(1, 10**6), st.floats(0, 1))
def test_steal_above_the_promised_share_disturbs(total: int, steal: int, elapsed: int, share: float) -> None:
    """Of the ticks between the two states, whatever the counters were before."""
    stolen = round(elapsed * share)
    before = CpuState(total_ticks=total, steal_ticks=steal)
    after = CpuState(total_ticks=total + elapsed, steal_ticks=steal + stolen)
    told = disturbance(before, after)
    assert bool(told) == (stolen / elapsed > MAX_STEAL_SHARE)


def test_the_reason_has_the_share() -> None:
    """Someone reads it in a log: how much, and how much is too much."""
    (told,) = disturbance(CpuState(), CpuState(total_ticks=200, steal_ticks=30))
    assert "15%" in told
    assert "more than 5%" in told


@given(counts, counts)
def test_pressure_and_switches_alone_disturb_nothing(pressure: int, switches: int) -> None:
    """A network's own threads make both: they are no reason against a run."""
    assert disturbance(CpuState(), CpuState(total_ticks=100, pressure_us=pressure, switches=switches)) == ()


def test_no_time_between_is_no_disturbance() -> None:
    """Too short for one tick: nothing is divided by zero."""
    assert disturbance(CpuState(total_ticks=5), CpuState(total_ticks=5, steal_ticks=3)) == ()


# --- contention ------------------------------------------------------------------------------------------------------

shares = st.floats(0, 1)


def test_contention_is_a_share_and_a_rate() -> None:
    """Half of two seconds waited, thirty switches in them."""
    before, after = CpuState(pressure_us=500, switches=5), CpuState(pressure_us=1_000_500, switches=35)
    assert contention(before, after, 2_000_000_000) == {"pressure": 0.5, "switches": 15.0}


def test_no_time_between_is_no_division_by_zero() -> None:
    """Too short to tell is no error."""
    assert contention(CpuState(), CpuState(), 0) == {"pressure": 0.0, "switches": 0.0}


@given(st.lists(st.fixed_dictionaries({"pressure": shares, "switches": st.floats(0, 1e4)}), min_size=1, max_size=5))
def test_what_was_there_at_the_recording_is_no_crowd(recorded: list[dict[str, float]]) -> None:
    """A network's own threads compete with each other, then as now."""
    assert all(crowded(run, recorded) == () for run in recorded)


@given(shares, st.lists(shares, min_size=1, max_size=5), shares)
def test_more_recorded_contention_explains_more(now: float, recorded: list[float], more: float) -> None:
    """A run that is no crowd against some runs is none against these and another."""
    runs = [{"pressure": share} for share in recorded]
    assert crowded({"pressure": now}, runs) or not crowded({"pressure": now}, [*runs, {"pressure": more}])


def test_a_crowd_is_told_with_both_figures() -> None:
    """What it was, and what it was at most when the baseline was recorded."""
    told = crowded({"pressure": 0.9, "switches": 9000.0}, [{"pressure": 0.1, "switches": 10.0}, {"pressure": 0.2}])
    assert [("0.9" in told[0], "0.2" in told[0]), ("9e+03" in told[1], "10" in told[1])] == [(True, True)] * 2


@pytest.mark.parametrize(
    ("now", "recorded"), [({}, [{"pressure": 0.1}]), ({"pressure": 1.0}, []), ({"pressure": 1.0}, [{}])]
)
def test_nothing_known_is_nothing_against_a_run(now: dict[str, float], recorded: list[dict[str, float]]) -> None:
    """Older baselines and other platforms have no such figures."""
    assert crowded(now, recorded) == ()


tick_ns = 10**9 // os.sysconf("SC_CLK_TCK")


@given(st.integers(FEWEST_TICKS, 10**6), shares, shares, shares)
def test_what_others_took_is_what_was_busy_less_our_own(ticks: int, busy: float, ours: float, helpers: float) -> None:
    """A share of all cores' time; never below nothing, though the clocks tick apart."""
    used, own, helped = round(ticks * busy), round(ticks * ours), round(ticks * helpers)
    after = CpuState(total_ticks=ticks, busy_ticks=used, own_ns=own * tick_ns, helper_ticks=helped)
    found = contention(CpuState(), after, 10**9)["others"]
    assert found == pytest.approx(max(0.0, (used - own - helped) / ticks), abs=1e-9)


def test_code_that_got_helpers_is_not_excused_by_them() -> None:
    """It keeps every core busy by processes of its own, as it did not when the baseline was recorded."""
    now = contention(CpuState(), CpuState(total_ticks=100, busy_ticks=100, own_ns=10 * tick_ns, helper_ticks=90), 10**9)
    assert neighbours(now, [{"others": 0.0}]) == ()


def test_a_helper_that_nobody_waited_for_takes_nothing_away() -> None:
    """Its time is told no more: what others took is not more for that than all that was taken."""
    before = CpuState(helper_ticks=1000)
    after = CpuState(total_ticks=100, busy_ticks=40, own_ns=30 * tick_ns)
    assert contention(before, after, 10**9)["others"] == pytest.approx(0.1)


def test_a_platform_without_ticks_tells_nothing_of_others() -> None:
    """No /proc: nothing is claimed."""
    assert "others" not in contention(CpuState(), CpuState(own_ns=5), 10**9)


def test_too_few_ticks_tell_nothing_of_others() -> None:
    """One that is off at either end would be a share that excuses something."""
    after = CpuState(total_ticks=FEWEST_TICKS - 1, busy_ticks=FEWEST_TICKS - 1)
    assert "others" not in contention(CpuState(), after, 10**8)


def test_our_own_work_is_not_that_of_others() -> None:
    """On the real machine: what others take is what is left when our own threads' time is taken away."""
    before = read_cpu_state()
    sum(range(3_000_000))
    after = read_cpu_state()
    assert after.own_ns > before.own_ns


def test_neighbours_are_told_with_both_figures() -> None:
    """What other processes took, and what they took at most when the baseline was recorded."""
    (told,) = neighbours({"others": 0.4}, [{"others": 0.02}, {"others": 0.1}])
    assert "40%" in told
    assert "at most 10%" in told


@given(st.lists(shares, min_size=1, max_size=5))
def test_neighbours_of_the_recording_are_no_news(recorded: list[float]) -> None:
    """In a container the kernel tells of a whole busy machine, then as now."""
    assert all(neighbours({"others": now}, [{"others": share} for share in recorded]) == () for now in recorded)


@pytest.mark.parametrize(("now", "recorded"), [({}, [{"others": 0.1}]), ({"others": 1.0}, [{}]), ({"others": 1.0}, [])])
def test_neighbours_nobody_knew_are_nothing_against_a_run(
    now: dict[str, float], recorded: list[dict[str, float]]
) -> None:
    """Older baselines and other platforms have no such figure."""
    assert neighbours(now, recorded) == ()


# --- tracers ---------------------------------------------------------------------------------------------------------


def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide what really watches this run (coverage does)."""
    monkeypatch.setattr(sys, "gettrace", lambda: None)
    monkeypatch.setattr(sys, "getprofile", lambda: None)
    monkeypatch.setattr(sys, "monitoring", None, raising=False)


class Debugger:
    """A tracer that is an object, as debuggers' are."""

    def dispatch(self) -> None:
        """Trace."""


def test_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual case says nothing."""
    _quiet(monkeypatch)
    assert tracers() == ()


@pytest.mark.parametrize(
    ("tracer", "named"), [(Debugger().dispatch, "Debugger.dispatch"), (Debugger(), "Debugger"), (print, "print")]
)
def test_a_trace_function_is_named(monkeypatch: pytest.MonkeyPatch, tracer: object, named: str) -> None:
    """Function, method or object: whose it is stands in the reason."""
    _quiet(monkeypatch)
    monkeypatch.setattr(sys, "gettrace", lambda: tracer)
    (told,) = tracers()
    assert "trace function" in told
    assert named in told


def test_a_profiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Profilers slow every call."""
    _quiet(monkeypatch)
    monkeypatch.setattr(sys, "getprofile", lambda: Debugger)
    (told,) = tracers()
    assert "profile function" in told
    assert "Debugger" in told


def test_users_of_sys_monitoring_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Newer Pythons' way to watch, slot by slot."""
    _quiet(monkeypatch)
    slots = {1: "coverage", 5: "optimizer"}
    monkeypatch.setattr(sys, "monitoring", types.SimpleNamespace(get_tool=slots.get), raising=False)
    assert tracers() == ("sys.monitoring is used by coverage", "sys.monitoring is used by optimizer")
