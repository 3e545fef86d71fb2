"""The staged decision of one test: screen, fresh runs where something is suspected, verdict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.config import Settings
from pytest_infer.decision import Decision
from pytest_infer.device.fingerprint import Device
from pytest_infer.errors import MeasurementError
from pytest_infer.gating import Gate
from pytest_infer.marker import parse
from pytest_infer.measurement import Measurement
from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.result import Result
    from tests.unit.conftest import MemoryStore

CPU = Device(slug="cpu-x-4c", kind="cpu", name="CPU X", identity={"cores": 4})
WOBBLE = (0.0, 0.001, -0.001, 0.0005, -0.0005)


def run(latency: float, **given: Any) -> Measurement:
    """One run of that latency."""
    metrics = {"latency": latency, "throughput": 1000 / latency}
    values: dict[str, Any] = {"name": "", "workload": {"batch": 1}, "digest": "d", "metrics": metrics}
    return Measurement(**(values | given))


class Workers:
    """Fresh processes that measure what they are told, and remember how many were asked for."""

    def __init__(self, latency: float | None, **given: Any) -> None:
        """Measure that latency; None: no process is allowed."""
        self.asked: list[int] = []
        self._latency = latency
        self._given = given

    def __call__(self, count: int) -> list[tuple[Measurement, ...]]:
        """Run."""
        self.asked.append(count)
        if self._latency is None:
            return []
        return [(run(self._latency * (1 + WOBBLE[i % 5]), **self._given),) for i in range(count)]


@pytest.fixture
def make_decision(store: MemoryStore) -> Callable[..., Decision]:
    """A decision on `test_0` (1 ms in the store) under some marker and settings."""

    def make(test: str = "test_0", marker: dict[str, Any] | None = None, **given: Any) -> Decision:
        settings = Settings(root=Path(), **given)
        return Decision(f"test_net.py::{test}", parse(marker or {}), settings, Gate(settings, CPU, store, {}))

    return make


def only(results: tuple[Result, ...]) -> Result:
    """The one result."""
    (result,) = results
    return result


# --- against the baseline --------------------------------------------------------------------------------------------


def test_the_same_speed_passes_at_once(make_decision: Callable[..., Decision]) -> None:
    """The screen is enough: no process is started."""
    workers = Workers(1.0)
    result = only(make_decision().compare([run(1.0)], workers))
    assert (result.outcome, result.failed, result.reasons) == (Outcome.PASSED, False, ())
    assert workers.asked == []
    assert result.changes
    assert all(change.detectable for change in result.changes)


def test_a_slow_run_is_confirmed_by_fresh_ones(make_decision: Callable[..., Decision]) -> None:
    """As many as --infer-confirm says; these alone enter the test, and the test fails."""
    workers = Workers(1.5)
    result = only(make_decision(confirm=4).compare([run(3.0)], workers))
    assert workers.asked == [4]
    assert (result.outcome, result.failed) == (Outcome.REGRESSED, True)
    assert "latency 1.5 ms is 50" in result.reasons[0]
    assert result.changes[0].confirmed == 4
    assert result.measurement.metrics["latency"] == 3.0


def test_a_hiccup_among_fresh_runs_hides_no_regression(make_decision: Callable[..., Decision]) -> None:
    """One that stands out above the others is made again, twice at most; a fast one stays, and speaks for the code."""

    def judged(*levels: float) -> tuple[Outcome, list[int]]:
        asked, following = [], iter(levels)

        def workers(count: int) -> list[tuple[Measurement, ...]]:
            asked.append(count)
            return [(run(next(following)),) for _ in range(count)]

        return only(make_decision().compare([run(1.5)], workers)).outcome, asked

    assert judged(1.3, 1.31, 4.0, 1.3) == (Outcome.REGRESSED, [3, 1])
    assert judged(1.3, 1.31, 4.0, 3.9, 4.1) == (Outcome.INCONCLUSIVE, [3, 1, 1])
    assert judged(1.3, 1.31, 1.0) == (Outcome.INCONCLUSIVE, [3])


def test_what_the_fastest_fresh_run_proves_needs_no_other(make_decision: Callable[..., Decision]) -> None:
    """However far slower code spreads: where the fastest run is beyond doubt, the others' spread hides nothing."""
    fresh: list[tuple[Measurement, ...]] = [(run(level),) for level in (1.5, 1.51, 4.0)]
    result = only(make_decision().compare([run(1.5)], lambda _: fresh))
    assert result.outcome is Outcome.REGRESSED
    assert result.changes[0].p < 0.001
    assert result.changes[0].low > 0


