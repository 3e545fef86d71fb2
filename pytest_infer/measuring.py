"""Measure one target once: lock, disturbance, loop, memory, accuracy; everything that makes a Measurement."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.deferred import refuse_deferred
from pytest_infer.device.cpu_state import contention, disturbance, monitors, read_cpu_state, tracers
from pytest_infer.engines.target import CallableTarget, Target
from pytest_infer.errors import UsageError
from pytest_infer.measure.device_summary import device_intervals, device_metrics, device_state
from pytest_infer.measure.host_memory import PeakMemory
from pytest_infer.measure.loop import SamplingPlan, Timings, measure, time_block
from pytest_infer.measure.pulse import Pulse
from pytest_infer.measure.rounds import in_rounds
from pytest_infer.measure.summary import latency_intervals, latency_metrics, summarise
from pytest_infer.measurement import Measurement
from pytest_infer.metrics import METRICS
from pytest_infer.on_gpu import active, memory_state, timing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from pytest_infer.accuracy import Accuracy
    from pytest_infer.against.station import Station
    from pytest_infer.config import Settings
    from pytest_infer.device.energy import EnergyWindow
    from pytest_infer.device.fingerprint import Device
    from pytest_infer.device.place import GpuInstruments
    from pytest_infer.engines.base import Backend, CompilingBackend
    from pytest_infer.engines.plan_cache import PlanCache
    from pytest_infer.measure.device_timer import DeviceTimes
    from pytest_infer.on_gpu import Timing

DISTURBED_REPEATS: Final = 2
"""How often a disturbed measurement is made again before it counts as invalid."""

UNAVAILABLE: Final[dict[str, frozenset[str]]] = {
    "cpu": frozenset({"device", "device_memory", "power", "energy"}),
    "gpu": frozenset(),
}
"""Metrics that can't be measured, by kind of device."""
_ENERGY: Final = frozenset({"power", "energy"})
_BUILT: Final = frozenset({"build", "load", "engine_size", "host_memory"})
"""Metrics of what a backend builds and loads: a plain callable has none of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What the session lends to a test: settings, device, its lock, backends, the plan cache, a place for progress.

    `instruments` gives what looks at a GPU meanwhile, when something is measured in this process; None for the CPU.
    `station` takes the place of the sampling loop in a process that is a side of an interleaved comparison.
    """

    settings: Settings
    device: Device
    backend: Callable[[str], Backend | CompilingBackend]
    plans: PlanCache
    exclusive: Callable[[], AbstractContextManager[None]]
    progress: Callable[[str], None]
    clock: Callable[[], int] = time.perf_counter_ns
    instruments: Callable[[], GpuInstruments | None] = lambda: None
    station: Station | None = None


def measure_target(
    target: Target,
    inputs: Any,
    *,
    name: str,
    wanted: Iterable[str],
    accuracy: Accuracy | None,
    against: Iterable[tuple[str, Target]],
    bench: Bench,
) -> Measurement:
    """Measure `target` on `inputs`; `wanted` are the metric names that budgets and gate ask for.

    `against` are other engines whose latency this one's is divided into, by metric name (`speedup_over_fp32`).

    Raises:
        MeasurementError: the samples don't fit into the time allowed. UsageError: a wanted metric that isn't there.
    """
    wanted = tuple(wanted)
    if bench.station is None:
        _check_built(target, wanted)
    plan = _plan(wanted, bench.settings)
    a_call = (target.workload.batch or 1) * target.in_flight
    memory = PeakMemory()
    with bench.exclusive():
        way = timing(target, inputs, bench.device, wanted)
        memory.start()
        if "device_memory" in wanted and (gpu := bench.instruments()) is not None:
            gpu.memory.start()
        if bench.station is None:
            observed = _observe(way, plan, bench, energy=not _ENERGY.isdisjoint(wanted))
            others = {metric: _timed(other.runnable(inputs), plan, bench).timings for metric, other in against}
        else:
            observed, others = _served(way, target, name, bench, bench.station), {}
        growth = memory.growth_mb()
    timings = observed.timings
    samples = summarise(timings)
    gpu_metrics, state = _gpu_metrics(observed, target, wanted, bench)
    metrics = gpu_metrics | target.costs | latency_metrics(timings, samples, a_call)
    if target.load_memory_mb is not None and growth is not None:
        resident, peak = target.load_memory_mb
        metrics["host_memory"] = max(peak, resident + growth)
    for metric, other in others.items():
        metrics[metric] = summarise(other).quantiles_ns["p50"] / 1e6 / metrics["latency"]
    if bench.station is None:
        _check_wanted(wanted, metrics, bench.device)
    rounds_ns, round_calls = in_rounds(timings.all_ns)
    return Measurement(
        name=name,
        workload=target.workload.describe(),
        digest=target.workload.digest(),
        metrics=metrics,
        intervals={} if bench.station is not None else _intervals(observed),
        samples=samples,
        accuracy={} if accuracy is None else accuracy.figures(),
        accuracy_notes=() if accuracy is None else accuracy.notes,
        non_finite=() if accuracy is None else accuracy.non_finite,
        facts=dict(target.facts),
        model_digest=target.model_digest,
        contention=observed.contention,
        disturbed=observed.disturbed,
        device_state=state,
        rounds_ns=rounds_ns,
        round_calls=round_calls,
    )


