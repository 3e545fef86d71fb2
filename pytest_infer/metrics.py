"""What is measured. Which way is better belongs to the metric, never to data or users."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Better(Enum):
    """The direction in which a metric improves."""

    LOWER = "lower"
    HIGHER = "higher"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One measured quantity.

    Attributes:
        name: the word users write in `gate=(...)` and read in reports.
        unit: the unit of stored and shown values.
        better: the direction of improvement.
        quantile: for a latency percentile, which one (0 to 1).
        min_samples: the fewest samples in which that percentile has a sample above it nearly always
            (P(max > percentile) >= 0.999: n >= ln 0.001 / ln q rounded up; the median needs only five).
        hosted: whether what else the CPU did can make it worse.
    """

    name: str
    unit: str
    better: Better = Better.LOWER
    quantile: float | None = None
    min_samples: int = 1
    hosted: bool = True


# ln(0.001) / ln(q): 66 at 0.90, 135 at 0.95, 688 at 0.99; DESIGN's rounder counts, P >= 0.9987, are kept.
LATENCY: Final = Metric(name="latency", unit="ms", quantile=0.5, min_samples=5)
_ALL: Final = (
    LATENCY,
    Metric(name="p90_latency", unit="ms", quantile=0.90, min_samples=64),
    Metric(name="p95_latency", unit="ms", quantile=0.95, min_samples=130),
    Metric(name="p99_latency", unit="ms", quantile=0.99, min_samples=662),
    Metric(name="device", unit="ms", hosted=False),
    Metric(name="throughput", unit="samples/s", better=Better.HIGHER),
    Metric(name="build", unit="s"),
    Metric(name="load", unit="ms"),
    Metric(name="device_memory", unit="MB", hosted=False),
    Metric(name="host_memory", unit="MB", hosted=False),
    Metric(name="engine_size", unit="MB", hosted=False),
    Metric(name="power", unit="W", hosted=False),
    Metric(name="energy", unit="mJ", hosted=False),
)

METRICS: Final[dict[str, Metric]] = {metric.name: metric for metric in _ALL}
PERCENTILES: Final = tuple(metric for metric in _ALL if metric.quantile is not None)
