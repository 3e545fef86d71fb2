"""The sampling loop under a clock that only the measured call moves."""

from __future__ import annotations

import gc
import itertools
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_infer.errors import MeasurementError, UsageError
from pytest_infer.measure.loop import (
    FEWEST_BLOCKS,
    WARMUP_BOUND_NS,
    WARMUP_ITERATIONS,
    WARMUP_NS,
    SamplingPlan,
    Timings,
    measure,
    time_block,
    warm_up,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

MS = 1_000_000
S = 1_000_000_000


class Machine:
    """A call and a clock: each call takes the next of the given durations, and nothing else takes time."""

    def __init__(self, durations_ns: Iterable[int]) -> None:
        """Calls take these times, in order."""
        self._durations = iter(durations_ns)
        self.now = 0
        self.calls = 0

    def run(self) -> None:
        """Let the next duration pass."""
        self.calls += 1
        self.now += next(self._durations)

    def clock(self) -> int:
        """Nanoseconds since the beginning."""
        return self.now


def plan(*, samples: int = 5, least_s: float = 1.0, most_s: float = 60.0) -> SamplingPlan:
    """A plan in seconds."""
    return SamplingPlan(min_time_ns=round(least_s * S), max_time_ns=round(most_s * S), min_samples=samples)


def measured(machine: Machine, of: SamplingPlan) -> Timings:
    """Measure a machine."""
    return measure(machine.run, machine.clock, of)


@pytest.fixture(autouse=True)
def _no_collections(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this whole process holds is no business of these clocks, and walking it takes a tenth of a second."""
    monkeypatch.setattr(gc, "collect", lambda: 0)


# --- one block -------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 10**9), max_size=50))
def test_a_block_has_the_time_of_each_call_in_order(durations: list[int]) -> None:
    """Exactly as many calls as asked, and nothing added to any."""
    machine = Machine(durations)
    assert time_block(machine.run, machine.clock, len(durations)) == durations
    assert machine.calls == len(durations)


# --- warm-up ---------------------------------------------------------------------------------------------------------


@given(st.integers(100_000, 400 * MS))
@settings(max_examples=30)
def test_steady_times_settle_as_soon_as_they_may(duration: int) -> None:
    """At least ten calls and 200 ms, and not much more than the three windows that have to agree."""
    machine = Machine(itertools.repeat(duration))
    times, settled = warm_up(machine.run, machine.clock, 100 * S)
    assert settled
    assert len(times) == machine.calls >= WARMUP_ITERATIONS
    assert WARMUP_NS <= sum(times) <= max(2 * WARMUP_NS, 15 * duration)


def test_a_cold_start_is_not_measured() -> None:
    """Slow first calls belong to the warm-up: no sample holds one."""
    machine = Machine(itertools.chain([100 * MS, 70 * MS, 30 * MS], itertools.repeat(10 * MS)))
    timings = measured(machine, plan())
    assert timings.settled
    assert set(timings.all_ns) == {10 * MS}


def test_one_long_first_call_does_not_use_the_warm_up_up() -> None:
    """Lazy compilation takes seconds once; a machine that is steady from then on has settled."""
    timings = measured(Machine(itertools.chain([3 * S], itertools.repeat(10 * MS))), plan())
    assert timings.settled
    assert set(timings.all_ns) == {10 * MS}


def test_a_very_slow_call_is_warmed_up_by_three() -> None:
    """The first may have loaded something, the second, too: fewer would tell nothing of the calls that follow."""
    machine = Machine(itertools.repeat(11 * S))
    assert warm_up(machine.run, machine.clock, WARMUP_BOUND_NS) == ([11 * S] * 3, False)


def test_times_that_keep_growing_never_settle() -> None:
    """The warm-up is given up at its bound, and says so."""
    machine = Machine(round(MS * 1.01**i) for i in itertools.count())
    times, settled = warm_up(machine.run, machine.clock, WARMUP_BOUND_NS)
    assert not settled
    assert sum(times) >= WARMUP_BOUND_NS
    assert sum(times[:-100]) < WARMUP_BOUND_NS


def test_a_machine_of_two_speeds_by_the_window_does_not_settle() -> None:
    """Windows that differ by more than 3 % in turn are no rest."""
    machine = Machine(MS if (i // 50) % 2 else 2 * MS for i in itertools.count())
    assert not warm_up(machine.run, machine.clock, WARMUP_BOUND_NS)[1]


def test_single_slow_calls_don_t_keep_it_from_settling() -> None:
    """Medians are compared: an interrupt here and there is no drift."""
    machine = Machine(20 * MS if i % 17 == 0 else MS for i in itertools.count())
    assert warm_up(machine.run, machine.clock, WARMUP_BOUND_NS)[1]


def test_what_did_not_settle_is_measured_all_the_same() -> None:
    """The figures come with the word that they never settled."""
    timings = measured(Machine(round(MS * 1.001**i) for i in itertools.count()), plan())
    assert not timings.settled
    assert timings.all_ns


def test_what_would_only_be_promised_is_not_timed() -> None:
    """A coroutine that nobody awaits is refused at the first call; the later ones are not looked at."""

    async def work() -> None:
        pass

    with pytest.raises(UsageError, match="work returns a coroutine, which nobody awaits"):
        measure(work, itertools.count(step=MS).__next__, plan())
    later = itertools.chain([None], ((x for x in "ab") for _ in itertools.count()))
    assert measure(later.__next__, itertools.count(step=MS).__next__, plan()).all_ns


# --- sampling --------------------------------------------------------------------------------------------------------


@given(
    duration=st.integers(10 * MS, 2 * S),
    samples=st.sampled_from([1, 5, 64, 130, 662]),
    least_s=st.sampled_from([0.1, 1.0, 3.0]),
    most_s=st.sampled_from([3.0, 20.0]),
)
@settings(max_examples=40)
def test_a_steady_call_is_measured_as_planned_or_refused(
    duration: int, samples: int, least_s: float, most_s: float
) -> None:
    """Enough samples and time in five blocks or more, every call counted; or an error that they don't fit."""
    machine = Machine(itertools.repeat(duration))
    try:
        timings = measured(machine, plan(samples=samples, least_s=least_s, most_s=most_s))
    except MeasurementError:
        assert max(samples, FEWEST_BLOCKS) * duration > most_s * S * 0.9
        return
    times = timings.all_ns
    lengths = {len(block) for block in timings.blocks_ns}
    assert machine.calls == timings.warmup + len(times)
    assert len(times) >= samples
    assert len(timings.blocks_ns) >= FEWEST_BLOCKS
    assert max(lengths) - min(lengths) <= 1
    assert sum(times) >= least_s * S
    assert sum(times) <= most_s * S + max(lengths) * duration


def test_samples_keep_their_order() -> None:
    """Blocks are consecutive stretches of time: a trend stays visible."""
    timings = measured(Machine(itertools.chain([MS] * 2000, itertools.count(MS))), plan())
    tail = timings.all_ns[-500:]
    assert tail == sorted(tail)
    assert timings.all_ns == [time for block in timings.blocks_ns for time in block]


def test_percentiles_get_their_samples_though_time_is_up() -> None:
    """A second would hold 100 calls of 10 ms; p99 asks for 662 and gets them."""
    assert len(measured(Machine(itertools.repeat(10 * MS)), plan(samples=662)).all_ns) >= 662


def test_sampling_does_not_go_on_for_ever() -> None:
    """Enough samples and enough time end it: a second of 1 ms calls is not much more than a thousand."""
    times = measured(Machine(itertools.repeat(MS)), plan(samples=130)).all_ns
    assert 1000 <= len(times) <= 1200


def test_too_slow_for_the_percentile_is_told_before_sampling() -> None:
    """The error says how long the samples take, what is allowed and what to raise; nothing is sampled in vain."""
    machine = Machine(itertools.repeat(200 * MS))
    told = r"662 samples at 200 ms a call take 132 s.*--infer-max-time=60"
    with pytest.raises(MeasurementError, match=told) as caught:
        measured(machine, plan(samples=662))
    advised = re.search(r"raise it to ([\d.]+) or more", str(caught.value))
    assert advised is not None
    assert 132.4 <= float(advised[1]) <= 300
    assert machine.calls <= 20


def test_too_slow_only_while_sampling_is_told_then() -> None:
    """A call that slows down after its warm-up is stopped at the limit, with the time it really took."""
    machine = Machine(itertools.chain([10 * MS] * 60, itertools.repeat(1 * S)))
    with pytest.raises(MeasurementError, match=r"130 samples at .* take .* more than --infer-max-time=10"):
        measured(machine, plan(samples=130, most_s=10))
    assert machine.now < 40 * S


def test_a_slow_call_still_makes_five_blocks_or_an_error() -> None:
    """Five calls of 10 s fit into a minute, five of 20 s don't."""
    timings = measured(Machine(itertools.repeat(10 * S)), plan(samples=1))
    assert [len(block) for block in timings.blocks_ns] == [1] * 5
    machine = Machine(itertools.repeat(20 * S))
    with pytest.raises(MeasurementError, match=r"5 samples at 20 s a call take 100 s"):
        measured(machine, plan(samples=1))
    assert machine.calls == 3, "the warm-up said it"


@pytest.mark.parametrize(
    ("call_ns", "samples", "told"),
    [
        (2_620 * MS, 5, "5 samples at 2.62 s a call take 13.1 s, more than {}; raise it to 19.7 or more"),
        (20 * S, 662, "662 samples at 20 s a call take 13200 s, more than {}; raise it to 19860 or more, or {}"),
        (999_600_000, 64, "64 samples at 1000 ms a call take 64 s, more than {}; raise it to 96 or more, or {}"),
    ],
)
def test_times_are_told_readably_and_only_advice_that_helps(call_ns: int, samples: int, told: str) -> None:
    """No power of ten; and nothing of a lower percentile where the median is all that is budgeted."""
    with pytest.raises(MeasurementError) as caught:
        measured(Machine(itertools.repeat(call_ns)), plan(samples=samples, most_s=12))
    assert str(caught.value) == told.format("--infer-max-time=12", "budget a lower percentile")


def test_time_is_up_but_the_samples_are_there() -> None:
    """Calls that slow down end at the limit with what was asked for."""
    machine = Machine(itertools.chain([MS] * 420, itertools.repeat(50 * MS)))
    timings = measured(machine, plan(samples=64, least_s=5, most_s=6))
    assert len(timings.all_ns) >= 64


# --- the garbage collector -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_off_while_timing_and_then_as_before(enabled: bool) -> None:  # noqa: FBT001
    """It never runs inside a sample, and who had it off has it off afterwards."""
    machine = Machine(itertools.repeat(10 * MS))
    seen: set[bool] = set()

    def run() -> None:
        seen.add(gc.isenabled())
        machine.run()

    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        measure(run, machine.clock, plan())
        after = gc.isenabled()
    finally:
        (gc.enable if before else gc.disable)()
    assert seen == {False}
    assert after is enabled


def test_a_failing_call_is_the_caller_s_own_error() -> None:
    """It comes through as it is, and the garbage collector is on again."""

    def run() -> None:
        raise ZeroDivisionError

    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        measure(run, Machine([]).clock, plan())
    assert gc.isenabled()