def test_a_slow_run_that_was_an_accident_passes(make_decision: Callable[..., Decision]) -> None:
    """Where a change of the tolerance would have been seen."""
    decision = make_decision(marker={"max_regression": 0.5})
    assert only(decision.compare([run(3.0)], Workers(1.0))).outcome is Outcome.PASSED


def test_a_suspicion_that_can_t_be_settled_is_inconclusive(make_decision: Callable[..., Decision]) -> None:
    """Where it could not have been seen; it fails under --infer-strict only."""
    marker = {"max_regression": 0.0001}
    result = only(make_decision(marker=marker).compare([run(3.0)], Workers(1.0)))
    assert (result.outcome, result.failed) == (Outcome.INCONCLUSIVE, False)
    assert only(make_decision(marker=marker, strict=True).compare([run(3.0)], Workers(1.0))).failed


def test_without_processes_a_suspicion_stays_one(make_decision: Callable[..., Decision]) -> None:
    """--infer-isolate=never: nothing could have been seen, and it is said so."""
    result = only(make_decision(isolate="never", marker={"max_regression": 0.5}).compare([run(3.0)], Workers(None)))
    assert (result.outcome, result.failed) == (Outcome.INCONCLUSIVE, False)
    assert result.changes[0].detectable is None
    assert "detectable nothing" in result.reasons[0]


def test_an_improvement_is_told(make_decision: Callable[..., Decision]) -> None:
    """It fails nothing, and says by how much."""
    result = only(make_decision().compare([run(0.5)], Workers(0.5)))
    assert (result.outcome, result.failed) == (Outcome.IMPROVED, False)
    assert "50.0% better" in result.reasons[0]


def test_a_run_far_too_fast_is_no_witness(make_decision: Callable[..., Decision]) -> None:
    """What is fast in the suite's process alone is judged by fresh ones: slower code is found, as fast code passes."""
    for fresh, outcome in ((3.0, Outcome.REGRESSED), (1.0, Outcome.PASSED), (0.5, Outcome.IMPROVED)):
        workers = Workers(fresh)
        result = only(make_decision(marker={"max_regression": 0.5}).compare([run(0.4)], workers))
        assert (result.outcome, workers.asked) == (outcome, [3])


def test_only_the_suspected_metric_is_judged_anew(make_decision: Callable[..., Decision]) -> None:
    """The other passed the screen, and stays as the screen saw it."""
    screening = run(3.0, metrics={"latency": 3.0, "throughput": 1000.0})
    marker = {"gate": ("latency", "throughput"), "max_regression": 0.0001}
    changes = only(make_decision(marker=marker).compare([screening], Workers(1.0))).changes
    assert {c.confirmed for c in changes if c.metric == "latency" and c.against == "baseline"} == {3}
    assert {(c.confirmed, c.suspected) for c in changes if c.metric == "throughput"} == {(0, False)}


def test_baseline_mode_off_looks_at_no_baseline(make_decision: Callable[..., Decision]) -> None:
    """Budgets only."""
    workers = Workers(3.0)
    result = only(make_decision(baseline_mode="off").compare([run(3.0)], workers))
    assert (result.outcome, result.changes, workers.asked) == (Outcome.PASSED, (), [])


@pytest.mark.parametrize(("mode", "failed"), [("compare", False), ("require", True)])
def test_a_missing_baseline(make_decision: Callable[..., Decision], mode: str, failed: bool) -> None:  # noqa: FBT001
    """Told always, a failure under `require`."""
    result = only(make_decision("test_new", baseline_mode=mode).compare([run(1.0)], Workers(1.0)))
    assert (result.outcome, result.failed) == (Outcome.NO_BASELINE, failed)
    assert "record one with --infer-update-baselines" in result.reasons[0]


