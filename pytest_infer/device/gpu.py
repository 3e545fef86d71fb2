"""GPUs, by NVML."""

from __future__ import annotations

from pytest_infer.errors import DeviceError


def check_gpu(selection: str) -> None:
    """See that the GPUs of `--infer-gpu` can be measured on.

    Raises:
        DeviceError: they can't.
    """
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise DeviceError(
            f"--infer-gpu={selection}: no NVIDIA driver answers here ({error}); leave the option out to measure "
            "on the CPU"
        ) from None
    pynvml.nvmlShutdown()
    raise DeviceError(
        f"--infer-gpu={selection}: this version of pytest-infer measures on the CPU only; leave the option out"
    )
