"""Measure one target once: lock, disturbance, loop, memory, accuracy; everything that makes a Measurement."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.device.cpu_state import contention, disturbance, read_cpu_state, tracers
from pytest_infer.errors import UsageError
from pytest_infer.measure.host_memory import PeakMemory
from pytest_infer.measure.loop import SamplingPlan, Timings, measure
from pytest_infer.measure.summary import latency_intervals, latency_metrics, summarise
from pytest_infer.measurement import Measurement
from pytest_infer.metrics import METRICS

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
    from pytest_infer.engines.target import Target

DISTURBED_REPEATS: Final = 2
"""How often a disturbed measurement is made again before it counts as invalid."""

UNAVAILABLE: Final = {
    "cpu": frozenset({"device", "device_memory", "power", "energy"}),
    "gpu": frozenset({"device"}),
}
"""Metrics that can't be measured, by kind of device."""
_ENERGY: Final = frozenset({"power", "energy"})


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
    plan = _plan(wanted, bench.settings)
    a_call = (target.workload.batch or 1) * target.in_flight
    memory = PeakMemory()
    run = target.runnable(inputs)
    with bench.exclusive():
        memory.start()
        if bench.station is None:
            observed = _observe(run, plan, bench, energy=not _ENERGY.isdisjoint(wanted))
            others = {metric: measure(other.runnable(inputs), bench.clock, plan) for metric, other in against}
        else:
            observed, others = _served(run, target, name, bench, bench.station), {}
        growth = memory.growth_mb()
    timings = observed.timings
    samples = summarise(timings)
    metrics = _gpu_metrics(observed, wanted, a_call) | target.costs | latency_metrics(timings, samples, a_call)
    if target.load_memory_mb is not None and growth is not None:
        resident, peak = target.load_memory_mb
        metrics["host_memory"] = max(peak, resident + growth)
    for metric, other in others.items():
        metrics[metric] = summarise(other).quantiles_ns["p50"] / 1e6 / metrics["latency"]
    if bench.station is None:
        _check_wanted(wanted, metrics, bench.device)
    return Measurement(
        name=name,
        workload=target.workload.describe(),
        digest=target.workload.digest(),
        metrics=metrics,
        intervals=latency_intervals(timings),
        samples=samples,
        accuracy={} if accuracy is None else accuracy.figures(),
        accuracy_notes=() if accuracy is None else accuracy.notes,
        non_finite=() if accuracy is None else accuracy.non_finite,
        facts=dict(target.facts),
        model_digest=target.model_digest,
        contention=observed.contention,
        disturbed=observed.disturbed,
        device_state=observed.device_state,
    )


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


def _observe(run: Callable[[], object], plan: SamplingPlan, bench: Bench, *, energy: bool) -> _Observed:
    """Measure, and again where the machine was disturbed; a tracer stays, so that is told at once."""
    gpu = bench.instruments()
    for attempt in range(1 + DISTURBED_REPEATS):
        watched, before, begun = tracers(), read_cpu_state(), bench.clock()
        found = _timed(run, plan, bench) if gpu is None else _timed_on_gpu(run, plan, bench, gpu, energy=energy)
        elapsed, after = bench.clock() - begun, read_cpu_state()
        disturbed = watched or (*disturbance(before, after), *found.disturbed)
        if watched or not disturbed:
            break
        if attempt < DISTURBED_REPEATS:
            bench.progress(f"disturbed ({disturbed[0]}), measuring again")
    return replace(found, contention=contention(before, after, elapsed), disturbed=disturbed)


def _timed(run: Callable[[], object], plan: SamplingPlan, bench: Bench) -> _Observed:
    return _Observed(timings=measure(run, bench.clock, plan), contention={}, disturbed=())


def _timed_on_gpu(
    run: Callable[[], object], plan: SamplingPlan, bench: Bench, gpu: GpuInstruments, *, energy: bool
) -> _Observed:
    """The times, and the GPU's state while they were taken; the energy of as much work again where it is asked."""
    idle_w = gpu.idle_power_w() if energy else None
    with gpu.watch() as watch:
        timings = measure(run, bench.clock, plan)
        begun = bench.clock()
        window = gpu.energy(run, max_ns=plan.max_time_ns) if energy else None
        judged_ns = sum(timings.all_ns) + bench.clock() - begun
    state = watch.summary(judged_ns).plain() | {"uuid": bench.device.uuid}
    if idle_w is not None:
        state["idle_power_w"] = idle_w
    return _Observed(
        timings=timings,
        contention={},
        disturbed=watch.disturbance(judged_ns),
        device_state=state,
        window=window,
    )


def _gpu_metrics(observed: _Observed, wanted: Iterable[str], a_call: int) -> dict[str, float]:
    """What a GPU's instruments tell, where it is asked for. Memory is the process's; a backend's own figure wins."""
    metrics: dict[str, float] = {}
    memory = observed.device_state.get("process_memory_mb")
    if "device_memory" in wanted and isinstance(memory, int | float):
        metrics["device_memory"] = memory
    if observed.window is not None:
        metrics |= {"power": observed.window.power_w, "energy": observed.window.sample_mj(a_call)}
    return metrics


def _served(run: Callable[[], object], target: Target, name: str, bench: Bench, station: Station) -> _Observed:
    """As a side of an interleaved comparison: run what the parent asks for."""
    bench.instruments()  # raises where CUDA would compute on another GPU
    timings = station.serve(
        run, bench.clock, name=name, workload=target.workload.describe(), model_digest=target.model_digest
    )
    return _Observed(timings=timings, contention={}, disturbed=tracers())


def _check_wanted(wanted: Iterable[str], metrics: dict[str, float], device: Device) -> None:
    for name in wanted:
        if name in METRICS and name not in metrics:
            raise UsageError(f"the metric {name!r} can't be measured here ({device.name}); drop its budget or gate")
