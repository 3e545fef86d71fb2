"""From the loop's timings to metrics: quantiles, intervals, throughput."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.measure.loop import FEWEST_BLOCKS
from pytest_infer.measurement import Samples
from pytest_infer.metrics import PERCENTILES
from pytest_infer.stats.quantiles import quantile_interval

if TYPE_CHECKING:
    from pytest_infer.measure.loop import Timings


def summarise(timings: Timings) -> Samples:
    """Counts, quantiles and block medians; only the percentiles that this many samples carry."""
    times = np.array(timings.all_ns, np.int64)
    quantiles = {"min": int(times.min()), "max": int(times.max())}
    for metric in PERCENTILES:
        if metric.quantile is not None and len(times) >= metric.min_samples:
            quantiles[f"p{metric.quantile * 100:.0f}"] = int(np.quantile(times, metric.quantile))
    return Samples(
        count=len(times),
        warmup=timings.warmup,
        settled=timings.settled,
        block_medians_ns=tuple(int(np.median(block)) for block in timings.blocks_ns),
        quantiles_ns=quantiles,
    )


def latency_metrics(timings: Timings, samples: Samples, a_call: int) -> dict[str, float]:
    """Latency percentiles in ms, and throughput in samples/s, each call taking `a_call` samples through."""
    metrics = {}
    for metric in PERCENTILES:
        if metric.quantile is not None and (quantile := f"p{metric.quantile * 100:.0f}") in samples.quantiles_ns:
            metrics[metric.name] = samples.quantiles_ns[quantile] / 1e6
    total_ns = sum(timings.all_ns)
    if total_ns:
        metrics["throughput"] = a_call * samples.count / (total_ns / 1e9)
    return metrics


def latency_intervals(timings: Timings) -> dict[str, tuple[float, float]]:
    """The 95 % intervals of this run's percentiles in ms, by metric name; only those that the samples carry."""
    blocks = [np.array(block, np.float64) for block in timings.blocks_ns]
    if len(blocks) < FEWEST_BLOCKS:
        return {}
    count = sum(block.size for block in blocks)
    found = {
        m.name: quantile_interval(blocks, m.quantile) for m in PERCENTILES if m.quantile and count >= m.min_samples
    }
    return {n: (e.low / 1e6, e.high / 1e6) for n, e in found.items() if math.isfinite(e.low) and math.isfinite(e.high)}
