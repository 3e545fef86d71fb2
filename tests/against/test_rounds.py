"""A round: the sides meet at each point of measurement, and run in turn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import msgspec
import pytest

from pytest_infer.against.protocol import Done, Ready, Stop
from pytest_infer.against.rounds import BLOCK_NS, LONGEST_BLOCK_NS, Plan, _Game, round_ratio
from pytest_infer.against.running import RunningSide, SideLostError
from pytest_infer.errors import MeasurementError
from pytest_infer.measure.protocol import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.measure.process import WorkerProcess


class FakeSide:
    """A side without a process: it measures `names` in order, each call taking `times` ns, and then its test ends."""

    def __init__(self, log: list[str], label: str, names: Sequence[str], ns: float, outcome: str = "passed") -> None:
        """Stand at the first point of measurement; what is done to it goes into `log`."""
        self._log, self._label, self._names, self._ns, self._outcome = log, label, list(names), ns, outcome
        self.at: Ready | Done | None = None
        self.blocks: list[int] = []
        self.dies_after: int | None = None
        self.arrive()

    def advance(self) -> None:
        """Leave the point."""
        self._log.append(f"{self._label} advances")
        self.at = None

    def arrive(self) -> Ready | Done:
        """Get to the next one."""
        self._log.append(f"{self._label} arrives")
        if self._names:
            name = self._names.pop(0)
            self.at = Ready(name=name, workload={}, model_digest=None, environment={})
        else:
            self.at = Done(answer=Answer(outcome=self._outcome))
        return self.at

    def warm_up(self) -> float:
        """The time of a call."""
        self._log.append(f"{self._label} warms up")
        return self._ns

    def run(self, iterations: int) -> float:
        """One block."""
        if self.dies_after is not None and len(self.blocks) >= self.dies_after:
            self.at = Done(answer=Answer(outcome="failed", message="killed"))
            raise SideLostError
        self.blocks.append(iterations)
        self._log.append(f"{self._label} runs")
        return self._ns


def play(
    mine: Sequence[str], theirs: Sequence[str], *, ns: tuple[float, float] = (1e6, 1e6), swapped: bool = False,
    in_turn: bool = False, outcome: str = "passed",
) -> tuple[_Game, list[str], tuple[FakeSide, FakeSide]]:  # fmt: skip
    """Play a round of fakes, one quadruple a point."""
    log: list[str] = []
    sides = FakeSide(log, "A", mine, ns[0]), FakeSide(log, "B", theirs, ns[1], outcome)
    plan = Plan(target="t", names=tuple(mine), measure_s=0, in_turn=in_turn, swapped=swapped, first=False, timeout_s=1)
    game = _Game(cast("RunningSide", sides[0]), cast("RunningSide", sides[1]), plan)
    game.play()
    return game, log, sides


def test_blocks_alternate() -> None:
    """ABBA, and BAAB where the other side begins; each side warms up before, when it is told."""
    _, log, _ = play(["x"], ["x"])
    assert [line for line in log if "runs" in line or "warms" in line] == [
        *("A warms up", "B warms up"),
        *("A runs", "B runs", "B runs", "A runs"),
    ]
    _, log, _ = play(["x"], ["x"], swapped=True)
    assert [line[0] for line in log if "runs" in line] == ["B", "A", "A", "B"]


@pytest.mark.parametrize("swapped", [False, True])
def test_slower_is_positive(swapped: bool) -> None:  # noqa: FBT001 - a parameter
    """Whoever begins."""
    game, _, _ = play(["x"], ["x"], ns=(1.1e6, 1e6), swapped=swapped)
    assert game.ratios["x"] == [pytest.approx(math.log(1.1))]


def test_a_block_is_long_enough_on_the_faster_side() -> None:
    """And the same number of calls on both."""
    _, _, (mine, theirs) = play(["x"], ["x"], ns=(2e6, 1e6))
    assert set(mine.blocks) == set(theirs.blocks) == {BLOCK_NS / 1e6}


def test_a_block_does_not_last_for_ever_on_the_slower_side() -> None:
    """A thousand times slower: a second is enough; one call is the least."""
    _, _, (mine, theirs) = play(["x"], ["x"], ns=(1e8, 1e5))
    assert set(mine.blocks) == set(theirs.blocks) == {LONGEST_BLOCK_NS / 1e8}
    _, _, (mine, _) = play(["x"], ["x"], ns=(1e10, 1e5))
    assert set(mine.blocks) == {1}


def test_each_measurement_is_met_by_name() -> None:
    """Several in a test; those that one side alone has are passed over and told."""
    game, _, _ = play(["a", "b", "c"], ["a", "b", "c"])
    assert list(game.ratios) == ["a", "b", "c"]
    game, _, _ = play(["a", "new", "c"], ["a", "c", "old"])
    assert list(game.ratios) == ["a", "c"]
    assert game.single == ["old"]
    game, _, _ = play(["a"], ["old", "older", "a"])
    assert list(game.ratios) == ["a"]
    assert game.single == ["old", "older"]
    game, _, _ = play(["a"], ["b"])
    assert game.ratios == {}


def test_another_order_is_no_measurement_of_one_side_alone() -> None:
    """What both measure is not told as the other side's only, though they do not meet there."""
    game, _, _ = play(["a", "b"], ["b", "a"])
    assert list(game.ratios) == ["b"]
    assert game.single == []


