"""NVML, asked with care: what a driver or a board can't tell is None, and a lost GPU is an error of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable


def open_nvml() -> Any:
    """The module `pynvml`, ready to be asked. NVML counts how often it was opened: doing it again costs nothing.

    Raises:
        DeviceError: no driver answers.
    """
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise DeviceError(f"no NVIDIA driver answers here ({error})") from None
    return pynvml


def ask(call: Callable[..., Any], *args: Any) -> Any:
    """What NVML answers, or None where this driver or board has no such figure, or keeps it from us.

    Raises:
        DeviceError: the GPU is lost.
    """
    import pynvml

    try:
        return call(*args)
    except (pynvml.NVMLError_GpuIsLost, pynvml.NVMLError_ResetRequired) as error:
        raise DeviceError(f"a GPU no longer answers its driver ({error}); reset it or restart the machine") from None
    except pynvml.NVMLError:
        return None


def compute_processes(handle: Any) -> dict[int, int] | None:
    """The processes that compute on a GPU now and the bytes that each holds there (0 where nobody tells).

    None where the driver keeps the list from us. Drawing alone (a desktop) is not listed.

    Raises:
        DeviceError: the GPU is lost.
    """
    import pynvml

    found = ask(pynvml.nvmlDeviceGetComputeRunningProcesses_v3, handle)
    if found is None:  # drivers before 510
        found = ask(pynvml.nvmlDeviceGetComputeRunningProcesses_v2, handle)
    return None if found is None else {int(one.pid): int(one.usedGpuMemory or 0) for one in found}
