"""One session's gate on one device, on synthetic baselines of a quiet machine."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.baselines.schema import BaselineRun, Calibration, Entry, split_nodeid
from pytest_infer.budget import Limit
from pytest_infer.config import Settings
from pytest_infer.device.fingerprint import Device
from pytest_infer.gating import Gate, worse
from pytest_infer.measurement import Measurement
from pytest_infer.stats.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.verdict import Change
    from tests.unit.conftest import MemoryStore

CPU = Device(slug="cpu-x-4c", kind="cpu", name="CPU X", identity={"cores": 4})
WOBBLE = (0.0, 0.001, -0.001)


def run(latency: float, **given: Any) -> Measurement:
    """One run of that latency, and the throughput that goes with it."""
    values: dict[str, Any] = {
        "name": "",
        "workload": {"target": "net.onnx", "batch": 1},
        "digest": "d",
        "metrics": {"latency": latency, "throughput": 1000 / latency},
    }
    return Measurement(**(values | given))


def fresh(latency: float) -> list[Measurement]:
    """Three runs of a session around that latency."""
    return [run(latency * (1 + w)) for w in WOBBLE]


@pytest.fixture
def make_gate(store: MemoryStore) -> Callable[..., Gate]:
    """A gate over the store; its settings are the defaults but for what is given."""
    return lambda **given: Gate(Settings(root=Path(), **given), CPU, store, {"python": "3.11", "commit": "b"})


@pytest.fixture
def gate(make_gate: Callable[..., Gate]) -> Gate:
    """A gate with the default settings."""
    return make_gate()


def entry_of(gate: Gate, test: int = 0) -> Entry:
    """The entry of one of the store's tests (its latency is 1 ms more than its number)."""
    entry = gate.entry(f"test_net.py::test_{test}", run(1.0))
    assert entry is not None
    return entry


def against_baseline(changes: tuple[Change, ...]) -> Change:
    """The one that is compared with the whole baseline."""
    (found,) = [change for change in changes if change.against == "baseline"]
    return found


def screened(gate: Gate, latency: float, *, test: int = 0, metric: str = "latency", tolerance: float = 0.02) -> Change:
    """One run against the store's test."""
    nodeid = f"test_net.py::test_{test}"
    return against_baseline(gate.screen(nodeid, entry_of(gate, test), run(latency), metric, tolerance))


def confirmed(gate: Gate, latency: float, *, metric: str = "latency", tolerance: float = 0.02) -> Change:
    """Three fresh runs against the store's first test."""
    nodeid = "test_net.py::test_0"
    return against_baseline(gate.confirm(nodeid, entry_of(gate), fresh(latency), metric, tolerance))


# --- regressed, improved, neither ------------------------------------------------------------------------------------


def test_the_same_speed_is_not_suspected(gate: Gate) -> None:
    """A run like the baseline's passes the screen, and says what it could have seen."""
    change = screened(gate, 1.0)
    assert not change.suspected
    assert not change.regressed
    assert not change.improved
    assert change.detectable is not None
    assert change.detectable >= change.tolerance == 0.02


def test_one_slow_run_is_suspected_and_no_more(gate: Gate) -> None:
    """The screen alone never shows a regression, however large."""
    change = screened(gate, 3.0)
    assert change.suspected
    assert not change.regressed
    assert change.confirmed == 0


def test_fresh_slow_runs_are_a_regression(gate: Gate) -> None:
    """Its size, interval, both values and what they rest on are told."""
    change = confirmed(gate, 1.5)
    assert (change.suspected, change.regressed, change.improved) == (True, True, False)
    assert change.estimate == pytest.approx(0.5, abs=0.01)
    assert 0.02 < change.low < change.estimate < change.high
    assert change.baseline == pytest.approx(1.0, abs=0.01)
    assert change.current == pytest.approx(1.5, abs=0.01)
    assert (change.runs, change.sessions, change.confirmed, change.provisional) == (15, 3, 3, False)
    assert (change.metric, change.unit, change.tolerance) == ("latency", "ms", 0.02)