class FakeProcess:
    """A side's process that says these messages, and then is silent for good."""

    def __init__(self, *messages: Ready | Done) -> None:
        """Say them."""
        self._messages = [msgspec.json.encode(message) for message in messages]
        self.told: list[bytes] = []
        self.waited = False

    def member(self, pid: int) -> int | None:
        """Nothing to stop: there is no process."""
        return None if pid == 0 else pid

    def send(self, content: bytes) -> None:
        """Be told something."""
        self.told.append(content)

    def receive(self) -> bytes:
        """The next message."""
        if not self._messages:
            raise MeasurementError("did not answer")
        return self._messages.pop(0)

    def wait(self) -> None:
        """End by itself."""
        self.waited = True


def test_a_side_is_let_to_its_end() -> None:
    """Past its measurements, so that its fixtures are torn down; one that hangs on the way is told as that."""
    points = [Ready(name=name, workload={}, model_digest=None, environment={}) for name in "ab"]
    done = Done(answer=Answer(outcome="passed"), strays=("code (/c.py)",))
    process = FakeProcess(*points, done)
    assert RunningSide(cast("WorkerProcess", process)).finish() == done
    assert process.waited
    assert process.told == [msgspec.json.encode(Stop())] * 2
    hung = RunningSide(cast("WorkerProcess", FakeProcess(points[0]))).finish()
    assert hung.answer == Answer(outcome="failed", message="did not answer")


def test_sides_go_on_side_by_side_or_in_turn() -> None:
    """In turn where starting is what is measured: nobody starts while the other one does."""
    _, log, _ = play(["x"], ["x"])
    assert log[-4:] == ["A advances", "B advances", "A arrives", "B arrives"]
    _, log, _ = play(["x"], ["x"], in_turn=True, swapped=True)
    assert log[-4:] == ["B advances", "B arrives", "A advances", "A arrives"]


def test_a_side_whose_test_failed_ends_the_round() -> None:
    """Nobody waits for the other one's measurements."""
    game, log, _ = play(["x"], [], outcome="failed")
    assert game.ratios == {}
    assert not [line for line in log if "advances" in line]


def test_a_side_that_dies_ends_the_round() -> None:
    """In the middle of a block."""
    log: list[str] = []
    mine, theirs = FakeSide(log, "A", ["x"], 1e6), FakeSide(log, "B", ["x"], 1e6)
    theirs.dies_after = 1
    plan = Plan(target="t", names=("x",), measure_s=0, in_turn=False, swapped=False, first=False, timeout_s=1)
    game = _Game(cast("RunningSide", mine), cast("RunningSide", theirs), plan)
    with pytest.raises(SideLostError):
        game.play()
    assert isinstance(theirs.at, Done)
    assert theirs.at.answer.message == "killed"


def test_a_rounds_figure_is_the_median_of_its_quadruples() -> None:
    """A neighbour's burst hits some of them."""
    assert round_ratio([0.01, 0.02, 0.9]) == 0.02
