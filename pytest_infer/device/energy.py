"""The energy of a stretch of back-to-back work, by a counter that moves in steps."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_infer.errors import MeasurementError

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW_NS: Final = 1_000_000_000
"""Shorter windows are refused: NVML's counter moves every 10 to 100 ms."""
POLL_NS: Final = 5_000_000
"""How often the counter is asked: often enough to see its steps within half a percent of the window."""
IDLE_LOOKS: Final = 10
IDLE_PAUSE_S: Final = 0.02
AVERAGED_S: Final = 1.2
"""Longer than the second over which NVML averages power on GPUs from Ampere on (`nvmlDeviceGetPowerUsage`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyWindow:
    """What a stretch of work took: millijoules, nanoseconds, calls."""

    energy_mj: int
    elapsed_ns: int
    calls: int

    @property
    def power_w(self) -> float:
        """The mean power, the idle one's part in it."""
        return self.energy_mj * 1e6 / self.elapsed_ns

    def sample_mj(self, a_call: int) -> float:
        """The energy of one sample in mJ where each call takes `a_call` through."""
        return self.energy_mj / (self.calls * a_call)


def energy_window(
    run: Callable[[], object], counter: Callable[[], int | None], clock: Callable[[], int], *, max_ns: int
) -> EnergyWindow:
    """Call `run` again and again for at least a second, from one step of the counter to another.

    Args:
        run: the work, finished when it returns.
        counter: millijoules since some beginning; None where there is no counter.
        clock: nanoseconds.
        max_ns: how long it may take.

    Raises:
        MeasurementError: no counter, or the window is too short: the time allowed, or the counter stands still.
    """
    if counter() is None:
        raise MeasurementError("this device has no energy counter (GPUs have one from Volta on, MIG instances none)")
    begun, calls = clock(), 0

    def step() -> tuple[int, int, int]:
        """Work until the counter moves: millijoules, time and calls then."""
        nonlocal calls
        before, asked = counter(), clock()
        while True:
            run()
            calls += 1
            now = clock()
            if now - asked >= POLL_NS:
                asked = now
                if (millijoules := counter()) is not None and millijoules != before:
                    return millijoules, now, calls
            if now - begun > max_ns:
                raise MeasurementError(_too_short(max_ns))

    first = last = step()
    while last[1] - first[1] < WINDOW_NS:
        last = step()
    return EnergyWindow(energy_mj=last[0] - first[0], elapsed_ns=last[1] - first[1], calls=last[2] - first[2])


def idle_power_w(read: Callable[[], float | None], *, sleep: Callable[[float], None] = time.sleep) -> float | None:
    """The power before any work, in W: the median of some looks."""
    seen: list[float] = []
    if read() is None:
        return None
    sleep(AVERAGED_S)
    for _ in range(IDLE_LOOKS):
        if (watts := read()) is None:
            return None
        seen.append(watts)
        sleep(IDLE_PAUSE_S)
    return statistics.median(seen)


def _too_short(max_ns: int) -> str:
    return (
        f"window too short for energy: it takes a second of work between two steps of the GPU's counter, which did not "
        f"fit into --infer-max-time={max_ns / 1e9:g}; raise it, or drop max_power_w and max_energy_mj"
    )
