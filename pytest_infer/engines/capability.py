"""What an NVIDIA GPU computes in: from which compute capability on, and whether the environment lets it use TF32."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.device.fingerprint import Device

FLOORS: Final[Mapping[Precision, tuple[int, int]]] = {
    Precision.TF32: (8, 0),
    Precision.FP16: (5, 3),
    Precision.BF16: (8, 0),
    Precision.INT8: (6, 1),
    Precision.FP8: (8, 9),
}
"""From the table "Hardware and Precision" of NVIDIA's TensorRT support matrix (int8 and fp16 as in that of TensorRT 8,
the last one to list GPUs so old)."""

TF32_OVERRIDE: Final = "NVIDIA_TF32_OVERRIDE"
"""An environment variable: 0 forbids TF32 to all of NVIDIA's libraries, whatever else was chosen."""


def capability(device: Device) -> tuple[int, int] | None:
    """A GPU's compute capability; None where nothing tells."""
    major, dot, minor = str(device.identity.get("compute_capability", "")).partition(".")
    return (int(major), int(minor)) if dot and major.isdecimal() and minor.isdecimal() else None


def too_old(precision: Precision, device: Device) -> str | None:
    """Why the GPU can't compute in `precision`, or None."""
    floor, has = FLOORS.get(precision), capability(device)
    if floor is None or has is None or has >= floor:
        return None
    wanted, found = (".".join(map(str, one)) for one in (floor, has))
    return f"{precision} needs compute capability {wanted} or later, this GPU has {found}"


def tf32_forbidden() -> bool:
    """Whether the environment forbids TF32."""
    return os.environ.get(TF32_OVERRIDE) == "0"


def forbidden(precision: Precision) -> str | None:
    """Why nothing computes in `precision` in this environment, or None."""
    if precision is Precision.TF32 and tf32_forbidden():
        return f"the environment variable {TF32_OVERRIDE}=0 forbids TF32"
    return None
