"""Rounds until they say enough: pure data and a clock of our own."""

from __future__ import annotations

import contextlib
import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.against import comparison
from pytest_infer.against.comparison import DISTURBED_ROUNDS, Comparison
from pytest_infer.against.findings import Finding, find
from pytest_infer.against.protocol import ABSENT, INACCURATE, Ready
from pytest_infer.against.rounds import Plan, Round
from pytest_infer.against.side import Side, Sides
from pytest_infer.config import Settings
from pytest_infer.errors import MeasurementError, SkippedInWorkerError
from pytest_infer.marker import parse
from pytest_infer.measure.protocol import Answer
from pytest_infer.measure.worker import Launch
from pytest_infer.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_infer.result import Compared
    from pytest_infer.stats.paired import PairedRule

HERE = Side(label="this checkout", python="p", base="/repo")
THERE = Side(label="main (abc)", python="p", base="/repo", moved="/tree", notes=("submodule x: another one",))
LAUNCH = Launch(args=(), cwd=Path("/repo"), sys_path=())
WOBBLE = (0.004, -0.004, 0.002, -0.002, 0.001, -0.001, 0.003, -0.003)
WORKLOAD: dict[str, Any] = {
    "target": "net.onnx", "backend": "onnxruntime", "precision": "fp32", "batch": 1, "scenario": "single_stream",
    "options": {}, "inputs": [{"name": "x", "dtype": "float32", "shape": [1, 4]}],
}  # fmt: skip


def measurement(name: str = "", **metrics: float) -> Measurement:
    """What a side measured."""
    return Measurement(name=name, workload={}, digest="d", metrics={"latency": 2.0} | metrics)


def ready(name: str = "", **given: Any) -> Ready:
    """A side at its point of measurement."""
    fields = {"workload": WORKLOAD, "model_digest": "m" * 64, "environment": {"numpy": "2.0"}}
    return Ready(name=name, **(fields | given))


def round_of(ratio: float = 0.0, *, names: Sequence[str] = ("",), **given: Any) -> Round:
    """A round in which nothing went wrong, but for what is given."""
    answer = Answer(outcome="passed", measurements=tuple(measurement(name) for name in names))
    fields: dict[str, Any] = {
        "current": answer,
        "other": answer,
        "points": {name: (ready(name), ready(name)) for name in names},
        "ratios": {name: [ratio, ratio] for name in names},
        "single": (),
        "disturbed": (),
        "start_s": 1.0,
    }
    return Round(**(fields | given))


class Table:
    """Plays rounds from a list, each as long as it says; remembers what was planned."""

    def __init__(self, rounds: Callable[[int], Round], *, round_s: float = 4.0) -> None:
        """Play `rounds(number)`."""
        self._rounds, self._round_s, self.now = rounds, round_s, 0.0
        self.first_s = round_s
        self.plans: list[Plan] = []
        self.held = 0
        self.alone = Answer(outcome="failed", message="alone, too")

    def play(self, here: Side, there: Side, launch: Launch, plan: Plan) -> Round:
        """One round."""
        assert (here, there, launch) == (HERE, THERE, LAUNCH)
        assert self.held == 1, "one at a time: the device is held"
        self.plans.append(plan)
        self.now += self._round_s if len(self.plans) > 1 else self.first_s
        return self._rounds(len(self.plans) - 1)

    def play_alone(self, here: Side, launch: Launch, plan: Plan) -> Answer:
        """This side with nobody beside it."""
        assert (here, launch, plan) == (HERE, LAUNCH, self.plans[-1])
        assert self.held == 1
        return self.alone

    @contextlib.contextmanager
    def hold(self) -> Any:
        """Waiting for the device takes its time, which is no comparison's fault."""
        self.now += 100.0
        self.held += 1
        yield
        self.held -= 1

    def compare(self, names: Sequence[str] = ("",), *, gate: str = "latency", **settings: Any) -> dict[str, Compared]:
        """Compare a test that measures `names`."""
        comparison = Comparison(
            Sides(here=HERE, there=THERE), LAUNCH, Settings(root=Path("/repo"), **settings),
            held=self.hold, progress=lambda _: None, play=self.play, alone=self.play_alone, clock=lambda: self.now,
        )  # fmt: skip
        request = parse({"gate": (gate,)})
        return comparison.compare("/repo/test_a.py::test_b", request, [measurement(name) for name in names], tests=1)


