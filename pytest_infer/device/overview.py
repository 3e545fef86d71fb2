"""What could be measured on here, and what stands in the way: a row a device. Nothing is changed to find out."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pytest_infer.device.cpu import cpu_device, thread_count
from pytest_infer.device.gpu import COMPUTE_MODE, EXCLUSIVE, PROHIBITED, gpu_device
from pytest_infer.device.gpu_state import FAULTS
from pytest_infer.device.gpu_watch import clock_reasons
from pytest_infer.device.gpus import VISIBLE, visible
from pytest_infer.device.nvml import ask, compute_processes, open_nvml
from pytest_infer.device.processes import process_name
from pytest_infer.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.device.gpus import Gpu


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRow:
    """One device.

    Attributes:
        option: what `--infer-gpu` calls it.
        slug: the folder of its baselines.
        name: the product.
        now: what it is doing.
        obstacles: what stands in the way of a good measurement.
        uuid: of a GPU.
        facts: what would be recorded of it.
    """

    option: str
    slug: str
    name: str
    now: str
    obstacles: tuple[str, ...]
    uuid: str
    facts: Mapping[str, str]

    def plain(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def overview(environment: Mapping[str, str] | None = None) -> tuple[list[DeviceRow], str]:
    """The CPU and the GPUs that CUDA may see, and a note on why there are no more; empty where there is nothing to say.

    `environment` is where CUDA's variables are looked up, this process's by default.
    """
    environment = os.environ if environment is None else environment
    cpu = cpu_device()
    rows = [
        DeviceRow(
            option="none",
            slug=cpu.slug,
            name=cpu.name,
            now=f"{thread_count()} threads",
            obstacles=(),
            uuid="",
            facts=cpu.facts,
        )
    ]
    try:
        places = visible(environment)
        for number, place in enumerate(places):
            rows += [_row(gpu, str(number) if len(place) == 1 else gpu.uuid) for gpu in place]
    except DeviceError as error:
        return rows, str(error)
    shown = f"{VISIBLE}={environment[VISIBLE]}" if VISIBLE in environment else ""
    return rows, "" if any(places) else f"the driver shows no GPU that CUDA could use {shown}".strip()


def _row(gpu: Gpu, option: str) -> DeviceRow:
    nvml, device = open_nvml(), gpu_device(gpu)
    clock = ask(nvml.nvmlDeviceGetClockInfo, gpu.board, nvml.NVML_CLOCK_SM)
    heat = ask(nvml.nvmlDeviceGetTemperature, gpu.board, nvml.NVML_TEMPERATURE_GPU)
    power = ask(nvml.nvmlDeviceGetPowerUsage, gpu.board)
    now = [
        *([] if clock is None else [f"{clock} MHz"]),
        *([] if heat is None else [f"{heat} °C"]),
        *([] if power is None else [f"{power / 1000:.0f} W"]),
    ]
    return DeviceRow(
        option=option,
        slug=device.slug,
        name=device.name,
        now=", ".join(now),
        obstacles=tuple(_obstacles(gpu, device.facts)),
        uuid=device.uuid,
        facts=device.facts,
    )


def _obstacles(gpu: Gpu, facts: Mapping[str, str]) -> list[str]:
    found = []
    if facts.get(COMPUTE_MODE) == PROHIBITED:
        found.append("compute mode Prohibited")
    processes = compute_processes(gpu.handle)
    if processes:
        held = "held alone by" if facts.get(COMPUTE_MODE) == EXCLUSIVE else "used by"
        found.append(f"{held} process {', '.join(map(process_name, sorted(processes)))}")
    reasons = clock_reasons(gpu)
    found += [f"{words}, now" for name, words in FAULTS.items() if name in reasons]
    if gpu.mig:
        found.append("clocks can't be locked: they are the whole GPU's")
    elif hasattr(os, "geteuid") and os.geteuid():
        found.append("clocks can't be locked: it takes root")
    return found