def test_a_metric_that_the_baseline_lacks_is_told(make_decision: Callable[..., Decision]) -> None:
    """A gate that was widened since the recording doesn't pass in silence."""
    screening = run(1.0, metrics={"latency": 1.0, "p99_latency": 2.0})
    result = only(make_decision(marker={"gate": ("latency", "p99_latency")}).compare([screening], Workers(1.0)))
    assert result.outcome is Outcome.NO_BASELINE
    assert "p99_latency" in result.reasons[0]


def test_an_empty_gate_compares_nothing(make_decision: Callable[..., Decision]) -> None:
    """`gate=()` is how a test says that budgets are all it wants."""
    result = only(make_decision(marker={"gate": ()}).compare([run(3.0)], Workers(3.0)))
    assert (result.outcome, result.changes) == (Outcome.PASSED, ())


def test_each_measurement_of_a_test_has_its_own_verdict(make_decision: Callable[..., Decision]) -> None:
    """One of two slow: only that one fails, and one round of fresh processes serves both."""

    def workers(count: int) -> list[tuple[Measurement, ...]]:
        return [(run(1.5 * (1 + WOBBLE[i])), run(1.0, name="f")) for i in range(count)]

    results = make_decision().compare([run(1.5), run(1.0, name="f")], workers)
    assert [result.outcome for result in results] == [Outcome.REGRESSED, Outcome.NO_BASELINE]


def test_fresh_processes_that_measure_something_else_are_an_error(make_decision: Callable[..., Decision]) -> None:
    """A workload that depends on its process can't be confirmed, and is not waved through."""
    with pytest.raises(MeasurementError, match="3 of 3 fresh processes did not measure the engine"):
        make_decision().compare([run(3.0)], Workers(1.0, digest="e"))


# --- budgets ---------------------------------------------------------------------------------------------------------


def test_a_clear_violation_fails_at_once(make_decision: Callable[..., Decision]) -> None:
    """No process is started to see the obvious."""
    workers = Workers(1.0)
    result = only(make_decision(marker={"max_latency_ms": 0.1}).compare([run(1.0)], workers))
    assert (result.outcome, result.failed, workers.asked) == (Outcome.OVER_BUDGET, True, [])
    assert result.reasons == ("latency 1 ms is above the budget max_latency_ms=0.1",)


@pytest.mark.parametrize(("latency", "outcome"), [(1.1, Outcome.OVER_BUDGET), (0.99, Outcome.PASSED)])
def test_a_budget_that_is_near_is_decided_by_fresh_runs(
    make_decision: Callable[..., Decision], latency: float, outcome: Outcome
) -> None:
    """Whichever side the single run was on; where they clear what it showed, that is told."""
    for single in (0.999, 1.001):
        workers = Workers(latency)
        decision = make_decision(marker={"max_latency_ms": 1.0}, baseline_mode="off")
        result = only(decision.compare([run(single)], workers))
        assert (result.outcome, workers.asked) == (outcome, [3])
        if outcome is Outcome.PASSED and single > 1:
            told = (
                "latency 1.001 ms is above the budget max_latency_ms=1 in this run, and 3 fresh ones don't confirm it"
            )
            assert (result.reasons, result.cleared) == ((), (told,))
        else:
            assert bool(result.reasons) == (outcome is Outcome.OVER_BUDGET)
            assert result.cleared == ()


def test_without_processes_a_near_budget_is_as_seen(make_decision: Callable[..., Decision]) -> None:
    """The single run's word is all there is."""
    for latency, outcome in ((1.001, Outcome.OVER_BUDGET), (0.999, Outcome.PASSED)):
        decision = make_decision(marker={"max_latency_ms": 1.0}, baseline_mode="off", isolate="never")
        assert only(decision.compare([run(latency)], Workers(None))).outcome is outcome


