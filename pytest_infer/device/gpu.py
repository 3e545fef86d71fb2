"""A GPU as a device: what must match for two timings to be compared, and what is recorded and told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.device.fingerprint import Device, slugify
from pytest_infer.device.gpus import choose
from pytest_infer.device.nvml import ask, compute_processes, open_nvml
from pytest_infer.device.processes import process_name
from pytest_infer.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.device.gpus import Gpu

COMPUTE_MODE: Final = "gpu compute mode"
EXCLUSIVE: Final = "exclusive process"
"""Only one process at a time may hold such a GPU: neither a stranger beside us, nor we twice."""
PROHIBITED: Final = "prohibited"


def open_gpus(
    selection: str, environment: Mapping[str, str] | None = None, *, first: bool = True
) -> tuple[Device, ...]:
    """The GPUs of `--infer-gpu`, each seen to be usable.

    Args:
        selection: what the option says.
        environment: where CUDA's variables are looked up; this process's by default.
        first: whether this process is the one that the user started; for others it has looked who holds the GPUs.

    Raises:
        DeviceError: no driver, no such GPU, or one that may not be used.
    """
    try:
        gpus = choose(selection, os.environ if environment is None else environment)
        for gpu in gpus:
            _check_usable(gpu, first=first)
        return tuple(gpu_device(gpu) for gpu in gpus)
    except DeviceError as error:
        advice = "" if ";" in str(error) else "; leave the option out to measure on the CPU"
        raise DeviceError(f"--infer-gpu={selection}: {error}{advice}") from None


def gpu_device(gpu: Gpu) -> Device:
    """Who it is, for the baselines' folder, and what is recorded beside each session."""
    nvml = open_nvml()
    name, profile = _name_and_profile(nvml, gpu)
    identity: dict[str, str | int | float] = {"name": name}
    parts = ["gpu", slugify(name)]
    memory = ask(nvml.nvmlDeviceGetMemoryInfo, gpu.handle)
    if memory is not None:
        identity["memory_gib"] = round(memory.total / 2**30)
        parts.append(f"{identity['memory_gib']}gb")
    if (capability := ask(nvml.nvmlDeviceGetCudaComputeCapability, gpu.board)) is not None:
        identity["compute_capability"] = ".".join(map(str, capability))
    if profile:
        identity["mig"] = profile
        parts.append(f"mig-{profile}")
    limit, usual = _power_limits(nvml, gpu)
    if limit is not None and limit != usual:
        identity["power_limit_w"] = limit
        parts.append(f"{limit}w")
    return Device(
        slug="-".join(parts),
        kind="gpu",
        name=f"{name} MIG {profile}" if profile else name,
        identity=identity,
        uuid=gpu.uuid,
        facts=_facts(nvml, gpu),
    )


def _check_usable(gpu: Gpu, *, first: bool) -> None:
    nvml = open_nvml()
    mode = _modes(nvml).get(ask(nvml.nvmlDeviceGetComputeMode, gpu.board))
    if mode == PROHIBITED:
        raise DeviceError(f"{gpu.uuid} is in compute mode Prohibited; an administrator can allow it: nvidia-smi -c 0")
    holders = compute_processes(gpu.handle) if first and mode == EXCLUSIVE else None
    if holders:
        raise DeviceError(
            f"{gpu.uuid} is in exclusive mode and held by process {', '.join(map(process_name, sorted(holders)))}; "
            "wait for it, end it, or choose another GPU"
        )


def _facts(nvml: Any, gpu: Gpu) -> dict[str, str]:
    """What may differ between comparable runs, and is told when it does."""
    memory = ask(nvml.nvmlDeviceGetMemoryInfo, gpu.handle)
    ecc = ask(nvml.nvmlDeviceGetEccMode, gpu.board)
    persistence = ask(nvml.nvmlDeviceGetPersistenceMode, gpu.board)
    cuda = ask(nvml.nvmlSystemGetCudaDriverVersion)
    limit, usual = _power_limits(nvml, gpu)
    facts = {
        "gpu uuid": gpu.uuid,
        "gpu driver": ask(nvml.nvmlSystemGetDriverVersion),
        "gpu cuda": None if cuda is None else f"{cuda // 1000}.{cuda % 1000 // 10}",
        "gpu vbios": ask(nvml.nvmlDeviceGetVbiosVersion, gpu.board),
        "gpu memory": None if memory is None else f"{memory.total // 2**20} MiB",
        "gpu ecc": None if ecc is None else _switch(ecc[0]),
        "gpu persistence": None if persistence is None else _switch(persistence),
        "gpu power limit": None if limit is None else f"{limit} W" + (" (default)" if limit == usual else ""),
        COMPUTE_MODE: _modes(nvml).get(ask(nvml.nvmlDeviceGetComputeMode, gpu.board)),
    }
    return {name: str(fact) for name, fact in facts.items() if fact is not None}


def _name_and_profile(nvml: Any, gpu: Gpu) -> tuple[str, str]:
    """The product, and the MIG profile (`1g.18gb`), which newer drivers tell in the instance's name."""
    name = str(ask(nvml.nvmlDeviceGetName, gpu.board) or "NVIDIA GPU")
    if not gpu.mig:
        return name, ""
    profile = str(ask(nvml.nvmlDeviceGetName, gpu.handle) or "").partition(" MIG ")[2]
    if not profile and (found := ask(nvml.nvmlDeviceGetAttributes_v2, gpu.handle)) is not None:
        profile = f"{found.gpuInstanceSliceCount}g.{round(found.memorySizeMB / 1024)}gb"
    return name, profile or "unknown"


def _power_limits(nvml: Any, gpu: Gpu) -> tuple[int | None, int | None]:
    """The power limit and the board's default in W."""
    limits = (nvml.nvmlDeviceGetPowerManagementLimit, nvml.nvmlDeviceGetPowerManagementDefaultLimit)
    limit, usual = (None if found is None else round(found / 1000) for found in (ask(f, gpu.board) for f in limits))
    return limit, limit if usual is None else usual


def _modes(nvml: Any) -> dict[int, str]:
    return {
        nvml.NVML_COMPUTEMODE_DEFAULT: "default",
        nvml.NVML_COMPUTEMODE_EXCLUSIVE_THREAD: EXCLUSIVE,
        nvml.NVML_COMPUTEMODE_EXCLUSIVE_PROCESS: EXCLUSIVE,
        nvml.NVML_COMPUTEMODE_PROHIBITED: PROHIBITED,
    }


def _switch(value: int) -> str:
    return "on" if value else "off"
