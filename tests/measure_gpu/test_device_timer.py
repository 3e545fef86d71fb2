"""The device timer on a GPU by script: what is done in which order, and that the times are the script's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_infer.device.launch import Launch
from pytest_infer.measure.device_timer import GROUP_NS, HOST_BOUND, DeviceTimer, DeviceTimes
from pytest_infer.measure.loop import SamplingPlan, measure
from tests.measure_gpu.scripted import MS, US, Gpu, ScriptedLaunch
from tests.tensorrt import stand_in

KERNEL = 300 * US


def timed(gpu: Gpu, launch: ScriptedLaunch, iterations: int, *, cold: bool = False) -> tuple[DeviceTimer, list[int]]:
    """One block by a fresh timer; the log holds that block alone."""
    timer = DeviceTimer(launch, flush=launch.stream.flush() if cold else None)
    timer.block(launch, gpu.clock, 1)  # how it is timed is found out before the first one
    gpu.log.clear()
    return timer, timer.block(launch, gpu.clock, iterations)


# --- together --------------------------------------------------------------------------------------------------------


def test_a_block_has_one_synchronisation_and_events_made_before_it() -> None:
    """Between marks is the launch alone; between iterations waits nobody but the application; marks are read last."""
    gpu = Gpu()
    timed(gpu, ScriptedLaunch(gpu, [KERNEL]), 4)
    events = ["event"] * gpu.log.count("event")
    one = ["begin", "record", "launch", "record", "wait"]
    assert gpu.log == [*events, *one * 4, "synchronize", *["read"] * 4]
    assert len(events) == 2 * 3, "a pair an iteration, one of them made earlier"


def test_events_are_used_again() -> None:
    """A second block of that size makes none."""
    gpu = Gpu()
    launch = ScriptedLaunch(gpu, [KERNEL])
    timer, _ = timed(gpu, launch, 4)
    gpu.log.clear()
    timer.block(launch, gpu.clock, 4)
    assert "event" not in gpu.log


@given(st.lists(st.integers(60 * US, 20 * MS), min_size=1, max_size=20), st.integers(0, 30 * US), st.integers(0, MS))
@settings(max_examples=40)
def test_three_times_of_the_same_iteration(work_ns: list[int], host_ns: int, out_ns: int) -> None:
    """End to end, device and enqueue time of each call, in order, each the script's own.

    The device's begins where an idle GPU reaches the first mark: the launch's way to it is in there.
    """
    gpu = Gpu()
    launch = ScriptedLaunch(gpu, work_ns, host_ns=host_ns, out_ns=out_ns)
    timer = DeviceTimer(launch)
    timer.block(launch, gpu.clock, 1)
    skipped, launch.launched = len(timer.times().device_ns), 0
    times = timer.block(launch, gpu.clock, len(work_ns))
    assert times == [host_ns + work + out_ns for work in work_ns]
    assert list(timer.times().device_ns[skipped:]) == pytest.approx([host_ns + work for work in work_ns], abs=1)
    assert timer.times().enqueue_ns[skipped:] == (host_ns,) * len(work_ns)
    assert timer.times().launches == 1


# --- in groups -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel_us", [2, 10, 49])
def test_short_kernels_come_many_to_a_pair_of_marks(kernel_us: int) -> None:
    """Single calls are timed by the host without marks; a group of launches with nobody waiting ends the block."""
    gpu = Gpu()
    launch = ScriptedLaunch(gpu, [kernel_us * US], host_ns=US)
    timer, times = timed(gpu, launch, 3)
    launches = timer.times().launches
    assert launches * kernel_us * US == pytest.approx(GROUP_NS, rel=0.1)
    group = ["begin", "record", *["launch"] * launches, "record", "synchronize", "read"]
    assert gpu.log == [*["begin", "launch", "wait"] * 3, *group]
    assert times == [US + kernel_us * US + 3 * US] * 3
    assert len(timer.times().enqueue_ns) == 1 + 3


def test_a_group_s_mean_is_the_kernel_s() -> None:
    """Its launch from an idle GPU is a percent of it at most, however short the kernel is."""
    gpu = Gpu()
    timer, _ = timed(gpu, ScriptedLaunch(gpu, [10 * US], host_ns=4 * US), 3)
    assert timer.times().device_ns == pytest.approx([10 * US] * 2, rel=0.01)


def test_long_work_is_tried_once() -> None:
    """Nobody runs ten of a second each to know that they are not short."""
    gpu = Gpu()
    launch = ScriptedLaunch(gpu, [1000 * MS])
    timer = DeviceTimer(launch)
    timer.block(launch, gpu.clock, 1)
    assert launch.launched == 2


# --- cold ------------------------------------------------------------------------------------------------------------


def test_the_cache_is_flushed_outside_of_both_clocks() -> None:
    """Before each call and before each pair of marks; where marks are set, nobody waits until the block's end."""
    gpu = Gpu()
    timer, times = timed(gpu, ScriptedLaunch(gpu, [KERNEL]), 3, cold=True)
    events = ["event"] * 4
    alone = ["flush", "synchronize", "begin", "launch", "wait"]
    marked = ["begin", "flush", "record", "launch", "record"]
    assert gpu.log == [*alone * 3, *events, *marked * 3, "synchronize", *["read"] * 3]
    assert times == [5 * US + KERNEL + 3 * US] * 3
    assert timer.times().device_ns == (KERNEL,) * 4, "the launch is hidden under the flush"
    assert timer.times().cold


