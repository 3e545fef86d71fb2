"""What a GPU did while something was measured, script by script: what taints a measurement, and what does not."""

from __future__ import annotations

import itertools
import os
import threading
from typing import TYPE_CHECKING

import pytest

from pytest_infer.device.gpu_state import state_differences
from pytest_infer.device.gpu_watch import INTERVAL_S, GpuReader, GpuWatch
from pytest_infer.device.gpus import choose
from pytest_infer.errors import DeviceError
from tests.gpu_device.nvml_stand_in import Board, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.gpu_device.nvml_stand_in import StandIn

    Install = Callable[..., StandIn]

STRANGER = 4_194_303
"""No machine of ours gives such an id."""
FINE = State()
IDLE = State(sm_mhz=345, reasons=("GpuIdle",), power_mw=80_000, temperature_c=35)
STEP_NS = 20_000_000


def watched(install: Install, *script: State, board: Board | None = None) -> GpuWatch:
    """A GPU that does this, watched look by look: the first before the body, the last behind it, no time in between."""
    board = board or Board()
    install(Board(**{**vars(board), "script": (FINE, *script)}))
    (gpu,) = choose("0", {})
    ticks = iter([False] * (len(script) - 2) + [True])
    clock = itertools.count(step=STEP_NS).__next__
    with GpuWatch(GpuReader(gpu, os.getpid()), clock, wait=lambda _: next(ticks)) as watch:
        pass
    return watch


def judged(install: Install, *script: State) -> tuple[str, ...]:
    """Why a measurement that lasted from the second look to the last is not to be believed."""
    return watched(install, *script).disturbance((len(script) - 2) * STEP_NS)


def test_a_quiet_gpu(install: Install) -> None:
    """Nothing is wrong, and the summary says what there was to see."""
    watch = watched(install, IDLE, FINE, FINE, FINE)
    assert watch.disturbance(2 * STEP_NS) == ()
    assert watch.summary(2 * STEP_NS).plain() == {
        "samples": 3,
        "sm_mhz": 1980,
        "sm_mhz_min": 1980,
        "sm_mhz_max": 1980,
        "memory_mhz": 3201,
        "temperature_c": 50,
        "temperature_before_c": 35,
        "power_w": 300,
        "utilisation": 97,
        "memory_used_mb": 0,
        "processes": 0,
    }


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("HwSlowdown", "the hardware held the clocks down (too hot, or too little power)"),
        ("HwThermalSlowdown", "the hardware held the clocks down because of heat"),
        ("SwThermalSlowdown", "the driver held the clocks down because of heat"),
        ("HwPowerBrakeSlowdown", "the power supply pulled the brake on the clocks"),
    ],
)
def test_throttling_in_the_middle(install: Install, reason: str, words: str) -> None:
    """One look is enough, and the reason tells how many had it."""
    assert judged(install, IDLE, FINE, State(reasons=(reason,)), FINE, FINE) == (f"{words}, in 1 of 4 looks",)


def test_a_power_cap_is_recorded(install: Install) -> None:
    """A heavy network meets it by itself: it is no fault, nor is the clock that it takes; the summary has both."""
    capped = State(sm_mhz=1_400, reasons=("SwPowerCap",))
    watch = watched(install, IDLE, FINE, capped, FINE, FINE)
    assert watch.disturbance(3 * STEP_NS) == ()
    plain = watch.summary(3 * STEP_NS).plain()
    assert (plain["share_sw_power_cap"], plain["sm_mhz_min"]) == (0.25, 1400)
    behind = State(sm_mhz=1_500)  # the reason is gone, the clock on its way
    assert watched(install, IDLE, FINE, capped, behind, FINE).disturbance(3 * STEP_NS) == ()


@pytest.mark.parametrize("reason", ["ApplicationsClocksSetting", "SyncBoost", "DisplayClockSetting", "GpuIdle"])
def test_settings_are_no_faults(install: Install, reason: str) -> None:
    """Clocks that somebody set, or an idle GPU, slow nothing down by surprise."""
    assert judged(install, *[State(reasons=(reason,))] * 4) == ()


def test_a_foreign_process(install: Install) -> None:
    """Somebody else computing on the GPU taints the measurement, and is named, whatever it does there."""
    (told,) = judged(install, IDLE, FINE, State(processes=((STRANGER, 10**9),)), FINE)
    assert told == f"another process computed on the GPU: {STRANGER}"


def test_our_own_processes(install: Install) -> None:
    """This process and those above and below it in the same run are no strangers; its memory is told."""
    own = State(processes=((os.getpid(), 3 * 10**9),))
    watch = watched(install, own, own, own)
    assert watch.disturbance(STEP_NS) == ()
    assert (watch.summary(STEP_NS).process_memory_mb, watch.summary(STEP_NS).processes) == (3000, 1)


def test_memory_has_its_peak_wherever_it_was(install: Install) -> None:
    """Also in the warm-up, where libraries try out their algorithms."""
    peak = State(processes=((os.getpid(), 5 * 10**9),))
    own = State(processes=((os.getpid(), 3 * 10**9),))
    assert watched(install, own, peak, own, own, own).summary(STEP_NS).process_memory_mb == 5000


@pytest.mark.parametrize(("mhz", "tainted"), [(1842, False), (1841, True), (1_410, True)])
def test_a_clock_dip(install: Install, mhz: int, tainted: bool) -> None:  # noqa: FBT001 - pytest gives it by position
    """More than 7 % off the median, without a reason of its own."""
    told = judged(install, IDLE, FINE, FINE, State(sm_mhz=mhz), FINE, FINE)
    assert bool(told) is tainted
    assert not told or told == (f"the SM clock went to {mhz} MHz, more than 7% off its median of 1980 MHz",)