def test_fresh_fast_runs_are_an_improvement(gate: Gate) -> None:
    """The mirror of a regression."""
    change = confirmed(gate, 0.6)
    assert (change.regressed, change.improved, change.suspected) == (False, True, False)
    assert change.estimate == pytest.approx(-0.4, abs=0.01)


def test_a_change_below_the_practical_floor_never_regresses(gate: Gate) -> None:
    """However certain: the user said that less than this doesn't matter."""
    assert not confirmed(gate, 1.5, tolerance=0.6).regressed
    assert confirmed(gate, 1.5, tolerance=0.3).regressed


def test_one_fast_run_among_the_fresh_ones_saves_them(gate: Gate) -> None:
    """Every fresh run must lie above the baseline's slowest: a machine of two speeds is no regression."""
    runs = [run(1.5), run(1.5), run(1.0)]
    assert not against_baseline(gate.confirm("test_net.py::test_0", entry_of(gate), runs, "latency", 0.02)).regressed


def test_a_young_baseline_is_provisional(gate: Gate) -> None:
    """Fewer than three sessions lean on a declaration."""
    entry = entry_of(gate)
    young = replace(entry, runs=entry.runs[:10])
    change = against_baseline(gate.confirm("test_net.py::test_0", young, fresh(1.0), "latency", 0.02))
    assert (change.provisional, change.sessions, change.runs) == (True, 2, 10)


def test_drift_is_held_against_the_oldest_session(store: MemoryStore, make_gate: Callable[..., Gate]) -> None:
    """Updates that creep: the baseline has moved along, the anchor hasn't, and tells."""
    file = store.files["cpu-x-4c", "test_net.py"]
    entry = file.entries["test_0 d"]
    later = tuple(replace(r, metrics={k: v * 1.5 for k, v in r.metrics.items()}) for r in entry.runs[5:])
    crept = Entry(workload=entry.workload, runs=(*entry.runs[:5], *later))
    gate = make_gate()
    changes = {c.against: c for c in gate.confirm("test_net.py::test_0", crept, fresh(1.5), "latency", 0.02)}
    assert not changes["baseline"].regressed
    assert changes["anchor"].regressed
    assert changes["anchor"].baseline == pytest.approx(1.0, abs=0.01)
    assert changes["anchor"].estimate == pytest.approx(0.5, abs=0.02)


def test_one_session_is_its_own_anchor(gate: Gate) -> None:
    """It isn't compared with twice."""
    entry = entry_of(gate)
    changes = gate.confirm("test_net.py::test_0", replace(entry, runs=entry.runs[:5]), fresh(1.0), "latency", 0.02)
    assert [change.against for change in changes] == ["baseline"]


def test_more_tests_ask_for_more_evidence(make_gate: Callable[..., Gate]) -> None:
    """The level is divided by their number, so that a large suite alarms falsely no more often than a small one."""
    one, many = make_gate(), make_gate()
    many.tests = 10**12
    assert confirmed(one, 1.5).regressed
    assert not confirmed(many, 1.5).regressed
    assert confirmed(one, 1.5).p == confirmed(many, 1.5).p


def test_one_session_of_a_cpu_accuses_nobody_of_what_cpus_do(
    store: MemoryStore, make_gate: Callable[..., Gate]
) -> None:
    """Half as slow again is what a shared core does between two sessions; many times as slow is not."""
    runs = [{"latency": 1.0 + w} for w in WOBBLE]
    store.put("test_net.py", {f"test_{i}": {"20240101": runs} for i in range(8)})
    assert not confirmed(make_gate(), 1.56).regressed
    assert confirmed(make_gate(), 5.0).regressed


def test_a_declared_session_spread_is_heard(store: MemoryStore, make_gate: Callable[..., Gate]) -> None:
    """On a device that has shown little, a wider declaration makes the gate see less."""
    store.put("test_net.py", {"test_0": {"20240101": [{"latency": 1.0 + w} for w in WOBBLE]}})
    narrow, wide = (confirmed(make_gate(session_prior=sd), 1.0).detectable for sd in (0.001, 0.2))
    assert narrow is not None
    assert wide is not None
    assert narrow < wide