def test_short_kernels_stay_single_when_cold() -> None:
    """The second launch of a group would find the cache warm."""
    gpu = Gpu()
    timer, _ = timed(gpu, ScriptedLaunch(gpu, [3 * US]), 3, cold=True)
    assert timer.times().launches == 1
    assert timer.times().device_ns == (3 * US,) * 4


# --- bound by --------------------------------------------------------------------------------------------------------


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_bound_by_the_host(enqueue_ns: int, device_ns: int) -> None:
    """From 0.8 of the device's time on that the host takes to enqueue, on medians."""
    times = DeviceTimes(
        device_ns=(device_ns,), enqueue_ns=(enqueue_ns, enqueue_ns, 10**12), launches=1, cold=False, timed_by=""
    )
    assert times.host_bound is (enqueue_ns > HOST_BOUND * device_ns)


def test_a_slow_host_is_told() -> None:
    """Where the device waits for launches, its time is the host's, and says so."""
    gpu = Gpu()
    timer, _ = timed(gpu, ScriptedLaunch(gpu, [60 * US], host_ns=900 * US), 5)
    assert timer.times().host_bound
    timer, _ = timed(gpu, ScriptedLaunch(gpu, [900 * US], host_ns=60 * US), 5)
    assert not timer.times().host_bound


# --- in the loop -----------------------------------------------------------------------------------------------------


def test_the_loop_warms_up_without_marks_and_samples_with_them() -> None:
    """What it returns is the host's times; there are as many of the device."""
    gpu = Gpu()
    launch = ScriptedLaunch(gpu, [2 * MS])
    timer = DeviceTimer(launch)
    plan = SamplingPlan(min_time_ns=200 * MS, max_time_ns=10_000 * MS, min_samples=64)
    found = measure(launch, gpu.clock, plan, block=timer.block)
    assert len(timer.times().device_ns) == len(found.all_ns) >= 64
    assert "record" not in gpu.log[: found.warmup * 3]
    assert 0 < timer.begun_ns < gpu.now_ns
    assert gpu.log.count("synchronize") <= 2 + len(found.all_ns)


# --- a CUDA graph ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("graph", "work"), [(False, "execute"), (True, "launch")])
def test_a_graph_s_replay_is_timed_like_the_plain_run(*, graph: bool, work: str) -> None:
    """On TensorRT's run path: marks around the inference alone, copies outside, one launch where a graph is."""
    cuda = stand_in.Cuda()
    run = stand_in.opened(stand_in.doubling(cuda), graph=graph).bind([{"x": np.ones((2, 3), np.float32)}])
    assert isinstance(run, Launch)
    timer = DeviceTimer(run)
    timer.block(run, lambda: 0, 2)
    cuda.words()
    timer.block(run, lambda: 0, 2)
    assert cuda.words() == [*["copy_in", "record", work, "record", "copy_out", "synchronize"] * 2, "synchronize"]