def _intervals(observed: _Observed) -> dict[str, tuple[float, float]]:
    device = {} if observed.device is None else device_intervals(observed.device)
    return latency_intervals(observed.timings) | device


def run_once(target: Target, inputs: Any, *, name: str, accuracy: Accuracy | None) -> Measurement:
    """Call `target` where nothing is to be measured (`--benchmark-disable`): what it is and computes, and no figure."""
    run = target.runnable(inputs)
    with active(run):
        refuse_deferred(run())
    return Measurement(
        name=name,
        workload=target.workload.describe(),
        digest=target.workload.digest(),
        metrics={},
        accuracy={} if accuracy is None else accuracy.figures(),
        accuracy_notes=() if accuracy is None else accuracy.notes,
        non_finite=() if accuracy is None else accuracy.non_finite,
        facts=dict(target.facts),
        model_digest=target.model_digest,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What was going on while somebody else's loop measured, see `Measurement`."""

    contention: dict[str, float] = field(default_factory=dict)
    disturbed: tuple[str, ...] = ()
    device_state: dict[str, str | int | float] = field(default_factory=dict)


def watched(loop: Callable[[], Any], bench: Bench) -> tuple[Any, Conditions]:
    """Run a measuring loop that is not ours, alone on the device; what it returns, and what was going on meanwhile.

    It pauses trace and profile functions itself, as pytest-benchmark's does, but nothing that `sys.monitoring` calls.
    """
    gpu = bench.instruments()
    with bench.exclusive():
        monitored, before, begun = monitors(), read_cpu_state(), bench.clock()
        pulse = Pulse()
        with nullcontext() if gpu is None else gpu.watch() as watch:
            pulse.take()
            value = loop()
            pulse.take()
        elapsed, after = bench.clock() - begun, read_cpu_state()
    conditions = Conditions(
        contention=pulse.told() | contention(before, after, elapsed),
        disturbed=(*monitored, *disturbance(before, after), *(() if watch is None else watch.disturbance(elapsed))),
        device_state={} if watch is None else watch.summary(elapsed).plain() | {"uuid": bench.device.uuid},
    )
    return value, conditions


def _plan(wanted: Iterable[str], settings: Settings) -> SamplingPlan:
    return SamplingPlan(
        min_time_ns=round(settings.time * 1e9),
        max_time_ns=round(settings.max_time * 1e9),
        min_samples=max([METRICS[name].min_samples for name in wanted if name in METRICS], default=1),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Observed:
    """Timings, what was waited for meanwhile, why they are not to be believed; of a GPU its state, and its energy."""

    timings: Timings
    contention: dict[str, float]
    disturbed: tuple[str, ...]
    device_state: dict[str, str | int | float] = field(default_factory=dict)
    window: EnergyWindow | None = None
    device: DeviceTimes | None = None


def _observe(way: Timing, plan: SamplingPlan, bench: Bench, *, energy: bool) -> _Observed:
    """Measure, and again where the machine was disturbed; a tracer stays, so that is told at once."""
    gpu = bench.instruments()
    for attempt in range(1 + DISTURBED_REPEATS):
        watched, before, begun = tracers(), read_cpu_state(), bench.clock()
        found = _timed(way.run, plan, bench) if gpu is None else _timed_on_gpu(way, plan, bench, gpu, energy=energy)
        elapsed, after = bench.clock() - begun, read_cpu_state()
        disturbed = watched or (*disturbance(before, after), *found.disturbed)
        if watched or not disturbed:
            break
        if attempt < DISTURBED_REPEATS:
            bench.progress(f"disturbed ({disturbed[0]}), measuring again")
    return replace(found, contention=found.contention | contention(before, after, elapsed), disturbed=disturbed)


def _timed(run: Callable[[], object], plan: SamplingPlan, bench: Bench) -> _Observed:
    pulse = Pulse()
    with active(run):
        timings = measure(run, bench.clock, plan, block=pulse.block)
    return _Observed(timings=timings, contention=pulse.told(), disturbed=())


def _timed_on_gpu(way: Timing, plan: SamplingPlan, bench: Bench, gpu: GpuInstruments, *, energy: bool) -> _Observed:
    """The times, and the GPU's state while they were taken; the energy of as much work again where it is asked."""
    idle_w = gpu.idle_power_w() if energy else None
    timer = way.timer()
    with gpu.watch() as watch, way.active():
        timings = measure(way.run, bench.clock, plan, block=time_block if timer is None else timer.block)
        measured = bench.clock()
        window = gpu.energy(way.run, max_ns=plan.max_time_ns) if energy else None
        sampled_ns = sum(timings.all_ns) if timer is None else measured - timer.begun_ns
        judged_ns = sampled_ns + bench.clock() - measured
    state = watch.summary(judged_ns).plain() | {"uuid": bench.device.uuid}
    if idle_w is not None:
        state["idle_power_w"] = idle_w
    return _Observed(
        timings=timings,
        contention={},
        disturbed=watch.disturbance(judged_ns),
        device_state=state,
        window=window,
        device=None if timer is None else timer.times(),
    )


def _gpu_metrics(
    observed: _Observed, target: Target, wanted: Iterable[str], bench: Bench
) -> tuple[dict[str, float], dict[str, str | int | float]]:
    """What a GPU's timer, and where it is asked for, its other instruments tell; and its state with what is beside."""
    metrics: dict[str, float] = {}
    state = observed.device_state
    if observed.device is not None:
        metrics |= device_metrics(observed.device)
        state = state | device_state(observed.device)
    if "device_memory" in wanted and (gpu := bench.instruments()) is not None and bench.station is None:
        found, beside = memory_state(gpu, target, state)
        metrics, state = metrics | found, state | beside
    if observed.window is not None:
        a_call = (target.workload.batch or 1) * target.in_flight
        metrics |= {"power": observed.window.power_w, "energy": observed.window.sample_mj(a_call)}
    return metrics, state


def _served(way: Timing, target: Target, name: str, bench: Bench, station: Station) -> _Observed:
    """As a side of an interleaved comparison: run what the parent asks for."""
    bench.instruments()  # raises where CUDA would compute on another GPU
    timer = way.timer()
    measured_on = {"inputs": target.measured_on()} if isinstance(target, CallableTarget) else {}
    with way.active():
        timings = station.serve(
            way.run,
            bench.clock,
            name=name,
            workload=target.workload.describe() | measured_on,
            model_digest=target.model_digest,
            block=time_block if timer is None else timer.block,
        )
    return _Observed(
        timings=timings, contention={}, disturbed=tracers(), device=None if timer is None else timer.times()
    )


def _check_built(target: Target, wanted: Iterable[str]) -> None:
    for name in wanted:
        if name in _BUILT and isinstance(target, CallableTarget):
            raise UsageError(
                f"the metric {name!r} is of models that a backend builds, and {target.workload.target} is a plain "
                "callable, measured as it is; drop its budget or gate"
            )


def _check_wanted(wanted: Iterable[str], metrics: dict[str, float], device: Device) -> None:
    for name in wanted:
        if name in METRICS and name not in metrics:
            raise UsageError(f"the metric {name!r} can't be measured here ({device.name}); drop its budget or gate")
