"""From a device timer's times to metrics and to what stands beside them in a report."""

from __future__ import annotations

import itertools
import math
import statistics
from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.device.launch import BOUND, HOST
from pytest_infer.measure.loop import BLOCKS, FEWEST_BLOCKS
from pytest_infer.metrics import PERCENTILES
from pytest_infer.stats.quantiles import quantile_interval

if TYPE_CHECKING:
    from pytest_infer.measure.device_timer import DeviceTimes


def device_metrics(times: DeviceTimes) -> dict[str, float]:
    """The metric `device`: the median, in ms."""
    return {"device": statistics.median(times.device_ns) / 1e6}


def device_intervals(times: DeviceTimes) -> dict[str, tuple[float, float]]:
    """Its 95 % interval in this run, in ms; empty where there are too few times for one."""
    values = np.array(times.device_ns, np.float64)
    if len(values) < FEWEST_BLOCKS:
        return {}
    count = BLOCKS if len(values) >= BLOCKS else FEWEST_BLOCKS
    ends = [len(values) * i // count for i in range(count + 1)]
    found = quantile_interval([values[a:b] for a, b in itertools.pairwise(ends)], 0.5)
    return {"device": (found.low / 1e6, found.high / 1e6)} if math.isfinite(found.low + found.high) else {}


def device_state(times: DeviceTimes) -> dict[str, str | int | float]:
    """What else is told: enqueue time, what it is bound by, and the device's percentiles, where single calls have any.

    Percentiles of few samples are left out, as those of `latency` are.
    """
    state: dict[str, str | int | float] = {
        "device_ms": round(statistics.median(times.device_ns) / 1e6, 6),
        "enqueue_ms": round(statistics.median(times.enqueue_ns) / 1e6, 6),
        "launches_a_mark": times.launches,
        "timed_by": times.timed_by,
        BOUND: HOST if times.host_bound else "device",
    }
    if times.launches == 1:
        for metric in PERCENTILES:
            quantile = metric.quantile or 0.5
            if quantile > 0.5 and len(times.device_ns) >= metric.min_samples:  # noqa: PLR2004 - the median is above
                value = float(np.quantile(np.array(times.device_ns), quantile))
                state[f"device_p{quantile * 100:.0f}_ms"] = round(value / 1e6, 6)
    return state