def study(**given: float) -> Calibration:
    """What a study found: a quiet device, but for what is given."""
    values: dict[str, Any] = {"run_sd": 0.001, "session_sd": 0.001, "common_sd": 0.001, "df": 8.0}
    return Calibration(schema=1, tests=8, sessions=5, runs=5, recorded="2024", **(values | given))


def test_a_study_of_the_device_is_heard(store: MemoryStore, make_gate: Callable[..., Gate]) -> None:
    """A device that is known to be quiet sees more in its first session than one that nothing is known of."""
    store.put("test_net.py", {"test_0": {"20240101": [{"latency": 1.0 + w} for w in WOBBLE]}})
    unknown = confirmed(make_gate(), 1.0).detectable
    store.studies[CPU.slug] = study()
    known = confirmed(make_gate(), 1.0).detectable
    assert known is not None
    assert unknown is not None
    assert known < unknown


def test_sizes_are_believed_steadier_than_times(store: MemoryStore, make_gate: Callable[..., Gate]) -> None:
    """No clock moves the size of an engine, whatever was declared of the clock."""
    metrics = [{"latency": 1.0, "engine_size": 1.0}] * 3
    store.put("test_net.py", {"test_0": {"20240101": metrics}})
    gate = make_gate(session_prior=0.2)
    runs = [run(1.0, metrics=metrics[0])] * 3
    nodeid = "test_net.py::test_0"
    size, time = (
        against_baseline(gate.confirm(nodeid, entry_of(gate), runs, m, 0.02)) for m in ("engine_size", "latency")
    )
    assert size.detectable is not None
    assert time.detectable is not None
    assert size.detectable < time.detectable


def test_a_quiet_device_is_not_blind(make_gate: Callable[..., Gate]) -> None:
    """Blind is who could not tell a change of the tolerance from noise; a tolerance above the noise is seen."""
    assert confirmed(make_gate(), 1.0, tolerance=0.02).blind
    assert not confirmed(make_gate(), 1.0, tolerance=0.5).blind


# --- the direction of metrics ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("latency", [0.6, 1.0, 1.5])
def test_throughput_is_judged_as_the_mirror_of_latency(gate: Gate, latency: float) -> None:
    """Half the throughput is as bad as twice the latency, and never an improvement."""
    slow, little = confirmed(gate, latency), confirmed(gate, latency, metric="throughput")
    assert little.estimate == pytest.approx(slow.estimate)
    assert little.p == pytest.approx(slow.p)
    assert (little.regressed, little.improved) == (slow.regressed, slow.improved)
    assert little.unit == "samples/s"
    assert little.baseline == pytest.approx(1000 / slow.baseline)
    assert little.current == pytest.approx(1000 / slow.current)


def test_larger_is_worse_in_the_statistics() -> None:
    """Latencies by their logarithm, throughput and speed-ups by its opposite."""
    assert worse("latency", 2.0) == math.log(2.0)
    assert worse("throughput", 2.0) == -math.log(2.0)
    assert worse("speedup_over_fp32", 2.0) == -math.log(2.0)


# --- what can't be compared ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metrics", [{}, {"host_memory": 0.0}, {"host_memory": -1.0}, {"latency": 1.0}])
def test_what_is_missing_or_not_positive_is_not_compared(gate: Gate, metrics: dict[str, float]) -> None:
    """Memory that didn't grow has no ratio: no change, and no error of arithmetic."""
    entry = Entry(workload={}, runs=tuple(BaselineRun(session="s", metrics={"host_memory": 5.0}) for _ in range(3)))
    measurement = run(1.0, metrics=metrics)
    assert gate.screen("test_net.py::test_0", entry, measurement, "host_memory", 0.02) == ()
    assert gate.confirm("test_net.py::test_0", entry, [measurement, measurement], "host_memory", 0.02) == ()


