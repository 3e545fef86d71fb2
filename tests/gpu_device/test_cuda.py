"""One GPU alone for CUDA in this process: chosen early, and noticed where it was too late."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from pytest_infer.device import cuda
from pytest_infer.device.cuda import check_first, see_only
from pytest_infer.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Sequence

A, B = (UUID(f"{letter * 8}-0000-4000-8000-000000000000") for letter in "ab")


class Driver:
    """CUDA's driver library with these GPUs; `status` is what initialising gives."""

    def __init__(self, *gpus: UUID, status: int = 0) -> None:
        """See `gpus` in this order."""
        self._gpus: Sequence[UUID] = gpus
        self._status = status

    def cuInit(self, _flags: int) -> int:  # noqa: N802 - CUDA's names
        """Wake up."""
        return self._status

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802
        """How many there are."""
        ctypes.cast(count, ctypes.POINTER(ctypes.c_int)).contents.value = len(self._gpus)
        return 0

    def cuDeviceGet(self, device: Any, number: int) -> int:  # noqa: N802
        """The handle of one."""
        ctypes.cast(device, ctypes.POINTER(ctypes.c_int)).contents.value = number
        return 0

    def cuDeviceGetUuid(self, raw: Any, device: ctypes.c_int) -> int:  # noqa: N802
        """The UUID of one."""
        ctypes.memmove(raw, self._gpus[device.value].bytes, 16)
        return 0


def test_the_right_gpu() -> None:
    """Nothing to say."""
    check_first(f"GPU-{A}", Driver(A, B))
    check_first(f"MIG-{B}", Driver(B))


@pytest.mark.parametrize(
    ("driver", "told"),
    [
        (Driver(B, A), f"CUDA's first GPU here is GPU-{B}"),
        (Driver(), "CUDA sees no GPU here"),
        (Driver(A, status=100), "CUDA sees no GPU here"),
    ],
)
def test_another_gpu(driver: Driver, told: str) -> None:
    """Timing it would put one GPU's times under another one's name: an error with the ways out."""
    with pytest.raises(DeviceError, match=f"measuring on GPU-{A}, but {told}: something used CUDA before") as caught:
        check_first(f"GPU-{A}", driver)
    assert f"set CUDA_VISIBLE_DEVICES=GPU-{A}" in str(caught.value)


def test_what_can_t_be_checked_is_taken_on_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instances of old drivers have names that are no UUIDs; without CUDA's library nothing computes by CUDA."""
    check_first(f"MIG-GPU-{A}/7/0", Driver(B))
    monkeypatch.setattr(cuda, "_library", lambda: None)
    check_first(f"GPU-{A}")


@pytest.mark.parametrize("before", [None, "2,3"])
def test_seen_alone_and_given_back(monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    """The variable is as it was when the run is over."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if before is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", before)
    undo = see_only(f"GPU-{A}")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == f"GPU-{A}"
    undo()
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == before