def around(ratio: float, scale: float = 1.0) -> Callable[[int], Round]:
    """Rounds that wobble around a log ratio."""
    return lambda number: round_of(ratio + scale * WOBBLE[number % 8])


def test_slower_by_eight_rounds() -> None:
    """Regressed at the first look; nothing is left to differ but what the side itself notes."""
    table = Table(around(0.1))
    compared = table.compare()[""]
    assert len(table.plans) == 8
    (change,) = compared.changes
    assert change.regressed
    assert (change.against, change.other, change.runs) == ("other", "main (abc)", 8)
    assert change.baseline == pytest.approx(2.0)
    assert change.current == pytest.approx(2.0 * 1.105, rel=0.01)
    assert "is 10." in str(change)
    assert "worse than main (abc)'s 2 ms" in str(change)
    assert "8 rounds" in str(change)
    assert compared.differs == THERE.notes


def test_each_round_is_told() -> None:
    """Its change in order, larger is worse: what a report draws."""
    told = Table(around(0.1)).compare()[""].rounds["latency"]
    assert told == pytest.approx([math.expm1(0.1 + wobble) for wobble in WOBBLE])


def test_the_same_speed_passes_at_the_first_look() -> None:
    """The interval lies below the tolerance: more rounds would tell nothing."""
    table = Table(around(0.0))
    (change,) = table.compare()[""].changes
    assert len(table.plans) == 8
    assert not any((change.regressed, change.suspected, change.blind))


def test_doubt_goes_on_until_time_is_over() -> None:
    """A minute, waiting for the device not counted; the last look comes whenever that is."""
    table = Table(around(0.02, scale=8.0))
    (change,) = table.compare()[""].changes
    assert len(table.plans) == 15
    assert change.runs == 15
    assert not change.regressed


def test_sides_take_turns_to_begin_and_the_first_round_checks_most() -> None:
    """The order alternates from round to round."""
    table = Table(around(0.0))
    table.compare()
    assert [plan.swapped for plan in table.plans] == [False, True] * 4
    assert [plan.first for plan in table.plans] == [True] + [False] * 7
    assert not table.plans[0].in_turn


def test_a_round_measures_as_long_as_the_rest_of_it_takes() -> None:
    """As the one before it shows, shared among the test's measurements; at least as asked, and at most twice that."""
    for round_s, time, names, measured_s in (
        (2.5, 1.0, 1, 1.5),
        (1.4, 1.0, 1, 1.0),
        (6.0, 1.0, 1, 2.0),
        (4.4, 1.0, 2, 1.2),
        (1.4, 0.1, 4, 0.2),
    ):
        several = [str(number) for number in range(names)]
        table = Table(lambda n, names=several: round_of(WOBBLE[n % 8], names=names), round_s=round_s)  # type: ignore[misc]
        table.compare(several, time=time)
        assert table.plans[0].measure_s == time
        assert table.plans[1].measure_s == pytest.approx(measured_s)


def test_longer_rounds_do_not_put_off_the_first_look() -> None:
    """Eight rounds of 6.5 s go into a minute, of 7.5 s not for sure; where starting alone counts, none is longer."""
    table = Table(around(0.0), round_s=0.0)
    real = table.play

    def play(here: Side, there: Side, launch: Launch, plan: Plan) -> Round:
        table.now += 5.5 + plan.measure_s
        return real(here, there, launch, plan)

    table.play = play  # type: ignore[method-assign]
    table.first_s = 0.0
    (change,) = table.compare()[""].changes
    assert change.runs == 8
    assert 1.0 < table.plans[1].measure_s < 2.0
    answer = Answer(outcome="passed", measurements=(measurement(load=20.0),))
    table = Table(lambda _: round_of(current=answer, other=answer), round_s=2.5)
    table.compare(gate="load")
    assert {plan.measure_s for plan in table.plans} == {1.0}


