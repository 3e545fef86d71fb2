"""One round: a fresh process a side, both at their point of measurement, and then blocks in turn."""

from __future__ import annotations

import contextlib
import math
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_infer.against.protocol import Done, Ready
from pytest_infer.against.running import RunningSide, SideLostError, running_side
from pytest_infer.device.cpu_state import disturbance, read_cpu_state

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_infer.against.side import Side
    from pytest_infer.measure.protocol import Answer
    from pytest_infer.measure.worker import Launch

BLOCK_NS: Final = 50_000_000
"""A block lasts at least this long on the faster side."""
LONGEST_BLOCK_NS: Final = 1_000_000_000
"""And about this at most on the slower one, unless one call takes longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a round is to be.

    Attributes:
        target: the test's file, absolute, and the rest of its node id.
        names: the test's measurements as this checkout makes them, in order.
        measure_s: how long blocks run for each of them, about; one ABBA quadruple at least.
        in_turn: start one side after the other, since starting is what is measured.
        swapped: begin with the other side.
        first: the comparison's first round.
        timeout_s: when a side that answers no more is given up.
    """

    target: str
    names: tuple[str, ...]
    measure_s: float
    in_turn: bool
    swapped: bool
    first: bool
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round brought.

    Attributes:
        current, other: how the test ended on each side.
        points: where both sides stood ready together, by name: first the current one.
        ratios: by name, the log of the current side's latency over the other's of each ABBA quadruple.
        single: the measurements that the other side alone has.
        disturbed: why this round is not to be believed.
        start_s: how long it took until both were ready first.
        strays: modules of the other side that came from the user's checkout.
    """

    current: Answer
    other: Answer
    points: dict[str, tuple[Ready, Ready]]
    ratios: dict[str, list[float]]
    single: tuple[str, ...]
    disturbed: tuple[str, ...]
    start_s: float
    strays: tuple[str, ...] = ()


class _Game:
    """A round while it is played."""

    def __init__(self, current: RunningSide, other: RunningSide, plan: Plan) -> None:
        self._current, self._other, self._plan = current, other, plan
        self._order = (other, current) if plan.swapped else (current, other)
        self.points: dict[str, tuple[Ready, Ready]] = {}
        self.ratios: dict[str, list[float]] = {}
        self.single: list[str] = []

    def play(self) -> None:
        """From the first point of measurement, where both sides stand, to the end of the test on both."""
        expected = list(self._plan.names)
        while not (isinstance(self._current.at, Done) and isinstance(self._other.at, Done)):
            mine, theirs = self._current.at, self._other.at
            if any(isinstance(at, Done) and at.answer.outcome != "passed" for at in (mine, theirs)):
                return
            if isinstance(mine, Ready) and mine.name in expected:
                expected = expected[expected.index(mine.name) :]
            if isinstance(mine, Ready) and isinstance(theirs, Ready) and mine.name == theirs.name:
                self.points[mine.name] = (mine, theirs)
                self.ratios[mine.name] = self._interleaved()
                self._go_on(*self._order)
            elif isinstance(theirs, Ready) and (isinstance(mine, Done) or theirs.name not in expected):
                self.single += [] if theirs.name in self._plan.names else [theirs.name]
                self._go_on(self._other)
            else:
                self._go_on(self._current)

    def _go_on(self, *sides: RunningSide) -> None:
        if self._plan.in_turn:
            for side in sides:
                side.advance()
                side.arrive()
        else:
            for side in sides:
                side.advance()
            for side in sides:
                side.arrive()

    def _interleaved(self) -> list[float]:
        """ABBA blocks of both sides, each as long on both as `BLOCK_NS` needs on the faster one."""
        typical_ns = sorted(max(1.0, side.warm_up()) for side in self._order)
        count = max(1, min(math.ceil(BLOCK_NS / typical_ns[0]), int(LONGEST_BLOCK_NS / typical_ns[1])))
        first, second = self._order
        found: list[float] = []
        begun, quadruples, elapsed = time.monotonic(), 0, 0.0
        while not quadruples or elapsed + elapsed / quadruples / 2 < self._plan.measure_s:
            blocks = [(side, side.run(count)) for side in (first, second, second, first)]
            if all(ns > 0 for _, ns in blocks):  # a clock may be too coarse for a callable that does nothing
                found.append(sum(math.log(ns) if side is self._current else -math.log(ns) for side, ns in blocks) / 2)
            quadruples, elapsed = quadruples + 1, time.monotonic() - begun
        return found


def play_round(current: Side, other: Side, launch: Launch, plan: Plan) -> Round:
    """Play one round; no process of it is left behind, however it ends."""
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        running: dict[bool, RunningSide] = {}
        for is_other in (plan.swapped, not plan.swapped):
            side = other if is_other else current
            started = running_side(side, launch, plan.target, timeout_s=plan.timeout_s, first=plan.first)
            running[is_other] = stack.enter_context(started)
            if plan.in_turn:
                _arrive(running[is_other])
        if not plan.in_turn:
            for one in running.values():
                _arrive(one)
        game = _Game(running[False], running[True], plan)
        start_s, before = time.monotonic() - begun, read_cpu_state()
        with contextlib.suppress(SideLostError):
            game.play()
        disturbed = disturbance(before, read_cpu_state())
        ends = {is_other: one.finish() for is_other, one in running.items()}
    return Round(
        current=ends[False].answer,
        other=ends[True].answer,
        points=game.points,
        ratios=game.ratios,
        single=tuple(game.single),
        disturbed=disturbed,
        start_s=start_s,
        strays=ends[True].strays,
    )


def play_alone(side: Side, launch: Launch, plan: Plan) -> Answer:
    """Run the test on one side with nobody beside it; how it ends."""
    with running_side(side, launch, plan.target, timeout_s=plan.timeout_s) as running:
        return running.finish().answer


def _arrive(side: RunningSide) -> None:
    """Wait for a side; one that is lost on the way stands behind its test, with what happened."""
    with contextlib.suppress(SideLostError):
        side.arrive()


def round_ratio(ratios: Iterable[float]) -> float:
    """A round's one figure of its quadruples: the median, since a neighbour's burst hits some of them."""
    return statistics.median(ratios)
