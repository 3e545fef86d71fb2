"""From which compute capability on an NVIDIA GPU computes in a precision."""

from __future__ import annotations

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
