"""What a test may cost at most, and how a measurement is held against it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_infer.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping

SPEEDUP: Final = "speedup_over_"
"""What the name of a ratio to another engine's latency begins with."""
SPEED_AND_COST: Final[dict[str, str]] = {
    "max_latency_ms": "latency",
    "max_p90_latency_ms": "p90_latency",
    "max_p95_latency_ms": "p95_latency",
    "max_p99_latency_ms": "p99_latency",
    "max_device_ms": "device",
    "min_throughput": "throughput",
    "max_build_s": "build",
    "max_load_ms": "load",
    "max_device_memory_mb": "device_memory",
    "max_host_memory_mb": "host_memory",
    "max_engine_mb": "engine_size",
    "max_power_w": "power",
    "max_energy_mj": "energy",
}
"""Marker key to metric name."""

ACCURACY: Final[dict[str, str]] = {
    "min_cosine": "cosine",
    "max_abs_error": "max_abs_error",
    "max_rel_error": "max_rel_error",
    "min_top1": "top1",
    "min_top5": "top5",
    "max_top1_drop": "top1_drop",
    "max_top5_drop": "top5_drop",
}
"""Marker key to accuracy figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One budget.

    Attributes:
        key: as the marker writes it; its prefix says which side is allowed.
        name: the metric or the accuracy figure that is held.
        bound: the limit itself, in that metric's unit; on the allowed side.
    """

    key: str
    name: str
    bound: float

    @property
    def at_most(self) -> bool:
        """Whether the bound is an upper one."""
        return self.key.startswith("max_")

    @property
    def unit(self) -> str:
        """What is written behind a value: ` ms`, `x` for a ratio to another engine, nothing for an accuracy figure."""
        if self.name in METRICS:
            return f" {METRICS[self.name].unit}"
        return "x" if self.name.startswith(SPEEDUP) else ""

    def allows(self, value: float) -> bool:
        """Whether `value` keeps the budget; one that is no number never does."""
        return value <= self.bound if self.at_most else value >= self.bound

    def exceeded(self, value: float) -> float:
        """By what share `value` is worse than the bound: 1 is twice the time, or half the throughput."""
        worse, better = (value, self.bound) if self.at_most else (self.bound, value)
        return worse / better - 1 if better > 0 else math.inf

    def broken_by(self, value: float) -> str:
        """The sentence that says how `value` breaks it."""
        relation = "above" if self.at_most else "below"
        return f"{self.name} {value:.6g}{self.unit} is {relation} the budget {self.key}={self.bound:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """All budgets of a test, split by what they need: times and costs, or outputs."""

    cost: tuple[Limit, ...] = ()
    accuracy: tuple[Limit, ...] = ()

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, float], speedups: Mapping[str, float]) -> Budget:
        """Make it of checked marker arguments; `speedups` is `min_speedup_over`."""
        cost = [Limit(key=k, name=SPEED_AND_COST[k], bound=v) for k, v in arguments.items() if k in SPEED_AND_COST]
        cost += [
            Limit(key=f"min_speedup_over[{name}]", name=f"{SPEEDUP}{name}", bound=v) for name, v in speedups.items()
        ]
        return cls(
            cost=tuple(cost),
            accuracy=tuple(Limit(key=k, name=ACCURACY[k], bound=v) for k, v in arguments.items() if k in ACCURACY),
        )

    def inaccuracies(self, figures: Mapping[str, float]) -> tuple[str, ...]:
        """The accuracy budgets that `figures` break."""
        return tuple(
            limit.broken_by(figures[limit.name])
            for limit in self.accuracy
            if limit.name in figures and not limit.allows(figures[limit.name])
        )
