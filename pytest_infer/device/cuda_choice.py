"""Which of the implementations of `cuda_streams` a process uses."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pytest_infer.errors import DeviceError, MissingDependencyError

if TYPE_CHECKING:
    from pytest_infer.device.cuda_streams import Cuda
    from pytest_infer.device.fingerprint import Device


def open_cuda(device: Device) -> Cuda:
    """CUDA on `device`, current in this thread.

    Raises:
        MissingDependencyError: neither cuda-core nor a PyCUDA context is there. DeviceError: no such GPU, no driver.
    """
    driver = sys.modules.get("pycuda.driver")
    if driver is not None and driver.Context.get_current() is not None:
        from pytest_infer.device.cuda_pycuda import PyCuda

        return PyCuda(driver)
    from pytest_infer.device.cuda_core import open_cuda_core

    return open_cuda_core(device.uuid)


def try_cuda(device: Device) -> tuple[Cuda | None, str]:
    """CUDA on `device` for what can do without, or why there is none."""
    try:
        return open_cuda(device), ""
    except (MissingDependencyError, DeviceError) as error:
        return None, str(error)
