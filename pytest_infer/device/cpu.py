"""The CPU as a device: its model, and the cores and the quota that this process may use."""

from __future__ import annotations

import math
import os
import platform
from pathlib import Path

from pytest_infer.device.fingerprint import Device, slugify

_CPUINFO_FACTS = {"model name": "name", "cpu family": "family", "model": "model", "stepping": "stepping"}


def cpu_device() -> Device:
    """The CPU that this process runs on."""
    facts = _cpuinfo(Path("/proc/cpuinfo"))
    name = str(facts.pop("name", "") or platform.processor() or platform.machine())
    cores, quota = usable_cores(), cpu_quota(Path("/sys/fs/cgroup"))
    identity: dict[str, str | int | float] = {"name": name, "arch": platform.machine(), **facts, "cores": cores}
    parts = ["cpu", slugify(name)]
    if "model" in facts:
        # Clouds show one name for several generations ("Intel Xeon Processor"): family and model tell them apart.
        parts.append(f"f{facts.get('family', 0)}m{facts['model']}")
    parts.append(f"{cores}c")
    if quota is not None and quota < cores:
        identity["quota"] = quota
        parts.append(f"q{quota:g}")
    return Device(slug="-".join(parts), kind="cpu", name=name, identity=identity)


def usable_cores() -> int:
    """How many cores the scheduler may put this process on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count() -> int:
    """Threads that an engine gets where nobody asks for a number: the usable cores, within the quota."""
    quota = cpu_quota(Path("/sys/fs/cgroup"))
    return max(1, min(usable_cores(), math.floor(quota) if quota else usable_cores()))


def cpu_quota(root: Path) -> float | None:
    """The cgroup's CPU limit in cores (version 2 or 1), or None where there is none."""
    try:
        limit, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    if limit in {"max", "-1"}:
        return None
    return round(int(limit) / int(period), 2)


def _cpuinfo(path: Path) -> dict[str, str | int | float]:
    facts: dict[str, str | int | float] = {}
    try:
        text = path.read_text()
    except OSError:
        return facts
    for line in text.split("\n\n")[0].splitlines():
        key, _, value = line.partition(":")
        if (name := _CPUINFO_FACTS.get(key.strip())) is not None:
            facts[name] = value.strip()
    return facts
