"""One GPU alone for CUDA in this process: chosen early, and noticed where it was too late."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from pytest_infer.device import cuda
from pytest_infer.device.cuda import check_first, see_only, share_memory, waiter
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


class Awake(Driver):
    """The same with a context, or without one."""

    def __init__(self, *, active: bool = True, failed: int = 0) -> None:
        """`failed` is what waiting gives."""
        super().__init__(A)
        self.log: list[str] = []
        self._active, self._failed = active, failed

    def cuDevicePrimaryCtxGetState(self, _device: Any, _flags: Any, active: Any) -> int:  # noqa: N802
        """Whether there is one."""
        ctypes.cast(active, ctypes.POINTER(ctypes.c_int)).contents.value = self._active
        return 0

    def cuDevicePrimaryCtxRetain(self, context: Any, _device: Any) -> int:  # noqa: N802
        """Take it."""
        ctypes.cast(context, ctypes.POINTER(ctypes.c_void_p)).contents.value = 7
        return 0

    def cuCtxPushCurrent_v2(self, context: Any) -> int:  # noqa: N802
        """Make it current."""
        self.log.append(f"push {context.value}")
        return 0

    def cuCtxSynchronize(self) -> int:  # noqa: N802
        """Wait."""
        self.log.append("wait")
        return self._failed

    def cuCtxPopCurrent_v2(self, _context: Any) -> int:  # noqa: N802
        """Make it current no more."""
        self.log.append("pop")
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


def test_waiting_for_whatever_was_enqueued() -> None:
    """In the context of the GPU, which JAX leaves current nowhere; work that failed is an error."""
    driver = Awake()
    wait = waiter(driver)
    assert wait is not None
    wait()
    assert driver.log == ["push 7", "wait", "pop"]
    broken = Awake(failed=700)
    wait = waiter(broken)
    assert wait is not None
    with pytest.raises(DeviceError, match="CUDA error 700"):
        wait()
    assert broken.log[-1] == "pop"
    assert waiter(Awake(active=False)) is None, "nothing was enqueued"


@pytest.mark.parametrize("before", [None, "true"])
def test_jax_leaves_memory_to_others(monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    """Unless the user said otherwise; and is as it was when the run is over."""
    name = "XLA_PYTHON_CLIENT_PREALLOCATE"
    monkeypatch.delenv(name, raising=False)
    if before is not None:
        monkeypatch.setenv(name, before)
    undo = share_memory()
    assert os.environ[name] == (before or "false")
    undo()
    assert os.environ.get(name) == before


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