@pytest.mark.parametrize(
    ("others", "latency", "fresh_others", "fresh_latency", "asked", "outcome"),
    [
        pytest.param(0.6, 100.0, 0.6, 0.9, [3], Outcome.PASSED, id="fresh ones are within"),
        pytest.param(0.6, 100.0, 0.6, 100.0, [3, 3, 3], Outcome.INVALID, id="never left alone"),
        pytest.param(0.6, 100.0, 0.02, 100.0, [3], Outcome.OVER_BUDGET, id="left alone later"),
        pytest.param(0.2, 3.5, 0.2, 3.5, [3, 3, 3], Outcome.INVALID, id="some others, some excess"),
        pytest.param(0.2, 10.0, 0.2, 10.0, [], Outcome.OVER_BUDGET, id="more than some others explain"),
        pytest.param(0.05, 3.5, 0.05, 3.5, [], Outcome.OVER_BUDGET, id="a machine's own background"),
    ],
)
def test_a_budget_broken_while_others_had_the_cpu(
    make_decision: Callable[..., Decision],
    others: float,
    latency: float,
    fresh_others: float,
    fresh_latency: float,
    asked: list[int],
    outcome: Outcome,
) -> None:
    """It takes fresh runs; where others had it all the time, nobody knows, and the reasons say both."""
    workers = Workers(fresh_latency, contention={"others": fresh_others})
    decision = make_decision(marker={"max_latency_ms": 1.0}, baseline_mode="off")
    result = only(decision.compare([run(latency, contention={"others": others})], workers))
    assert (result.outcome, workers.asked) == (outcome, asked)
    if outcome is Outcome.INVALID:
        share, seeming = result.reasons
        assert share == f"other processes took {fresh_others:.0%} of the CPU time"
        assert seeming.startswith("not believed: latency ")
        assert "is above the budget max_latency_ms=1" in seeming


def test_what_no_cpu_moves_is_over_budget_whoever_else_ran(make_decision: Callable[..., Decision]) -> None:
    """A file is as large as it is."""
    measured = run(1.0, metrics={"latency": 1.0, "engine_size": 3.0}, contention={"others": 0.9})
    workers = Workers(1.0)
    decision = make_decision(marker={"max_engine_mb": 1.0}, baseline_mode="off")
    assert only(decision.compare([measured], workers)).outcome is Outcome.OVER_BUDGET
    assert workers.asked == []


@pytest.mark.parametrize(
    ("marker", "metric"), [({"max_build_s": 1.0}, "build"), ({"min_speedup_over": {"fp32": 9.0}}, "speedup_over_fp32")]
)
def test_what_nobody_watched_takes_fresh_runs(
    make_decision: Callable[..., Decision], marker: dict[str, Any], metric: str
) -> None:
    """A build is over before anyone looks whether the machine is left alone, and of two engines one is watched."""
    within = 0.5 if metric == "build" else 20.0
    for value, outcome in ((within, Outcome.PASSED), (3.0, Outcome.OVER_BUDGET)):
        workers = Workers(1.0, metrics={"latency": 1.0, metric: value})
        decision = make_decision(marker=marker, baseline_mode="off")
        result = only(decision.compare([run(1.0, metrics={"latency": 1.0, metric: 3.0})], workers))
        assert (result.outcome, workers.asked) == (outcome, [3])


def test_runs_that_were_left_alone_break_a_budget_by_themselves(make_decision: Callable[..., Decision]) -> None:
    """Two of three are enough; the third excuses nothing."""

    def workers(count: int) -> list[tuple[Measurement, ...]]:
        shares = (0.02, 0.9, 0.03)
        return [(run(100.0, contention={"others": share}),) for share in shares[:count]]

    decision = make_decision(marker={"max_latency_ms": 1.0}, baseline_mode="off")
    screening = run(100.0, contention={"others": 0.9})
    assert only(decision.compare([screening], workers)).outcome is Outcome.OVER_BUDGET


