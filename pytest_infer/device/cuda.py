"""One GPU alone for this process's CUDA: chosen before any library looks, and checked when one has; its memory."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pytest_infer.device.gpus import VISIBLE
from pytest_infer.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable


def see_only(uuid: str) -> Callable[[], None]:
    """Let CUDA see that GPU alone, as its number 0, in this process and those that it starts; what undoes it.

    CUDA reads the variable once, when the first library wakes it: so this comes before conftest's tests do.
    """
    before = os.environ.get(VISIBLE)
    os.environ[VISIBLE] = uuid

    def undo() -> None:
        if before is None:
            os.environ.pop(VISIBLE, None)
        else:
            os.environ[VISIBLE] = before

    return undo


def share_memory() -> Callable[[], None]:
    """Let JAX take memory as it needs it, unless the user said how; what undoes it.

    By itself XLA takes three quarters of the GPU at its first use and keeps them, so that a process which confirms a
    measurement beside it would find too little.
    """
    name = "XLA_PYTHON_CLIENT_PREALLOCATE"
    if name in os.environ:
        return lambda: None
    os.environ[name] = "false"

    def undo() -> None:
        os.environ.pop(name, None)

    return undo


def check_first(uuid: str, driver: Any = None) -> None:
    """See that CUDA's GPU 0 in this process is the one of that UUID.

    Args:
        uuid: as NVML tells it; instances of old drivers, whose names are no UUIDs, are taken on trust.
        driver: CUDA's driver library; looked up where it is not given. Without one, nothing here computes by CUDA.

    Raises:
        DeviceError: another one, or none: CUDA was awake before the GPU was chosen.
    """
    wanted = uuid.partition("-")[2]
    driver = _library() if driver is None else driver
    if driver is None or not _is_uuid(wanted):
        return
    seen = _first_uuid(driver)
    if seen != UUID(wanted):
        found = f"CUDA's first GPU here is GPU-{seen}" if seen else "CUDA sees no GPU here"
        raise DeviceError(
            f"measuring on {uuid}, but {found}: something used CUDA before pytest-infer could choose (an import in "
            f"conftest.py, a plugin); let it wait, set {VISIBLE}={uuid} before pytest, or use --infer-isolate=always"
        )


def wake(driver: Any = None) -> bool:
    """Make the context of CUDA's GPU 0 in this process and keep it; False where it was there already, or can't be."""
    driver = _library() if driver is None else driver
    flags, active = ctypes.c_uint(), ctypes.c_int(1)
    if driver is None or (device := _first(driver)) is None:
        return False
    if driver.cuDevicePrimaryCtxGetState(device, ctypes.byref(flags), ctypes.byref(active)) or active.value:
        return False
    return not driver.cuDevicePrimaryCtxRetain(ctypes.byref(ctypes.c_void_p()), device)


def driver_memory(driver: Any = None) -> tuple[int, int] | None:
    """Free and all bytes of CUDA's GPU 0 by the driver itself; None where this process has no context there."""
    driver = _library() if driver is None else driver
    flags, active, context = ctypes.c_uint(), ctypes.c_int(), ctypes.c_void_p()
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    if driver is None or (device := _first(driver)) is None:
        return None
    if driver.cuDevicePrimaryCtxGetState(device, ctypes.byref(flags), ctypes.byref(active)) or not active.value:
        return None
    if driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device):
        return None
    try:
        if driver.cuCtxPushCurrent_v2(context):
            return None
        failed = driver.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
        driver.cuCtxPopCurrent_v2(ctypes.byref(context))
        return None if failed else (free.value, total.value)
    finally:
        driver.cuDevicePrimaryCtxRelease_v2(device)


def waiter(driver: Any = None) -> Callable[[], None] | None:
    """Waits for all of CUDA's GPU 0's work, whoever enqueued it; None where this process has no context there.

    The wait raises DeviceError where that work failed.
    """
    driver = _library() if driver is None else driver
    flags, active, context = ctypes.c_uint(), ctypes.c_int(), ctypes.c_void_p()
    if driver is None or (device := _first(driver)) is None:
        return None
    if driver.cuDevicePrimaryCtxGetState(device, ctypes.byref(flags), ctypes.byref(active)) or not active.value:
        return None
    if driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device):
        return None

    def wait() -> None:
        failed = driver.cuCtxPushCurrent_v2(context) or driver.cuCtxSynchronize()  # XLA leaves none current here
        driver.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))
        if failed:
            raise DeviceError(f"CUDA error {failed} while waiting for the callable's work on the GPU")

    return wait


def _first(driver: Any) -> ctypes.c_int | None:
    count, device = ctypes.c_int(), ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return None
    return None if driver.cuDeviceGet(ctypes.byref(device), 0) else device


def _first_uuid(driver: Any) -> UUID | None:
    raw = (ctypes.c_ubyte * 16)()
    # The second version tells a MIG instance's own UUID (CUDA 11.4 on).
    tell = getattr(driver, "cuDeviceGetUuid_v2", None) or driver.cuDeviceGetUuid
    device = _first(driver)
    return None if device is None or tell(ctypes.byref(raw), device) else UUID(bytes=bytes(raw))


def _library() -> Any:
    try:
        return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return None


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