def test_where_starting_is_measured_sides_start_in_turn() -> None:
    """`load` of two processes at once would be the neighbour's."""
    answers = [Answer(outcome="passed", measurements=(measurement(load=load),)) for load in (30.0, 20.0)]
    table = Table(lambda _: round_of(current=answers[0], other=answers[1]))
    (change,) = table.compare(gate="load")[""].changes
    assert table.plans[0].in_turn
    assert change.regressed
    assert change.estimate == pytest.approx(0.5)
    assert change.baseline == pytest.approx(20)
    assert change.current == pytest.approx(30)


def test_more_throughput_is_better() -> None:
    """Which way is better belongs to the metric."""
    answers = [Answer(outcome="passed", measurements=(measurement(throughput=t),)) for t in (50.0, 100.0)]
    (change,) = Table(lambda _: round_of(current=answers[0], other=answers[1])).compare(gate="throughput")[""].changes
    assert change.regressed
    assert change.current == pytest.approx(50)


def test_a_metric_that_a_side_has_not() -> None:
    """Told, and the others are compared."""
    compared = Table(around(0.0)).compare(gate="p99_latency")[""]
    assert compared.changes == ()
    assert compared.missing[0].startswith("p99_latency can't be compared")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(outcome=ABSENT), "main (abc) has no such test"),
        (Answer(outcome=INACCURATE, message="cosine 0.2 is below"), "on main (abc) its outputs are wrong: cosine 0.2"),
        (Answer(outcome="skipped", message="no GPU"), "on main (abc) it skips itself: no GPU"),
        (Answer(outcome="failed", message="x\nE   assert 1 == 2\n"), "on main (abc) it fails: assert 1 == 2"),
        (
            Answer(outcome="failed", message="model 'a.onnx' is no file in /tree"),
            "on main (abc) it fails: model 'a.onnx' is no file in /tree (the ini key infer_against_links names",
        ),
        (
            Answer(
                outcome="failed", message="a worker process ended with exit status 4; its output:\nusage:\nerror: -x\n"
            ),
            "on main (abc) it fails: a worker process ended with exit status 4; its output: error: -x",
        ),
    ],
)
def test_what_happened_on_the_other_side_is_told(answer: Answer, told: str) -> None:
    """One round is enough to know."""
    table = Table(lambda _: round_of(other=answer))
    compared = table.compare(["", "second"])
    assert len(table.plans) == 1
    assert compared.keys() == {"", "second"}
    assert compared[""].missing[0].startswith(told)


def test_a_failure_here_is_the_tests_own() -> None:
    """As a confirming run's would be."""
    with pytest.raises(MeasurementError, match="assert 0 \\(in a process of its own\\)"):
        Table(lambda _: round_of(current=Answer(outcome="failed", message="E   assert 0"))).compare()
    with pytest.raises(SkippedInWorkerError, match="no data"):
        Table(lambda _: round_of(current=Answer(outcome="skipped", message="no data"))).compare()


def test_a_failure_here_that_the_other_side_makes_is_none() -> None:
    """A fixed port, a lock file: alone it passes, so nothing is told of the code."""
    table = Table(lambda _: round_of(current=Answer(outcome="failed", message="E   OSError: Address in use")))
    table.alone = Answer(outcome="passed")
    compared = table.compare(["", "second"])
    (told,) = compared["second"].undecided
    assert told.startswith("it fails here only beside main (abc), and not alone: OSError: Address in use")
    assert compared[""].missing == ()


