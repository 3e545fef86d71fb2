"""One run's measurement of one workload: what travels from the loop to the verdict, the store and the reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Timings of single calls, summed up: counts, quantiles and block medians, never thousands of raw numbers.

    Attributes:
        count: how many calls were timed.
        warmup: how many came before, until the times settled.
        settled: whether they did.
        block_medians_ns: the median of each block, in order.
        quantiles_ns: by name: `min`, `p50`, `p90`, `p95`, `p99`, `max`; percentiles that too few samples carry are
            left out.
    """

    count: int
    warmup: int = 0
    settled: bool = True
    block_medians_ns: tuple[int, ...] = ()
    quantiles_ns: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One workload, measured once, in one process.

    Attributes:
        name: which of the test's measurements this is; empty for the engine of the marker.
        workload: the workload's identity in plain values (`Workload.describe`).
        digest: its digest.
        metrics: values by metric name, in the metric's unit.
        intervals: 95 % intervals within this run, by metric name.
        samples: the timings behind `latency`.
        accuracy: figures against the reference and the labels, by name.
        accuracy_notes: where those figures come from; first of all where outputs are not finite.
        facts: what the engine proved to be.
        model_digest: content of the model, where there is a file.
        contention: how much was waited for a CPU meanwhile.
        disturbed: why this run is not to be believed.
        device: the slug of the device that it ran on; empty where the session's only one did.
        device_state: what the GPU was doing meanwhile, by figure (`sm_mhz`, `temperature_c`), and its `uuid`.
        rounds_ns: the timings again, in order, for tools that hold every one: the time of each round, nanoseconds.
        round_calls: how many calls a round holds (of short calls, many).
    """

    name: str
    workload: dict[str, Any]
    digest: str
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    samples: Samples | None = None
    accuracy: dict[str, float] = field(default_factory=dict)
    accuracy_notes: tuple[str, ...] = ()
    non_finite: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    model_digest: str | None = None
    contention: dict[str, float] = field(default_factory=dict)
    disturbed: tuple[str, ...] = ()
    device: str = ""
    device_state: dict[str, str | int | float] = field(default_factory=dict)
    rounds_ns: tuple[int, ...] = ()
    round_calls: int = 1