def test_what_fails_is_not_hidden_by_a_budget_that_can_not_be_told(make_decision: Callable[..., Decision]) -> None:
    """Wrong outputs of fresh runs, and a baseline that is required and missing."""
    crowd = {"others": 0.7}
    marker = {"max_latency_ms": 1.0, "min_cosine": 0.9}
    good, bad = {"cosine": 1.0}, {"cosine": 0.1}
    wrong = Workers(100.0, contention=crowd, accuracy=bad)
    decision = make_decision(marker=marker, baseline_mode="off")
    result = only(decision.compare([run(100.0, contention=crowd, accuracy=good)], wrong))
    assert result.outcome is Outcome.INACCURATE
    decision = make_decision("test_unknown", marker={"max_latency_ms": 1.0}, baseline_mode="require")
    result = only(decision.compare([run(100.0, contention=crowd)], Workers(100.0, contention=crowd)))
    assert (result.outcome, result.failed) == (Outcome.NO_BASELINE, True)


def test_without_processes_a_budget_broken_among_others_is_not_believed(make_decision: Callable[..., Decision]) -> None:
    """The single run's word is all there is, and it is worth nothing."""
    decision = make_decision(marker={"max_latency_ms": 1.0}, baseline_mode="off", isolate="never")
    result = only(decision.compare([run(50.0, contention={"others": 0.7})], Workers(None)))
    assert result.outcome is Outcome.INVALID


def test_a_regression_is_told_though_a_budget_can_not_be(make_decision: Callable[..., Decision]) -> None:
    """Its own rule believes it."""
    workers = Workers(3.0, contention={"others": 0.7})
    result = only(
        make_decision(marker={"max_latency_ms": 1.2}).compare([run(3.0, contention={"others": 0.7})], workers)
    )
    assert result.outcome is Outcome.REGRESSED


def test_a_budget_wins_over_a_regression(make_decision: Callable[..., Decision]) -> None:
    """Both hold: over budget is what is said."""
    result = only(make_decision(marker={"max_latency_ms": 1.2}).compare([run(3.0)], Workers(3.0)))
    assert result.outcome is Outcome.OVER_BUDGET


# --- outputs and disturbance -----------------------------------------------------------------------------------------


def test_broken_accuracy_is_told_first_with_where_it_comes_from(make_decision: Callable[..., Decision]) -> None:
    """No speed of a wrong engine is judged, and no process is started for it."""
    workers = Workers(1.0)
    screening = run(3.0, accuracy={"cosine": 0.5}, accuracy_notes=("reference: fp32",))
    result = only(make_decision(marker={"min_cosine": 0.9}).compare([screening], workers))
    assert (result.outcome, result.failed, workers.asked) == (Outcome.INACCURATE, True, [])
    assert result.reasons == ("cosine 0.5 is below the budget min_cosine=0.9 (reference: fp32)",)
    assert result.changes == ()


def test_outputs_that_are_not_finite_need_no_budget(make_decision: Callable[..., Decision]) -> None:
    """They are inaccurate whatever was asked."""
    result = only(make_decision().compare([run(1.0, non_finite=("output 'y': NaN",))], Workers(1.0)))
    assert (result.outcome, result.reasons) == (Outcome.INACCURATE, ("output 'y': NaN",))


def test_without_a_budget_the_precisions_own_tolerance_holds(make_decision: Callable[..., Decision]) -> None:
    """It says that it is the default, and how to set another; with any accuracy budget it holds no more."""
    figures = {"accuracy": {"cosine": 0.5}, "accuracy_notes": ("reference: x",)}
    screening = run(1.0, workload={"precision": "fp32"}, **figures)
    result = only(make_decision().compare([screening], Workers(1.0)))
    assert (result.outcome, result.failed) == (Outcome.INACCURATE, True)
    assert "the default tolerance for fp32" in result.reasons[0]
    assert result.reasons[0].endswith("(reference: x)")
    for marker in ({"min_cosine": 0.4}, {"max_abs_error": 1}):
        assert only(make_decision(marker=marker).compare([screening], Workers(1.0))).outcome is Outcome.PASSED


