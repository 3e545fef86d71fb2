"""pytest-benchmark's `benchmark` fixture as a source of samples. Its private names that we need stand here alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.errors import UsageError
from pytest_infer.measure.loop import Timings
from pytest_infer.measure.summary import latency_intervals, latency_metrics, summarise
from pytest_infer.measurement import Measurement
from pytest_infer.metrics import METRICS
from pytest_infer.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_infer.marker import Request

_BLOCKS = 10


def disabled(benchmark: Any) -> bool:
    """Whether pytest-benchmark was told not to measure (`--benchmark-disable`, or xdist)."""
    return bool(getattr(benchmark, "disabled", False))


def from_benchmark(benchmark: Any, request: Request, wanted: Iterable[str]) -> Measurement | None:
    """The rounds of a used fixture as a Measurement; None where the test never called it.

    Raises:
        UsageError: fewer rounds than a wanted percentile needs.
    """
    rounds = getattr(getattr(getattr(benchmark, "stats", None), "stats", None), "data", None)
    if not rounds:
        return None
    times = [round(seconds * 1e9) for seconds in rounds]
    length = -(-len(times) // _BLOCKS)
    blocks = tuple(tuple(times[i : i + length]) for i in range(0, len(times), length))
    timings = Timings(blocks_ns=blocks, warmup=0, settled=True)
    samples = summarise(timings)
    metrics = latency_metrics(timings, samples, request.batch or 1)
    for name in wanted:
        if name in metrics:
            continue
        if name in METRICS and METRICS[name].quantile is not None:
            needed = METRICS[name].min_samples
            raise UsageError(
                f"{name} needs {needed} rounds of benchmark, it made {len(times)}: raise --benchmark-min-rounds"
            )
        raise UsageError(f"{name} can't be told from the benchmark fixture's rounds; drop its budget or gate")
    workload = Workload(target="benchmark", backend="callable", batch=request.batch, scenario=request.scenario)
    return Measurement(
        name="benchmark",
        workload=workload.describe(),
        digest=workload.digest(),
        metrics=metrics,
        intervals=latency_intervals(timings),
        samples=samples,
    )