def test_a_metric_that_the_baseline_lacks_is_not_compared(gate: Gate) -> None:
    """Runs without it, or with none that is positive, are no baseline of it."""
    entry = Entry(
        workload={}, runs=tuple(BaselineRun(session="s", metrics={"latency": 1.0, "load": 0.0}) for _ in range(3))
    )
    assert gate.screen("t.py::t", entry, run(1.0, metrics={"load": 3.0}), "load", 0.02) == ()
    assert gate.screen("t.py::t", entry, run(1.0, metrics={"build": 3.0}), "build", 0.02) == ()


def test_runs_saved_meanwhile_are_compared_all_the_same(store: MemoryStore, gate: Gate) -> None:
    """Another job may record while this one runs: its session is new to this gate, and no trouble."""
    screened(gate, 1.0)
    store.put("test_net.py", {"test_0": {"20250101T000000-bb": [{"latency": 1.0 + w} for w in WOBBLE]}})
    assert not screened(gate, 1.0).suspected


# --- entries and reasons ---------------------------------------------------------------------------------------------


def test_a_node_id_is_a_module_and_a_test() -> None:
    """Ids may hold anything behind."""
    assert split_nodeid("a/test_b.py::TestC::test_d[x::y]") == ("a/test_b.py", "TestC::test_d[x::y]")


def test_an_entry_is_found_by_test_name_and_digest(gate: Gate) -> None:
    """Any other is another."""
    assert gate.entry("test_net.py::test_0", run(1.0)) is not None
    assert gate.entry("test_net.py::test_9", run(1.0)) is None
    assert gate.entry("test_other.py::test_0", run(1.0)) is None
    assert gate.entry("test_net.py::test_0", run(1.0, name="f")) is None
    assert gate.entry("test_net.py::test_0", run(1.0, digest="e")) is None


def test_no_baseline_at_all(store: MemoryStore, gate: Gate) -> None:
    """The device is named, and how to record."""
    store.files.clear()
    told = gate.no_baseline("test_net.py::test_0", run(1.0))
    assert told == "no baseline on cpu-x-4c; record one with --infer-update-baselines"


def test_baselines_of_other_devices_are_named(store: MemoryStore, gate: Gate) -> None:
    """Somebody who wonders where the baseline is learns which devices have one."""
    store.files = {("gpu-y", module): file for (_, module), file in store.files.items()}
    assert "no baseline on cpu-x-4c (there are some for gpu-y)" in gate.no_baseline("test_net.py::test_0", run(1.0))


def test_a_test_that_is_new(gate: Gate) -> None:
    """Other tests of its module have baselines, this one hasn't."""
    told = gate.no_baseline("test_net.py::test_9", run(1.0))
    assert told.startswith("no baseline for this test on cpu-x-4c; record")


def test_a_workload_that_changed_is_told_with_what_changed(gate: Gate) -> None:
    """The entry is there under another digest: the reason is the difference."""
    told = gate.no_baseline("test_net.py::test_0", run(1.0, digest="e", workload={"target": "net.onnx", "batch": 8}))
    assert told.startswith("the baseline is of another workload (batch: 1 → 8); record")
    assert "another digest" in gate.no_baseline("test_net.py::test_0", run(1.0, digest="e"))


def test_entries_of_other_tests_are_no_other_workload(store: MemoryStore, gate: Gate) -> None:
    """Neither a test whose name begins alike nor another measurement of the same test."""
    store.put("test_net.py", {"test_00": {"s": [{"latency": 1.0}]}, "test_0 other": {"s": [{"latency": 1.0}]}})
    assert gate.no_baseline("test_net.py::test_0", run(1.0, digest="e")).startswith("no baseline for this test")