def test_a_test_that_is_not_found_here_is_told_as_that() -> None:
    """An id that a plugin made (xdist's loadgroup) is no id that pytest takes."""
    with pytest.raises(MeasurementError, match=r"finds no test /repo/test_a\.py::test_b: .* gives it another id"):
        Table(lambda _: round_of(current=Answer(outcome=ABSENT))).compare()


@pytest.mark.parametrize("outcome", ["passed", "failed"])
def test_modules_of_the_wrong_side_compare_nothing(outcome: str) -> None:
    """A pass would mean nothing, and a failure would be the wrong one's."""
    answer = Answer(outcome=outcome, measurements=(measurement(),))
    played = round_of(other=answer, strays=("code (/repo/src/code.py)",))
    compared = Table(lambda _: played).compare()[""]
    assert "does not come from there: code (/repo/src/code.py)" in compared.missing[0]
    assert "pip install -e" in compared.missing[0]


def test_modules_do_not_matter_where_the_test_is_not() -> None:
    """Collecting alone may import some of the wrong side; the test is new all the same."""
    played = round_of(other=Answer(outcome=ABSENT), strays=("conftest (/c.py)",))
    assert Table(lambda _: played).compare()[""].missing == ("main (abc) has no such test",)


def test_what_differs_is_told() -> None:
    """Model, options, versions; batch or shapes make it another workload."""
    there = ready(model_digest="n" * 64, environment={"numpy": "1.0"}, workload=WORKLOAD | {"options": {"threads": 1}})
    compared = Table(lambda n: round_of(WOBBLE[n % 8], points={"": (ready(), there)}, single=("old",))).compare()[""]
    assert compared.differs == (
        "model: nnnnnnnnnnnn → mmmmmmmmmmmm",
        "options: {'threads': 1} → {}",
        "numpy: 1.0 → 2.0",
        *THERE.notes,
        "main (abc) also measures old",
    )
    for other in ({"batch": 8}, {"inputs": [{"name": "x", "dtype": "float32", "shape": [1, 8]}]}):
        points = {"": (ready(), ready(workload=WORKLOAD | other))}
        compared = Table(lambda n, p=points: round_of(WOBBLE[n % 8], points=p)).compare()[""]  # type: ignore[misc]
        assert compared.missing[0].startswith("main (abc) measures another workload (")
    renamed = ready(workload=WORKLOAD | {"inputs": [{"name": "image", "dtype": "float32", "shape": [1, 4]}]})
    assert Table(lambda n: round_of(WOBBLE[n % 8], points={"": (ready(), renamed)})).compare()[""].changes


def test_measurements_are_judged_by_name() -> None:
    """Two in a test: rounds go on until both are settled; one that the other side has not is told."""

    def play(number: int) -> Round:
        quiet, noisy = WOBBLE[number % 8], 10 * WOBBLE[number % 8] + 0.01
        return round_of(names=("quiet", "noisy"), ratios={"quiet": [quiet], "noisy": [noisy]})

    table = Table(play)
    compared = table.compare(["quiet", "noisy", "new"])
    assert len(table.plans) == 15
    assert compared["quiet"].changes[0].runs == 15
    assert compared["new"].missing == ("main (abc) measures nothing of this name",)


def test_what_can_not_be_interleaved() -> None:
    """pytest-benchmark's own rounds, another order; a test that measures something else there: one round tells."""
    table = Table(lambda _: round_of(points={}))
    (told,) = table.compare()[""].missing
    assert told.startswith("this checkout and main (abc) did not meet at this measurement: measure in the same order")
    assert told.endswith("with infer_engine or infer.measure: pytest-benchmark runs its rounds in one piece")
    assert len(table.plans) == 1
    nothing = Answer(outcome="passed")
    table = Table(lambda _: round_of(points={}, other=nothing))
    assert table.compare()[""].missing == ("main (abc) measures nothing of this name",)


