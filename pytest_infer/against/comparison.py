"""The interleaved comparison of one test: rounds until they say enough, or time is over."""

from __future__ import annotations

import math
import statistics
import time
from typing import TYPE_CHECKING, Final

from pytest_infer.against.findings import find
from pytest_infer.against.protocol import ABSENT, INACCURATE
from pytest_infer.against.rounds import Plan, Round, play_alone, play_round, round_ratio
from pytest_infer.errors import MeasurementError, SkippedInWorkerError, from_process, telling_line
from pytest_infer.gating import FAMILY_ERROR
from pytest_infer.result import Compared
from pytest_infer.stats.paired import FIRST_LOOK, LOOKS, PairedRule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from pytest_infer.against.side import Side, Sides
    from pytest_infer.config import Settings
    from pytest_infer.marker import Request
    from pytest_infer.measure.protocol import Answer
    from pytest_infer.measure.worker import Launch
    from pytest_infer.measurement import Measurement

    Play = Callable[[Side, Side, Launch, Plan], Round]
    Alone = Callable[[Side, Launch, Plan], Answer]

PROCESS_METRICS: Final = frozenset({"build", "load", "host_memory"})
"""What starting shows: the sides are started one after the other then."""
DISTURBED_ROUNDS: Final = 8
"""So many rounds that were disturbed are enough to give up."""
LONGEST: Final = 2.0
"""A round measures as long as the rest of it takes, since that is paid for anyway, and few calls of a large network go
into --infer-time; but no longer than so many times that."""
SURE: Final = 0.9
"""Of the time that is left: rounds are not all alike."""
_LACKING: Final = ("is no file in", "No such file", "No module named")
_LINKS: Final = " (the ini key infer_against_links names files here that git does not keep, to be linked there)"
_SHORTEST_S: Final = 1e-3
_HOPELESS: Final = 1.5
"""The first look lies this many times beyond the time limit: it is given up at once."""