@pytest.mark.parametrize("strict", [False, True])
def test_a_disturbed_run_is_invalid(make_decision: Callable[..., Decision], strict: bool) -> None:  # noqa: FBT001
    """Nothing it shows is believed; it fails under --infer-strict only."""
    workers = Workers(3.0)
    screening = run(3.0, disturbed=("a tracer",), accuracy={"cosine": 0.1})
    result = only(make_decision(strict=strict, marker={"min_cosine": 0.9}).compare([screening], workers))
    assert (result.outcome, result.failed, result.reasons) == (Outcome.INVALID, strict, ("a tracer",))
    assert workers.asked == []


def test_more_contention_than_when_it_was_recorded_is_a_disturbance(
    store: MemoryStore, make_decision: Callable[..., Decision]
) -> None:
    """Fresh runs that waited more than any recorded one show no regression, unless waiting can not explain it."""
    file = store.files["cpu-x-4c", "test_net.py"]
    entry = file.entries["test_0 d"]
    runs = tuple(replace(r, contention={"pressure": 0.1}) for r in entry.runs)
    store.files["cpu-x-4c", "test_net.py"] = replace(file, entries={"test_0 d": replace(entry, runs=runs)})

    def outcome(latency: float, pressure: float) -> Outcome:
        crowd = run(latency, contention={"pressure": 0.9})
        fresh = Workers(latency, contention={"pressure": pressure})
        return only(make_decision().compare([crowd], fresh)).outcome

    assert outcome(3.0, 0.9) is Outcome.INVALID
    assert outcome(3.0, 0.1) is Outcome.REGRESSED
    assert outcome(20.0, 0.9) is Outcome.REGRESSED
    assert outcome(1.0, 0.9) is Outcome.PASSED


def test_what_other_processes_may_have_done_fails_nothing(
    store: MemoryStore, make_decision: Callable[..., Decision]
) -> None:
    """Where others took the CPU as they did not at the recording, no slowness is the code's for certain."""
    file = store.files["cpu-x-4c", "test_net.py"]
    entry = file.entries["test_0 d"]
    runs = tuple(replace(r, contention={"others": 0.02}) for r in entry.runs)
    store.files["cpu-x-4c", "test_net.py"] = replace(file, entries={"test_0 d": replace(entry, runs=runs)})

    def outcome(latency: float, others: float) -> Outcome:
        return only(make_decision().compare([run(latency)], Workers(latency, contention={"others": others}))).outcome

    assert outcome(20.0, 0.4) is Outcome.INVALID
    assert outcome(20.0, 0.03) is Outcome.REGRESSED
    assert outcome(1.0, 0.4) is Outcome.PASSED


def test_what_no_cpu_moves_is_not_excused_by_other_processes(
    store: MemoryStore, make_decision: Callable[..., Decision]
) -> None:
    """An engine that grew is larger whatever else ran; a slower one beside others is told, and not believed."""
    file = store.files["cpu-x-4c", "test_net.py"]
    entry = file.entries["test_0 d"]
    runs = tuple(
        replace(r, metrics={**r.metrics, "engine_size": 10.0}, contention={"others": 0.02}) for r in entry.runs
    )
    store.files["cpu-x-4c", "test_net.py"] = replace(file, entries={"test_0 d": replace(entry, runs=runs)})

    def result(latency: float, size: float) -> Result:
        given = {"metrics": {"latency": latency, "engine_size": size}, "contention": {"others": 0.4}}
        decision = make_decision(marker={"gate": ("latency", "engine_size")})
        return only(decision.compare([run(latency, **given)], Workers(latency, **given)))

    assert result(1.0, 20.0).outcome is Outcome.REGRESSED
    beside = result(3.0, 10.0)
    assert beside.outcome is Outcome.INVALID
    assert beside.reasons[-1].startswith("not believed: latency 3 ms is ")