def test_disturbed_rounds_do_not_count() -> None:
    """They are played again; where nearly all are, the comparison is not to be believed."""
    noisy = replace(round_of(5.0), disturbed=("the hypervisor took 50 %",))
    turn = itertools.count()
    table = Table(lambda n: noisy if next(turn) % 3 == 0 else around(0.0)(n))
    (change,) = table.compare()[""].changes
    assert change.runs == 8
    assert abs(change.estimate) < 0.01
    table = Table(lambda _: noisy)
    assert table.compare()[""].disturbed == ("the hypervisor took 50 %",)
    assert len(table.plans) == DISTURBED_ROUNDS


def test_what_differs_is_told_where_the_first_round_was_disturbed() -> None:
    """The first one that counts tells it: what a side says only once is asked again until then."""
    there = ready(environment={"numpy": "1.0"})

    def play(number: int) -> Round:
        points = {"": (ready(), there)} if table.plans[-1].first else {"": (ready(environment={}),) * 2}
        return round_of(WOBBLE[number % 8], points=points, disturbed=("steal",) if number < 2 else ())

    table = Table(play)
    assert table.compare()[""].differs == ("numpy: 1.0 → 2.0", *THERE.notes)
    assert [plan.first for plan in table.plans[:4]] == [True, True, True, False]


def test_rounds_that_will_not_come_promise_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disturbed rounds end a comparison with time to spare: what it could see is said of the rounds that it has."""
    rules = []

    def seen(name: str, rounds: Sequence[Round], gate: Sequence[str], rule: PairedRule, side: Side) -> Finding:
        rules.append(rule.rounds)
        return find(name, rounds, gate, rule, side)

    monkeypatch.setattr(comparison, "find", seen)
    noisy = replace(round_of(5.0), disturbed=("steal",))
    table = Table(lambda n: noisy if n % 2 else around(0.02, scale=8.0)(n // 2), round_s=1.0)
    assert table.compare(time_limit=1e4)[""].changes[0].runs == 8
    assert rules == [100, 8]


def test_a_tracer_is_told_at_once() -> None:
    """Coverage in the sides' processes would be there in every round."""
    traced = Answer(outcome="passed", measurements=(replace(measurement(), disturbed=("a trace function is set",)),))
    table = Table(lambda _: round_of(current=traced))
    assert table.compare()[""].disturbed == ("a trace function is set",)
    assert len(table.plans) == 1


def test_too_slow_for_eight_rounds() -> None:
    """Given up as soon as that is plain, undecided, with the limit that it needs."""
    table = Table(around(0.0), round_s=20.0)
    compared = table.compare()[""]
    assert len(table.plans) == 2
    assert compared.changes == ()
    (told,) = compared.undecided
    assert told.startswith("8 rounds against main (abc) need about 180 s, and --infer-time-limit is 60: stopped")
    assert told.endswith("after 2; raise it (latency so far, too little to judge by: +0.0%)")
    table = Table(around(0.0), round_s=8.5)
    assert "need about 77 s, and --infer-time-limit is 60: stopped after 7" in table.compare()[""].undecided[0]


def test_a_first_round_that_builds_costs_no_round() -> None:
    """An engine that takes minutes to build leaves as much time to compare; nor does it make it look hopeless."""
    table = Table(lambda n: replace(around(0.02, scale=8.0)(n), start_s=300.0 if n == 0 else 1.0))
    table.first_s = 304.0
    (change,) = table.compare()[""].changes
    assert change.runs == 15


def test_many_tests_share_the_level() -> None:
    """The more tests a session has, the less each may err."""
    few, many = (
        Comparison(
            Sides(here=HERE, there=THERE), LAUNCH, Settings(root=Path("/repo")), held=Table(around(0)).hold,
            progress=lambda _: None,
        )._rule(parse({}), tests, 15)
        for tests in (1, 1000)
    )  # fmt: skip
    assert few.alpha == 0.001
    assert many.alpha == pytest.approx(0.05 / 1000)
    assert few.rounds == 15
