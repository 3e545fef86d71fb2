"""Measure one target once: lock, disturbance, loop, memory, accuracy; everything that makes a Measurement."""

from __future__ import annotations

import time
from dataclasses import dataclass
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
    from pytest_infer.config import Settings
    from pytest_infer.device.fingerprint import Device
    from pytest_infer.engines.base import Backend, CompilingBackend
    from pytest_infer.engines.plan_cache import PlanCache
    from pytest_infer.engines.target import Target

DISTURBED_REPEATS: Final = 2
"""How often a disturbed measurement is made again before it counts as invalid."""

UNAVAILABLE_ON_CPU: Final = frozenset({"device", "device_memory", "power", "energy"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What the session lends to a test: settings, device, its lock, backends, the plan cache, a place for progress."""

    settings: Settings
    device: Device
    backend: Callable[[str], Backend | CompilingBackend]
    plans: PlanCache
    exclusive: Callable[[], AbstractContextManager[None]]
    progress: Callable[[str], None]
    clock: Callable[[], int] = time.perf_counter_ns


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
    plan = _plan(wanted, bench.settings)
    memory = PeakMemory()
    run = target.runnable(inputs)
    with bench.exclusive():
        memory.start()
        observed = _observe(run, plan, bench)
        growth = memory.growth_mb()
        others = {metric: measure(other.runnable(inputs), bench.clock, plan) for metric, other in against}
    timings = observed.timings
    samples = summarise(timings)
    metrics = target.costs | latency_metrics(timings, samples, (target.workload.batch or 1) * target.in_flight)
    if target.load_memory_mb is not None and growth is not None:
        resident, peak = target.load_memory_mb
        metrics["host_memory"] = max(peak, resident + growth)
    for metric, other in others.items():
        metrics[metric] = summarise(other).quantiles_ns["p50"] / 1e6 / metrics["latency"]
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
    )


def _plan(wanted: Iterable[str], settings: Settings) -> SamplingPlan:
    return SamplingPlan(
        min_time_ns=round(settings.time * 1e9),
        max_time_ns=round(settings.max_time * 1e9),
        min_samples=max([METRICS[name].min_samples for name in wanted if name in METRICS], default=1),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Observed:
    """Timings, what was waited for meanwhile, and why they are not to be believed."""

    timings: Timings
    contention: dict[str, float]
    disturbed: tuple[str, ...]


def _observe(run: Callable[[], object], plan: SamplingPlan, bench: Bench) -> _Observed:
    """Measure, and again where the machine was disturbed; a tracer stays, so that is told at once."""
    for attempt in range(1 + DISTURBED_REPEATS):
        watched, before, begun = tracers(), read_cpu_state(), bench.clock()
        timings = measure(run, bench.clock, plan)
        elapsed, after = bench.clock() - begun, read_cpu_state()
        disturbed = watched or disturbance(before, after)
        if watched or not disturbed:
            break
        if attempt < DISTURBED_REPEATS:
            bench.progress(f"disturbed ({disturbed[0]}), measuring again")
    return _Observed(timings=timings, contention=contention(before, after, elapsed), disturbed=disturbed)


def _check_wanted(wanted: Iterable[str], metrics: dict[str, float], device: Device) -> None:
    for name in wanted:
        if name in METRICS and name not in metrics:
            raise UsageError(f"the metric {name!r} can't be measured here ({device.name}); drop its budget or gate")