def test_what_differs_from_the_recording_is_told(store: MemoryStore, gate: Gate) -> None:
    """Environment and model, not the commit; nothing where nothing does."""
    store.put("test_net.py", {"test_0": {"s": [{"latency": 1.0}]}}, environment={"python": "3.10", "commit": "a"})
    told = gate.differs("test_net.py::test_0", entry_of(gate), run(1.0, model_digest="n" * 64))
    assert told == ("model: mmmmmmmmmmmm → nnnnnnnnnnnn", "python: 3.10 → 3.11")
    store.put("test_net.py", {"test_0": {"s": [{"latency": 1.0}]}}, environment={"python": "3.11", "commit": "a"})
    assert gate.differs("test_net.py::test_0", entry_of(gate), run(1.0, model_digest="m" * 64)) == ()
    assert gate.differs("test_net.py::test_0", entry_of(gate), run(1.0)) == ()


def test_a_recording_without_its_session_differs_in_nothing_known(store: MemoryStore, gate: Gate) -> None:
    """A merge may have lost it: no error for that."""
    entry = entry_of(gate)
    store.files.clear()
    assert gate.differs("test_net.py::test_0", entry, run(1.0)) == ()


# --- the session's shift ---------------------------------------------------------------------------------------------


def test_from_the_eighth_test_on_the_session_s_shift_is_taken_out(gate: Gate) -> None:
    """Seven others 20 % slower: the eighth, as slow as they, is no longer suspected; the seventh still was."""
    found = [screened(gate, 1.2 * (1.0 + i), test=i) for i in range(8)]
    assert all(change.estimate == pytest.approx(0.2, abs=0.02) for change in found[:7])
    assert found[7].estimate == pytest.approx(0.0, abs=0.02)
    assert not found[7].suspected


def test_a_shift_beyond_every_session_of_the_device_excuses_nothing(gate: Gate) -> None:
    """All tests twenty times slower: that is no session's doing, and the eighth is suspected like the first."""
    found = [screened(gate, 20.0 * (1.0 + i), test=i) for i in range(8)]
    assert all(change.suspected and change.shift is None for change in found)
    assert confirmed(gate, 20.0).regressed


def test_what_was_made_faster_accuses_nothing_else(gate: Gate) -> None:
    """Seven tests five times faster are no faster session: the one that stayed as it was has not become slower."""
    for i in range(1, 8):
        screened(gate, (1.0 + i) / 5.0, test=i)
    change = confirmed(gate, 1.0)
    assert change.shift is None
    assert not change.regressed


def test_the_judged_test_is_no_part_of_the_shift(gate: Gate) -> None:
    """Measured again (a rerun), the seventh has still only six others."""
    for i in range(7):
        screened(gate, 1.2 * (1.0 + i), test=i)
    for _ in range(3):
        assert screened(gate, 1.2 * 7.0, test=6).estimate == pytest.approx(0.2, abs=0.02)


def test_a_regression_beside_seven_quiet_tests_stays_one(gate: Gate) -> None:
    """The shift of the others is nothing, and nothing is taken out."""
    for i in range(1, 8):
        screened(gate, 1.0 + i, test=i)
    assert confirmed(gate, 1.5).regressed


def test_a_session_that_lies_off_as_a_whole_is_told(make_gate: Callable[..., Gate]) -> None:
    """With how much and what it may be; an ordinary shift, too, since it is taken out; not for few tests, nor none."""
    lines = []
    for factor in (2.0, 1.05, 1.0):
        gate = make_gate()
        for i in range(8):
            screened(gate, factor * (1.0 + i), test=i)
        ratios = [ratio for i in range(8) if (ratio := gate.ratio(f"test_net.py::test_{i}", "")) is not None]
        assert len(ratios) == 8
        assert ratios[0] == pytest.approx(math.log(factor), abs=0.01)
        lines.append(gate.session_line(ratios, [3] * 8))
        assert gate.session_line(ratios[:3], [3] * 3) is None
    off, ordinary, usual = lines
    assert off is not None
    assert off[0].startswith(("the whole session is +99.", "the whole session is +100."))
    assert off[1]
    assert ordinary is not None
    assert "as sessions of this device may be" in ordinary[0]
    assert not ordinary[1]
    assert usual is None
    assert make_gate().session_line([], []) is None
    assert make_gate().ratio("test_net.py::test_0", "") is None


# --- budgets ---------------------------------------------------------------------------------------------------------

