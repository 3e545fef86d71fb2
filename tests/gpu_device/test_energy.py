"""Energy by a counter that moves in steps, on a clock that tests hold."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pytest_infer.device.energy import AVERAGED_S, WINDOW_NS, energy_window, idle_power_w
from pytest_infer.errors import MeasurementError

MS = 1_000_000


@dataclass
class Board:
    """A GPU that draws `watts` while it works; its counter shows what was used at every full `step_ns`."""

    watts: float = 500.0
    step_ns: int = 100 * MS
    call_ns: int = 2 * MS
    now_ns: int = 0
    calls: int = 0

    def run(self) -> None:
        """Work for a while."""
        self.calls += 1
        self.now_ns += self.call_ns

    def counter(self) -> int:
        """Millijoules, as of the last step."""
        return round(self.now_ns // self.step_ns * self.step_ns * self.watts / 1e6)

    def clock(self) -> int:
        """Nanoseconds."""
        return self.now_ns


@pytest.mark.parametrize("step_ms", [10, 20, 100, 250])
@pytest.mark.parametrize("call_us", [200, 2_000, 300_000])
def test_power_and_energy_are_the_board_s(step_ms: int, call_us: int) -> None:
    """Within 5 %, however coarse the counter is and however long a call takes: the window begins and ends on steps."""
    board = Board(step_ns=step_ms * MS, call_ns=call_us * 1_000)
    window = energy_window(board.run, board.counter, board.clock, max_ns=60_000 * MS)
    assert window.elapsed_ns >= WINDOW_NS
    assert window.calls * board.call_ns == window.elapsed_ns
    assert window.power_w == pytest.approx(500, rel=0.05)
    assert window.sample_mj(4) == pytest.approx(500 * call_us / 1e3 / 4, rel=0.05)


def test_no_counter() -> None:
    """A board without one is told from one that stands still; nothing is run for it."""
    board = Board()
    with pytest.raises(MeasurementError, match="no energy counter"):
        energy_window(board.run, lambda: None, board.clock, max_ns=60_000 * MS)
    assert board.calls == 0


@pytest.mark.parametrize("max_ms", [300, 900])
def test_a_window_too_short(max_ms: int) -> None:
    """Less than a second is no window: an error that says how it could be one."""
    board = Board()
    with pytest.raises(MeasurementError, match=rf"window too short.*--infer-max-time={max_ms / 1e3:g}; raise it"):
        energy_window(board.run, board.counter, board.clock, max_ns=max_ms * MS)


def test_a_counter_that_stands_still() -> None:
    """It ends when the time allowed is over."""
    board = Board(step_ns=10**18)
    with pytest.raises(MeasurementError, match="window too short"):
        energy_window(board.run, board.counter, board.clock, max_ns=5_000 * MS)
    assert board.now_ns <= 5_100 * MS


def test_idle_power_is_the_median_of_looks() -> None:
    """One odd look does not move it, nor what was computed just before; a board that tells nothing has none."""
    looks = iter([250.0] + [80.0] * 5 + [300.0] + [81.0] * 4)
    pauses: list[float] = []
    assert idle_power_w(lambda: next(looks), sleep=pauses.append) == 80.5
    assert pauses[0] == AVERAGED_S > 1
    assert len(pauses) == 11
    assert idle_power_w(lambda: None, sleep=pauses.append) is None