class Comparison:
    """Compares one test here and on the other side."""

    def __init__(
        self,
        sides: Sides,
        launch: Launch,
        settings: Settings,
        *,
        held: Callable[[], AbstractContextManager[None]],
        progress: Callable[[str], None],
        play: Play = play_round,
        alone: Alone = play_alone,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Compare two sides, holding the device (`held`) for each round; `clock` tells seconds."""
        self._here, self._there, self._launch, self._settings = sides.here, sides.there, launch, settings
        self._held, self._progress, self._play, self._alone, self._clock = held, progress, play, alone, clock

    def compare(
        self, target: str, request: Request, measurements: Sequence[Measurement], *, tests: int
    ) -> dict[str, Compared]:
        """What is to be said of each of the test's measurements, by name.

        Args:
            target: the test's file, absolute, and the rest of its node id.
            request: what its marker asks for.
            measurements: what it measured in this session, in order.
            tests: how many gated tests the session has: they share its level.

        Raises:
            MeasurementError: the test failed here, in a process of its own. SkippedInWorkerError: it skipped itself.
        """
        names = tuple(measurement.name for measurement in measurements)
        rounds: list[Round] = []
        disturbed: list[Round] = []
        spent_s = rest_s = 0.0
        while True:
            number = len(rounds) + len(disturbed)
            self._progress(f"{target.rpartition('/')[2]}: round {number + 1} against {self._there.label}")
            measure_s = self._measure_s(rest_s, self._settings.time_limit - spent_s, len(rounds), max(1, len(names)))
            plan = self._plan(target, request, names, number, first=not rounds, measure_s=measure_s)
            with self._held():
                begun = self._clock()
                played = self._play(self._here, self._there, self._launch, plan)
                round_s = self._clock() - begun
            if (instead := self._no_comparison(played, plan)) is not None:
                return dict.fromkeys(names, instead)
            (disturbed if played.disturbed else rounds).append(played)
            rest_s = 0.0 if PROCESS_METRICS.issuperset(request.gate) else round_s - measure_s * len(names)
            round_s -= 0.0 if number else played.start_s  # the first one may build for minutes
            spent_s += round_s
            time_for = int((self._settings.time_limit - spent_s) / max(round_s, _SHORTEST_S))
            last = time_for < 1 or len(rounds) >= LOOKS[-1] or len(disturbed) >= DISTURBED_ROUNDS
            rule = self._rule(request, tests, len(rounds) + (0 if last else time_for))
            if not set(names) & played.points.keys():
                return {name: find(name, [played], (), rule, self._there).compared for name in names}
            if len(rounds) >= FIRST_LOOK and (last or len(rounds) in LOOKS):
                found = {name: find(name, rounds, request.gate, rule, self._there) for name in names}
                if last or all(finding.settled for finding in found.values()):
                    return {name: finding.compared for name, finding in found.items()}
            elif last or self._hopeless(len(rounds), spent_s, round_s):
                return {name: self._too_few(name, rounds, disturbed, round_s) for name in names}

    def _plan(
        self, target: str, request: Request, names: tuple[str, ...], number: int, *, first: bool, measure_s: float
    ) -> Plan:
        return Plan(
            target=target,
            names=names,
            measure_s=measure_s,
            in_turn=not PROCESS_METRICS.isdisjoint(request.gate),
            swapped=number % 2 == 1,
            first=first,
            timeout_s=self._settings.timeout,
        )

    def _measure_s(self, rest_s: float, left_s: float, rounds: int, names: int) -> float:
        """How long the next round measures each of the test's measurements.

        As long as the rest of a round takes (`rest_s`), within limits, and as far as the first look is not put off by
        it: there are `rounds`, and `left_s` for more.
        """
        spare_s = SURE * left_s / max(1, FIRST_LOOK - rounds) - rest_s
        return max(self._settings.time, min(rest_s / names, spare_s / names, LONGEST * self._settings.time))

    def _rule(self, request: Request, tests: int, rounds: int) -> PairedRule:
        return PairedRule(
            alpha=min(self._settings.alpha, FAMILY_ERROR / max(1, tests)),
            max_regression=request.max_regression,
            rounds=min(max(rounds, FIRST_LOOK), LOOKS[-1]),
        )

    def _no_comparison(self, played: Round, plan: Plan) -> Compared | None:
        """What is said instead of a comparison where this round shows that there is none to be had."""
        if told := self._trouble_here(played.current, plan):
            return Compared(undecided=(told,))
        if told := self._trouble_there(played):
            return Compared(missing=(told,), differs=self._there.notes)
        if traced := _traced(played):
            return Compared(disturbed=traced)
        return None

    def _trouble_here(self, answer: Answer, plan: Plan) -> str | None:
        """Why the test can't be compared although nothing is wrong with it, as far as this side shows."""
        if answer.outcome == "passed":
            return None
        if answer.outcome == "skipped":
            raise SkippedInWorkerError(answer.message)
        if answer.outcome == ABSENT:
            raise MeasurementError(
                f"a process of its own finds no test {plan.target}: an option or a plugin gives it another id, or "
                "leaves it out; compare with what pytest --collect-only tells of it"
            )
        with self._held():
            alone = self._alone(self._here, self._launch, plan)
        if alone.outcome == "passed":
            return (
                f"it fails here only beside {self._there.label}, and not alone: {telling_line(answer.message)} (do "
                "both want the same port, file or lock?)"
            )
        raise MeasurementError(from_process(answer.message))

    def _trouble_there(self, played: Round) -> str | None:
        """What happened on the other side, which is told and fails nothing."""
        label, answer = self._there.label, played.other
        if played.strays and answer.outcome != ABSENT:
            return (
                f"what {label} runs does not come from there: {', '.join(played.strays)}; install the package as "
                "editable (pip install -e .), name its folder in pytest's pythonpath, have a submodule at the commit "
                "wanted there, or name what git ignores and both sides are to share in the ini key infer_against_links"
            )
        match answer.outcome:
            case "passed":
                return None
            case outcome if outcome == ABSENT:
                return f"{label} has no such test"
            case outcome if outcome == INACCURATE:
                return f"on {label} its outputs are wrong: {answer.message}"
            case "skipped":
                return f"on {label} it skips itself: {answer.message}"
            case _:
                lacks = self._there.moved and any(words in answer.message for words in _LACKING)
                return f"on {label} it fails: {telling_line(answer.message)}" + (_LINKS if lacks else "")

    def _hopeless(self, rounds: int, spent_s: float, round_s: float) -> bool:
        """Whether the first look lies far beyond the time limit."""
        needed_s = spent_s + (FIRST_LOOK - rounds) * round_s
        return rounds > 1 and needed_s > self._settings.time_limit * _HOPELESS

    def _too_few(self, name: str, rounds: list[Round], disturbed: list[Round], round_s: float) -> Compared:
        if disturbed and len(disturbed) >= len(rounds):
            return Compared(disturbed=tuple(dict.fromkeys(text for played in disturbed for text in played.disturbed)))
        limit_s = self._settings.time_limit
        needed_s = math.ceil(max(round_s * (FIRST_LOOK + 1), limit_s + round_s))
        told = (
            f"{FIRST_LOOK} rounds against {self._there.label} need about {needed_s} s, and --infer-time-limit is "
            f"{limit_s:g}: stopped after {len(rounds)}; raise it"
        )
        if ratios := [round_ratio(played.ratios[name]) for played in rounds if played.ratios.get(name)]:
            told += f" (latency so far, too little to judge by: {math.expm1(statistics.median(ratios)):+.1%})"
        return Compared(undecided=(told,))


def _traced(played: Round) -> tuple[str, ...]:
    """What looked on while the sides ran: coverage, a tracer. It would do so in the next round, too."""
    answers = (played.current, played.other)
    return tuple(dict.fromkeys(text for a in answers for m in a.measurements for text in m.disturbed))