def test_a_clock_that_rises_is_off_too(install: Install) -> None:
    """A boost in the middle is as unsteady as a dip."""
    slow = State(sm_mhz=1_500)
    assert "went to 1980 MHz" in judged(install, IDLE, slow, slow, slow, FINE)[0]


def test_the_warm_up_does_not_count(install: Install) -> None:
    """Clocks rise while it lasts: only what was timed is judged."""
    script = (IDLE, State(sm_mhz=800), State(reasons=("HwSlowdown",)), FINE, FINE, FINE)
    assert watched(install, *script).disturbance(2 * STEP_NS) == ()
    assert len(watched(install, *script).disturbance(4 * STEP_NS)) == 2


def test_too_short_for_a_look_within(install: Install) -> None:
    """The last look is always one of what was timed."""
    watch = watched(install, IDLE, FINE)
    assert watch.summary(1).samples == 1
    assert watched(install, IDLE, State(reasons=("HwSlowdown",))).disturbance(1) != ()


def test_several_reasons(install: Install) -> None:
    """All are told."""
    bad = State(reasons=("HwSlowdown", "HwThermalSlowdown"), sm_mhz=1_000, processes=((STRANGER, 1),))
    assert len(judged(install, IDLE, FINE, FINE, bad, FINE)) == 4


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_lost_gpu(install: Install, at: int) -> None:
    """It is no disturbance that a repetition could mend, but an error that says so, whenever it happens."""
    script = [FINE] * 5
    script[at] = State(lost=True)
    with pytest.raises(DeviceError, match=r"a GPU no longer answers its driver .GPU is lost.; reset it or restart"):
        watched(install, *script)


def test_a_lost_gpu_is_why_the_target_failed(install: Install) -> None:
    """The body's own error is what came of it: told as the cause."""
    install(Board(script=(FINE, FINE, State(lost=True))))
    (gpu,) = choose("0", {})
    with (
        pytest.raises(DeviceError, match="no longer answers") as caught,
        GpuWatch(GpuReader(gpu, os.getpid()), lambda: 0, wait=lambda _: True),
    ):
        raise RuntimeError("CUDA error: unspecified launch failure")
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_an_interrupt_stays_one(install: Install) -> None:
    """Ctrl-C is not turned into an error of the GPU."""
    install(Board(script=(FINE, FINE, State(lost=True))))
    (gpu,) = choose("0", {})
    with pytest.raises(KeyboardInterrupt), GpuWatch(GpuReader(gpu, os.getpid()), lambda: 0, wait=lambda _: True):
        raise KeyboardInterrupt


def test_a_board_that_tells_little(install: Install) -> None:
    """No right, no such sensor: nothing is held against the measurement, nothing is made up."""
    silent = ("ClockInfo", "UtilizationRates", "Temperature", "PowerUsage", "ComputeRunningProcesses_v3")
    closed = ("CurrentClocksEventReasons", "CurrentClocksThrottleReasons", "ComputeRunningProcesses_v2")
    board = Board(
        refuses=tuple(f"nvmlDeviceGet{name}" for name in silent),
        forbids=tuple(f"nvmlDeviceGet{name}" for name in closed),
    )
    watch = watched(install, State(sm_mhz=1), State(reasons=("HwSlowdown",)), FINE, board=board)
    assert watch.disturbance(10 * STEP_NS) == ()
    assert watch.summary(10 * STEP_NS).plain() == {"samples": 3, "memory_used_mb": 0, "processes": 0}


@pytest.mark.parametrize("missing", ["CurrentClocksEventReasons", "ComputeRunningProcesses_v3"])
def test_older_drivers(install: Install, missing: str) -> None:
    """What has another name there is asked by that name."""
    bad = State(reasons=("HwSlowdown",), processes=((STRANGER, 1),))
    watch = watched(install, FINE, bad, bad, board=Board(refuses=(f"nvmlDeviceGet{missing}",)))
    assert len(watch.disturbance(STEP_NS)) == 2


def test_the_thread_looks_until_it_is_stopped(install: Install) -> None:
    """While the body runs there are looks, and none after it: the thread is gone."""
    install()
    (gpu,) = choose("0", {})
    read, enough, looks = GpuReader(gpu, os.getpid()), threading.Event(), itertools.count(1)

    def wait(stop: threading.Event) -> bool:
        if next(looks) == 4:
            enough.set()
        return stop.wait(0)

    with GpuWatch(read, itertools.count().__next__, wait=wait) as watch:
        assert enough.wait(30)
    assert watch.summary(10**9).samples >= 5
    assert "pytest-infer-gpu" not in [thread.name for thread in threading.enumerate()]
    assert INTERVAL_S == 0.02


@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        ({"sm_mhz": 1980}, {"sm_mhz": 1755}, ("SM clock while measuring: 1980 → 1755 MHz",)),
        ({"sm_mhz": 1980}, {"sm_mhz": 1965}, ()),
        ({}, {"sm_mhz": 1980}, ()),
        ({"sm_mhz": 1980}, {}, ()),
    ],
)
def test_another_clock_is_told(then: dict[str, int], now: dict[str, int], told: tuple[str, ...]) -> None:
    """Beside a verdict stands the clock that the baseline ran at, where it was another one."""
    assert state_differences(then, now) == told
