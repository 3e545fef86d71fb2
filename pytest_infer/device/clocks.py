"""A GPU's SM clock: which one it can hold, locking it there, giving it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pytest_infer.device.gpus import find
from pytest_infer.device.nvml import ask, open_nvml
from pytest_infer.errors import DeviceError

if TYPE_CHECKING:
    from pytest_infer.device.gpus import Gpu

AUTO: Final = "auto"
STEADY: Final = 0.8
"""Share of the highest clock that is taken where the driver does not know the board's base clock."""


def check_clock(wanted: str, uuid: str) -> None:
    """See that a clock can be asked of a GPU.

    Raises:
        DeviceError: a clock that it has not, or a MIG instance, whose clock is its neighbours' too.
    """
    gpu = find(uuid)
    if gpu.mig:
        raise DeviceError(
            f"--infer-lock-clocks={wanted}: {uuid} is a MIG instance, whose clocks are the whole GPU's and so its "
            "neighbours'; leave the option out"
        )
    known = supported_clocks(gpu)
    if wanted != AUTO and known and int(wanted) not in known:
        near = sorted(sorted(known, key=lambda mhz: abs(mhz - int(wanted)))[:2])
        raise DeviceError(
            f"--infer-lock-clocks={wanted}: {uuid} has no such clock; the nearest are "
            f"{' and '.join(map(str, near))} MHz, all are told by nvidia-smi -q -d SUPPORTED_CLOCKS"
        )


def supported_clocks(gpu: Gpu) -> list[int]:
    """The graphics clocks in MHz that the GPU has beside its highest memory clock; empty where nobody tells."""
    nvml = open_nvml()
    memory = ask(nvml.nvmlDeviceGetSupportedMemoryClocks, gpu.board) or []
    return sorted(ask(nvml.nvmlDeviceGetSupportedGraphicsClocks, gpu.board, max(memory)) or []) if memory else []


def lock(wanted: str, gpu: Gpu) -> str:
    """Lock the SM clock; in words, what it is locked at.

    `auto` is the base clock, the one that the board holds at its power limit under any load: a network that draws much
    can't push it down, one that draws little can't boost above it. NVML knows it by a name of its own (nvbench locks
    there, too); where a driver does not, a clock of about four fifths of the highest.

    Raises:
        pynvml.NVMLError: the driver refuses; `NVMLError_NoPermission` where the right lacks.
    """
    nvml = open_nvml()
    if wanted != AUTO:
        return _set(nvml, gpu, int(wanted))
    base = nvml.NVML_CLOCK_LIMIT_ID_TDP
    try:
        nvml.nvmlDeviceSetGpuLockedClocks(gpu.board, base, base)
    except (nvml.NVMLError_InvalidArgument, nvml.NVMLError_NotSupported):
        return _set(nvml, gpu, _steady(nvml, gpu))
    return "locked at the base clock"


def unlock(gpu: Gpu) -> None:
    """Let the GPU choose its clock again. A lock that somebody else had set can't be told from ours, and goes too.

    Raises:
        pynvml.NVMLError: the driver refuses.
    """
    open_nvml().nvmlDeviceResetGpuLockedClocks(gpu.board)


def _set(nvml: Any, gpu: Gpu, mhz: int) -> str:
    nvml.nvmlDeviceSetGpuLockedClocks(gpu.board, mhz, mhz)
    return f"locked at {mhz} MHz"


def _steady(nvml: Any, gpu: Gpu) -> int:
    highest = nvml.nvmlDeviceGetMaxClockInfo(gpu.board, nvml.NVML_CLOCK_SM)
    fitting = [mhz for mhz in supported_clocks(gpu) if mhz <= STEADY * highest]
    return max(fitting, default=round(STEADY * highest))