AT_MOST = Limit(key="max_latency_ms", name="latency", bound=2.0)
AT_LEAST = Limit(key="min_throughput", name="throughput", bound=500.0)


@pytest.mark.parametrize(
    ("share", "standing"),
    [(0.5, Standing.WITHIN), (0.999, Standing.NEAR), (1.9, Standing.NEAR), (2.1, Standing.OVER)],
)
def test_one_run_is_clearly_within_clearly_over_or_near(gate: Gate, share: float, standing: Standing) -> None:
    """By the spread of this device's runs; a floor is the mirror of a ceiling."""
    assert gate.standing(AT_MOST, 2.0 * share) is standing
    assert gate.standing(AT_LEAST, 500.0 / share) is standing


def test_what_is_not_positive_is_held_as_it_is(gate: Gate) -> None:
    """No growth of memory keeps its budget, no throughput breaks it, and neither is an error of arithmetic."""
    assert gate.standing(Limit(key="max_host_memory_mb", name="host_memory", bound=5), 0.0) is Standing.WITHIN
    assert gate.standing(AT_LEAST, 0.0) is Standing.OVER
    assert gate.over(AT_MOST, [0.0, 3.0, 3.0]) is None


def test_fresh_runs_decide_what_was_near(gate: Gate) -> None:
    """Over where their whole interval is, and the sentence says by what; not where it reaches the budget."""
    told = gate.over(AT_MOST, [2.2, 2.21, 2.19])
    assert told is not None
    assert "is above the budget max_latency_ms=2 (98 % interval of 3 fresh runs 2." in told
    assert gate.over(AT_MOST, [2.0, 2.001, 1.999]) is None
    assert gate.over(AT_MOST, [1.8, 1.81, 1.79]) is None
    told = gate.over(AT_LEAST, [450.0, 451.0, 449.0])
    assert told is not None
    assert "is below the budget min_throughput=500 (98 % interval of 3 fresh runs 4" in told


def test_runs_of_a_recording_that_stand_out_are_found(gate: Gate) -> None:
    """One of five 50 % slower; of five alike none; what is not positive is left alone."""
    assert gate.stand_outs([1.0, 1.001, 1.5, 0.999, 1.0], "latency") == [2]
    assert gate.stand_outs([1.0, 1.001, 1.002, 0.999, 1.0], "latency") == []
    assert gate.stand_outs([1.0, 0.0, 1.5], "latency") == []


# --- sessions in a row -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "in_a_row"),
    [
        pytest.param(
            ("2026-03-01T10:00:00+00:00", "2026-03-02T10:00:00+00:00", "2026-03-03T10:00:00+00:00"), False, id="days"
        ),
        pytest.param(
            ("2026-03-01T10:00:00+00:00", "2026-03-01T10:02:00+00:00", "2026-03-01T10:04:00+00:00"), True, id="row"
        ),
        pytest.param(
            ("2026-03-01T10:00:00+00:00", "2026-03-01T10:59:59+00:00", "2026-03-02T10:00:00+00:00"), True, id="two"
        ),
    ],
)
def test_sessions_in_a_row_tell_nothing_of_other_days(
    make_gate: Callable[..., Gate], store: MemoryStore, *, times: tuple[str, ...], in_a_row: bool
) -> None:
    """Less than an hour apart they narrow nothing of what is declared of sessions; the same on three days do."""
    quiet = confirmed(make_gate(), 1.3)
    assert quiet.regressed
    for key, file in store.files.items():
        sessions = dict(zip(file.sessions, times, strict=True))
        changed = {name: replace(file.sessions[name], recorded=time) for name, time in sessions.items()}
        store.files[key] = replace(file, sessions=changed)
    found = confirmed(make_gate(), 1.3)
    assert (found.sessions, found.provisional) == (3, False)
    assert quiet.detectable is not None
    assert found.detectable is not None
    if in_a_row:
        assert found.detectable > 1.5 * quiet.detectable
        assert not found.regressed
    else:
        assert (found.detectable, found.regressed) == (quiet.detectable, True)
