"""What a GPU was doing while we measured, and whether the times are to be believed. Pure: samples in, reasons out."""

from __future__ import annotations

import collections
import statistics
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CLOCK_TOLERANCE: Final = 0.07
"""An SM clock further than this share off the measurement's median taints it."""
TOLD_CLOCK_CHANGE: Final = 0.02
"""A median SM clock this share off the baseline's is told beside a verdict."""

REASONS: Final = {
    "gpu_idle": "GpuIdle",
    "applications_clocks": "ApplicationsClocksSetting",
    "sw_power_cap": "SwPowerCap",
    "hw_slowdown": "HwSlowdown",
    "sync_boost": "SyncBoost",
    "sw_thermal_slowdown": "SwThermalSlowdown",
    "hw_thermal_slowdown": "HwThermalSlowdown",
    "hw_power_brake": "HwPowerBrakeSlowdown",
    "display_clocks": "DisplayClockSetting",
}
"""Our names of clock event reasons, and the end of NVML's (`nvmlClocksEventReason...`)."""

FAULTS: Final = {
    "hw_slowdown": "the hardware held the clocks down (too hot, or too little power)",
    "hw_thermal_slowdown": "the hardware held the clocks down because of heat",
    "sw_thermal_slowdown": "the driver held the clocks down because of heat",
    "hw_power_brake": "the power supply pulled the brake on the clocks",
}
"""Those that make times not to be believed. A software power cap is what a heavy network meets: recorded, no fault."""

_CAPPED: Final = "sw_power_cap"
_EXPLAINED: Final = frozenset({_CAPPED, "gpu_idle"})
"""Reasons for another clock that belong to the workload itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSample:
    """One look at a GPU; None where the board or the driver doesn't tell.

    Attributes:
        at_ns: when, on the measurement's clock.
        reasons: why the clocks are what they are, by the names of `REASONS`.
        utilisation: share of the time in which a kernel ran, in percent, as NVML averages it.
        processes: ids of all processes that compute there.
        strangers: those that are not this run's.
        process_memory_mb: device memory of this process (10⁶ bytes).
    """

    at_ns: int
    sm_mhz: int | None = None
    memory_mhz: int | None = None
    reasons: frozenset[str] = frozenset()
    temperature_c: int | None = None
    power_w: float | None = None
    utilisation: int | None = None
    memory_used_mb: float | None = None
    process_memory_mb: float | None = None
    processes: frozenset[int] = frozenset()
    strangers: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSummary:
    """A measurement's samples, summed up; attributes as a sample's.

    Attributes:
        samples: how many looks.
        sm_mhz: the median; its extremes beside it.
        temperature_c: the highest; also what it was before.
        power_w: the mean.
        memory_used_mb, process_memory_mb: the highest.
        reasons: each with the share of the samples that had it.
        processes: the most that computed there at one time.
    """

    samples: int
    sm_mhz: float | None = None
    sm_mhz_min: float | None = None
    sm_mhz_max: float | None = None
    memory_mhz: float | None = None
    temperature_c: float | None = None
    temperature_before_c: float | None = None
    power_w: float | None = None
    utilisation: float | None = None
    memory_used_mb: float | None = None
    process_memory_mb: float | None = None
    processes: int = 0
    reasons: Mapping[str, float] = field(default_factory=dict)

    def plain(self) -> dict[str, str | int | float]:
        """Flat JSON values for reports and baselines, what nobody told left out."""
        flat = {name: value for name, value in asdict(self).items() if name != "reasons" and value is not None}
        shares = {f"share_{name}": round(share, 4) for name, share in sorted(self.reasons.items())}
        return {**{name: round(value, 3) for name, value in flat.items()}, **shares}


def summarise(seen: Sequence[GpuSample], samples: Sequence[GpuSample]) -> GpuSummary:
    """Sum up a measurement.

    Args:
        seen: all looks from its beginning on, warm-up and all: memory has its peak wherever it was.
        samples: those while it was timed, at least one.
    """
    counts = collections.Counter(name for sample in samples for name in sample.reasons)
    sm = _told(samples, lambda s: s.sm_mhz)
    memory_mhz = _told(samples, lambda s: s.memory_mhz)
    utilisation = _told(samples, lambda s: s.utilisation)
    power = _told(samples, lambda s: s.power_w)
    return GpuSummary(
        samples=len(samples),
        sm_mhz=statistics.median(sm) if sm else None,
        sm_mhz_min=min(sm, default=None),
        sm_mhz_max=max(sm, default=None),
        memory_mhz=statistics.median(memory_mhz) if memory_mhz else None,
        temperature_c=max(_told(samples, lambda s: s.temperature_c), default=None),
        temperature_before_c=seen[0].temperature_c,
        power_w=statistics.fmean(power) if power else None,
        utilisation=statistics.median(utilisation) if utilisation else None,
        memory_used_mb=max(_told(seen, lambda s: s.memory_used_mb), default=None),
        process_memory_mb=max(_told(seen, lambda s: s.process_memory_mb), default=None),
        processes=max(len(sample.processes) for sample in samples),
        reasons={name: count / len(samples) for name, count in counts.items()},
    )


def disturbance(samples: Sequence[GpuSample], name_of: Callable[[int], str] = str) -> tuple[str, ...]:
    """The reasons why what was measured during these samples is not to be believed; empty when it is.

    `name_of` tells a process as a message should.
    """
    found = []
    for name, words in FAULTS.items():
        if count := sum(name in sample.reasons for sample in samples):
            found.append(f"{words}, in {count} of {len(samples)} looks")
    if strangers := sorted({pid for sample in samples for pid in sample.strangers}):
        found.append(f"another process computed on the GPU: {', '.join(map(name_of, strangers))}")
    return (*found, *_unsteady(samples))


def state_differences(then: Mapping[str, str | int | float], now: Mapping[str, str | int | float]) -> tuple[str, ...]:
    """One line where the SM clock of a recorded run was another one than now's (plain summaries)."""
    before, after = then.get("sm_mhz"), now.get("sm_mhz")
    if not isinstance(before, int | float) or not isinstance(after, int | float) or not before:
        return ()
    if abs(after / before - 1) <= TOLD_CLOCK_CHANGE:
        return ()
    return (f"SM clock while measuring: {before:g} → {after:g} MHz",)


def _unsteady(samples: Sequence[GpuSample]) -> tuple[str, ...]:
    """An SM clock that left its median, where neither the power cap nor idleness explains it."""
    if any(_CAPPED in sample.reasons for sample in samples):
        return ()  # reasons and clock are two readings: around each cap lie looks with the one and without the other
    clocks = _told([s for s in samples if not s.reasons & _EXPLAINED], lambda s: s.sm_mhz)
    if not clocks:
        return ()
    middle = statistics.median(clocks)
    furthest = max(clocks, key=lambda mhz: abs(mhz - middle))
    if abs(furthest - middle) <= CLOCK_TOLERANCE * middle:
        return ()
    return (f"the SM clock went to {furthest:g} MHz, more than {CLOCK_TOLERANCE:.0%} off its median of {middle:g} MHz",)


def _told(samples: Sequence[GpuSample], figure: Callable[[GpuSample], float | None]) -> list[float]:
    return [value for sample in samples if (value := figure(sample)) is not None]