def test_a_slower_core_is_not_slower_code(store: MemoryStore, make_decision: Callable[..., Decision]) -> None:
    """Runs on a core slower than any recorded one saw it are made again, and show nothing while it stays so.

    Up to a factor of four, and only by the same Python.
    """
    file = store.files["cpu-x-4c", "test_net.py"]
    entry = file.entries["test_0 d"]
    runs = tuple(replace(r, contention={"pulse_us cpython-311": 50.0 + i}) for i, r in enumerate(entry.runs))
    store.files["cpu-x-4c", "test_net.py"] = replace(file, entries={"test_0 d": replace(entry, runs=runs)})

    def outcome(latency: float, *pulses: float, python: str = "cpython-311") -> tuple[Outcome, list[int]]:
        left, asked = iter(pulses), list[int]()

        def fresh(count: int) -> list[tuple[Measurement, ...]]:
            asked.append(count)
            return [(run(latency, contention={f"pulse_us {python}": next(left)}),) for _ in range(count)]

        return only(make_decision().compare([run(latency)], fresh)).outcome, asked

    assert outcome(1.6, 90, 90, 90, 90, 90, 90, 90, 90, 90) == (Outcome.INVALID, [3, 3, 3])
    assert outcome(1.6, 90, 51, 90, 52, 53) == (Outcome.REGRESSED, [3, 2])
    assert outcome(1.6, 51, 52, 55) == (Outcome.REGRESSED, [3])
    assert outcome(20.0, 90, 90, 90) == (Outcome.REGRESSED, [3])
    assert outcome(1.6, 90, 90, 90, python="cpython-399") == (Outcome.REGRESSED, [3])


def test_disturbed_fresh_runs_show_nothing(make_decision: Callable[..., Decision]) -> None:
    """A suspicion that only disturbed runs confirm is invalid, each reason told once, and what was not believed."""
    result = only(make_decision().compare([run(3.0)], Workers(3.0, disturbed=("steal",))))
    assert (result.outcome, result.failed) == (Outcome.INVALID, False)
    steal, *unbelieved = result.reasons
    assert steal == "steal"
    assert all(text.startswith("not believed: latency 3") for text in unbelieved)
    assert len(unbelieved) == len(set(unbelieved)) == len(result.changes)


def test_fresh_runs_that_are_wrong_fail(make_decision: Callable[..., Decision]) -> None:
    """An engine that is right once and wrong in another process is inaccurate."""
    workers = Workers(3.0, accuracy={"cosine": 0.5})
    screening = run(3.0, accuracy={"cosine": 0.95})
    result = only(make_decision(marker={"min_cosine": 0.9}).compare([screening], workers))
    assert result.outcome is Outcome.INACCURATE


# --- recording -------------------------------------------------------------------------------------------------------


def test_a_first_recording_passes_and_keeps_every_run(make_decision: Callable[..., Decision]) -> None:
    """No baseline is what it is about to mend."""
    workers = Workers(1.0)
    result = only(make_decision("test_new", update="append", runs=5).record(workers))
    assert (result.outcome, result.failed, workers.asked) == (Outcome.PASSED, False, [5])
    assert len(result.recorded) == 5


def test_the_same_speed_can_be_appended(make_decision: Callable[..., Decision]) -> None:
    """However little a young baseline could have seen: the second session is what makes it see more."""
    result = only(make_decision(update="append").record(Workers(1.0)))
    assert (result.outcome, len(result.recorded)) == (Outcome.PASSED, 5)


def test_a_slower_recording_is_a_regression(make_decision: Callable[..., Decision]) -> None:
    """Compare first, save last: whether it may be saved is decided by its outcome."""
    result = only(make_decision(update="append").record(Workers(1.5)))
    assert (result.outcome, result.failed) == (Outcome.REGRESSED, True)


def test_a_faster_recording_is_an_improvement(make_decision: Callable[..., Decision]) -> None:
    """And may be saved."""
    assert only(make_decision(update="append").record(Workers(0.5))).outcome is Outcome.IMPROVED


