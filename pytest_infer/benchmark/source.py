"""pytest-benchmark's `benchmark` fixture as a source of samples."""

from __future__ import annotations

import itertools
import statistics
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_infer.benchmark.names import rounds_of
from pytest_infer.errors import UsageError
from pytest_infer.measure.loop import Timings
from pytest_infer.measure.rounds import in_rounds
from pytest_infer.measure.summary import latency_intervals, latency_metrics, summarise
from pytest_infer.measurement import Measurement
from pytest_infer.metrics import METRICS
from pytest_infer.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_infer.engines.target import Target
    from pytest_infer.marker import Request

NAME = "benchmark"
"""What such a measurement is called."""
_BLOCKS = 10


def from_benchmark(benchmark: Any, request: Request, wanted: Iterable[str], target: Target | None) -> Measurement:
    """The rounds of a used fixture as a Measurement.

    Args:
        benchmark: the fixture.
        request: what the marker asks for.
        wanted: the metrics that budgets and gate ask for.
        target: the marker's engine, where the test took it: its costs and its identity are the measurement's, too.

    Raises:
        UsageError: no rounds, or a wanted metric that these can't tell.
    """
    seconds, calls = rounds_of(benchmark)
    if not seconds:
        raise UsageError("the benchmark fixture made no rounds; measure with infer.measure(...) here")
    times = [round(time * 1e9) for time in seconds]
    ends = [len(times) * i // _BLOCKS for i in range(_BLOCKS + 1)]
    blocks = tuple(tuple(times[a:b]) for a, b in itertools.pairwise(ends) if a < b)
    timings = Timings(blocks_ns=blocks, warmup=0, settled=True)
    samples = summarise(timings)
    if calls > 1:  # a round's mean says nothing of its slowest call
        kept = {name: value for name, value in samples.quantiles_ns.items() if name in {"min", "p50", "max"}}
        samples = replace(samples, quantiles_ns=kept)
    if target is None:
        workload = Workload(target=NAME, backend="callable", batch=request.batch, scenario=request.scenario)
    else:
        workload = target.workload
    metrics = latency_metrics(timings, samples, workload.batch or 1)
    if "latency" in metrics:
        metrics["latency"] = statistics.median(seconds) * 1e3  # a short call is no whole number of nanoseconds
    metrics |= {} if target is None else target.costs
    _check(wanted, metrics, len(times), calls)
    rounds_ns, round_calls = in_rounds([round(time * calls * 1e9) for time in seconds], calls)
    return Measurement(
        name=NAME,
        workload=workload.describe(),
        digest=workload.digest(),
        metrics=metrics,
        intervals={name: found for name, found in latency_intervals(timings).items() if name in metrics},
        samples=samples,
        facts={} if target is None else dict(target.facts),
        model_digest=None if target is None else target.model_digest,
        rounds_ns=rounds_ns,
        round_calls=round_calls,
    )


def _check(wanted: Iterable[str], metrics: dict[str, float], rounds: int, calls: int) -> None:
    for name in wanted:
        if name in metrics:
            continue
        if name not in METRICS or METRICS[name].quantile is None:
            raise UsageError(f"{name} can't be told from the benchmark fixture's rounds; drop its budget or gate")
        if calls > 1 and METRICS[name].quantile != METRICS["latency"].quantile:
            raise UsageError(
                f"{name} needs the time of each call, and a round of benchmark held {calls}: "
                "use benchmark.pedantic(..., iterations=1)"
            )
        needed = METRICS[name].min_samples
        raise UsageError(
            f"{name} needs {needed} rounds of benchmark, it made {rounds}: raise --benchmark-min-rounds, or the rounds "
            "of benchmark.pedantic"
        )