@pytest.mark.parametrize(
    ("given", "marker", "outcome"),
    [
        ({"disturbed": ("steal",)}, {}, Outcome.INVALID),
        ({"accuracy": {"cosine": 0.1}}, {"min_cosine": 0.9}, Outcome.INACCURATE),
        ({"non_finite": ("NaN",)}, {}, Outcome.INACCURATE),
        ({}, {"max_latency_ms": 0.5}, Outcome.OVER_BUDGET),
    ],
)
def test_what_may_not_become_a_baseline_is_told(
    make_decision: Callable[..., Decision], given: dict[str, Any], marker: dict[str, Any], outcome: Outcome
) -> None:
    """Disturbed, wrong or too slow for its budget: the recording's outcome says so."""
    result = only(make_decision("test_new", marker, update="append").record(Workers(1.0, **given)))
    assert result.outcome is outcome


def test_a_metric_new_to_the_baseline_can_be_recorded(make_decision: Callable[..., Decision]) -> None:
    """That the baseline lacks it is why it is recorded."""
    metrics = {"latency": 1.0, "p99_latency": 2.0}
    decision = make_decision(marker={"gate": ("latency", "p99_latency")}, update="append")
    assert only(decision.record(Workers(1.0, metrics=metrics))).outcome is Outcome.PASSED


def test_a_run_that_stands_out_is_made_again(make_decision: Callable[..., Decision]) -> None:
    """One hiccup of five doesn't widen the baseline for ever."""
    asked: list[int] = []

    def workers(count: int) -> list[tuple[Measurement, ...]]:
        asked.append(count)
        levels = [1.0, 1.001, 1.9, 0.999, 1.0] if count == 5 else [1.0005]
        return [(run(level),) for level in levels]

    result = only(make_decision("test_new", update="append").record(workers))
    assert asked == [5, 1]
    assert max(m.metrics["latency"] for m in result.recorded) < 1.01
    assert len(result.recorded) == 5


def test_runs_that_lie_tenfold_apart_are_no_baseline(make_decision: Callable[..., Decision]) -> None:
    """Whatever made one run of a recording take 400 ms: with it in the baseline nothing could be seen.

    It is made again twice; more of them are what this test does.
    """

    def recorded(*levels: float, **given: Any) -> Result:
        following = iter(levels)
        return only(
            make_decision("test_new", update="append", **given).record(
                lambda count: [(run(next(following)),) for _ in range(count)]
            )
        )

    spoilt = recorded(1.0, 1.001, 400.0, 1.0, 1.002, 390.0, 380.0)
    assert (spoilt.outcome, spoilt.failed) == (Outcome.INCONCLUSIVE, False)
    assert "latency: the 5 runs of this recording lie from 1 to 380 ms" in spoilt.reasons[0]
    assert "--infer-update-baselines=reset" in spoilt.reasons[0]
    assert recorded(1.0, 1.001, 400.0, 1.0, 1.002, 390.0, 1.0).outcome is Outcome.PASSED
    assert recorded(1.0, 1.001, 400.0, 1.0, 1.002, 9.9).outcome is Outcome.PASSED
    assert recorded(1.0, 2.0, 4.0, 7.0, 9.0).outcome is Outcome.PASSED


def test_a_disturbed_run_is_made_again(make_decision: Callable[..., Decision]) -> None:
    """Where they took the CPU as they did not in the quietest run; all five beside them are what this machine is."""

    def recorded(*shares: float) -> list[float]:
        def workers(count: int) -> list[tuple[Measurement, ...]]:
            levels = shares if count == len(shares) else [0.0]
            return [(run(1.0, contention={"others": share}),) for share in levels]

        result = only(make_decision("test_new", update="append").record(workers))
        return [m.contention["others"] for m in result.recorded]

    assert recorded(0.3, 0.02, 0.01, 0.04, 0.2) == [0.0, 0.02, 0.01, 0.04, 0.0]
    assert recorded(0.3, 0.32, 0.31, 0.3, 0.33) == [0.3, 0.32, 0.31, 0.3, 0.33]


def test_under_require_a_recording_does_not_fail_for_lack_of_a_baseline(make_decision: Callable[..., Decision]) -> None:
    """It is making one."""
    assert not only(make_decision("test_new", update="append", baseline_mode="require").record(Workers(1.0))).failed
