"""Device memory: who tells it, what of it is the context's, and what is said where nobody tells."""

from __future__ import annotations

import ctypes
import os
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.device import memory
from pytest_infer.device.cuda import driver_memory, wake
from pytest_infer.device.gpus import find
from pytest_infer.device.memory import MemoryMeter
from tests.gpu_device.nvml_stand_in import Board, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.gpu_device.nvml_stand_in import StandIn

MB = 10**6
OTHER = 4_194_303


@pytest.fixture(autouse=True)
def _no_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch", "cupy", "jax"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(memory, "wake", lambda: False)
    monkeypatch.setattr(memory, "driver_memory", lambda: None)


def meter(install: Callable[..., StandIn], *states: State, refuses: tuple[str, ...] = ()) -> tuple[MemoryMeter, Any]:
    """A meter of a GPU with that script, and what goes on in the script."""
    board = Board(script=states or (State(),), refuses=refuses)
    nvml = install(board)

    def following() -> None:
        nvml.handles[0].position += 1

    return MemoryMeter(find(board.uuid)), following


def mine(megabytes: int) -> State:
    """This process holds so much."""
    return State(processes=((os.getpid(), megabytes * MB),))


def test_the_context_is_told_apart(install: Callable[..., StandIn], monkeypatch: pytest.MonkeyPatch) -> None:
    """What waking CUDA takes is not the engine's."""
    found, following = meter(install, mine(0), mine(500))
    monkeypatch.setattr(memory, "wake", lambda: following() is None)
    found.begin()
    assert found.context_mb == 500
    use = found.use("onnxruntime:cuda", {"process_memory_mb": 1700.0})
    assert use is not None
    assert (use.peak_mb, use.told_by) == (1200, "NVML, of this process")
    found.begin()
    assert found.context_mb == 500, "it is asked once a process"


def test_a_context_that_was_there_before(install: Callable[..., StandIn]) -> None:
    """Then it can't be told apart, and that is said."""
    found, _ = meter(install, mine(500))
    found.begin()
    assert found.context_mb is None
    use = found.use("onnxruntime:cuda", {"process_memory_mb": 1700.0})
    assert use is not None
    assert (use.peak_mb, use.told_by) == (1700, "NVML, of this process, its CUDA context included")


def test_a_driver_that_tells_no_process_s(install: Callable[..., StandIn]) -> None:
    """In some containers: the device's own figure, before and after, and it is said."""
    found, _ = meter(install, State(processes=((OTHER, 300 * MB),)))
    found.begin()
    use = found.use("onnxruntime:cuda", {"memory_used_mb": 1000.0})
    assert use is not None
    assert use.peak_mb == pytest.approx(700)
    assert use.told_by == "the device's free memory before and after: the driver tells no process's"
    assert found.process_mb() is None


def test_nobody_tells(install: Callable[..., StandIn]) -> None:
    """Boards without a memory of their own: None, no zero."""
    found, _ = meter(install, refuses=("nvmlDeviceGetMemoryInfo",))
    found.begin()
    assert found.use("onnxruntime:cuda", {}) is None
    assert found.free_and_total_mb() is None


def test_cuda_s_own_figure_stands_in(install: Callable[..., StandIn], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where NVML has none."""
    found, _ = meter(install, refuses=("nvmlDeviceGetMemoryInfo",))
    left = iter([900 * MB, 900 * MB, 650 * MB])
    monkeypatch.setattr(memory, "driver_memory", lambda: (next(left), 1000 * MB))
    found.begin()
    use = found.use("onnxruntime:cuda", {})
    assert use is not None
    assert use.peak_mb == pytest.approx(250)


@pytest.mark.parametrize(
    ("backend", "peak_mb", "told_by"),
    [
        ("torch:cuda", 800, "PyTorch's allocator"),
        ("callable", 810, "PyTorch's allocator and CuPy's pool"),
        ("jax:cuda", 70, "JAX's allocator, since the process began"),
        ("onnxruntime:cuda", 1700, "NVML, of this process, its CUDA context included"),
    ],
)
def test_the_allocator_behind_a_backend(
    install: Callable[..., StandIn], monkeypatch: pytest.MonkeyPatch, backend: str, peak_mb: int, told_by: str
) -> None:
    """Its own figure goes before NVML's, which has what it keeps for later in it; nobody else's allocator is asked."""
    calls: list[str] = []
    pool = SimpleNamespace(total_bytes=lambda: 10 * MB)
    device = SimpleNamespace(memory_stats=lambda: {"peak_bytes_in_use": 70 * MB})
    monkeypatch.setitem(sys.modules, "torch", pytorch(calls))
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(get_default_memory_pool=lambda: pool))
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(devices=lambda: [device]))
    found, _ = meter(install, mine(500))
    found.begin()
    found.start()
    assert calls == ["wait", "clear workspaces", "reset"], "what is from before is not the engine's"
    use = found.use(backend, {"process_memory_mb": 1700.0})
    assert use is not None
    assert (use.peak_mb, use.told_by) == (peak_mb, told_by)


def test_graphs_of_pytorch(install: Callable[..., StandIn], monkeypatch: pytest.MonkeyPatch) -> None:
    """What a CUDA graph writes to counts, though replays allocate nothing; what it was captured with stays."""
    calls: list[str] = []
    segments = [
        {"segment_pool_id": (0, 0), "total_size": 900 * MB, "allocated_size": 100 * MB},
        {"segment_pool_id": (0, 1), "total_size": 300 * MB, "allocated_size": 20 * MB},
        {"segment_pool_id": (0, 1), "total_size": 40 * MB, "allocated_size": 0},
    ]
    monkeypatch.setitem(sys.modules, "torch", pytorch(calls, *segments))
    found, _ = meter(install, mine(500))
    found.begin()
    found.start()
    assert calls == ["reset"]
    use = found.use("torch:cuda", {})
    assert use is not None
    assert (use.peak_mb, use.told_by) == (800 + 280 + 40, "PyTorch's allocator with the pools of CUDA graphs")


def pytorch(calls: list[str], *segments: dict[str, Any]) -> Any:
    """PyTorch with a peak of 800 MB; `calls` is what it was told."""
    cuda = SimpleNamespace(
        is_initialized=lambda: True,
        synchronize=lambda: calls.append("wait"),
        reset_peak_memory_stats=lambda: calls.append("reset"),
        max_memory_allocated=lambda: 800 * MB,
        get_allocator_backend=lambda: "native",
        memory_snapshot=lambda: list(segments),
    )
    inner = SimpleNamespace(_cuda_clearCublasWorkspaces=lambda: calls.append("clear workspaces"))
    return SimpleNamespace(cuda=cuda, _C=inner)


# --- the driver's library --------------------------------------------------------------------------------------------


class Driver:
    """CUDA's driver library with one GPU of 1000 bytes, 400 of them free."""

    def __init__(self, *, awake: bool = False) -> None:
        """With a context, or without."""
        self.awake = awake
        self.log: list[str] = []

    def __getattr__(self, name: str) -> Any:
        """Any function; those that give something do that below."""

        def call(*args: Any) -> int:
            self.log.append(name)
            for place, value in zip(args, self._gives(name), strict=False):
                if value is not None:
                    place._obj.value = value
            if name == "cuDevicePrimaryCtxRetain":
                self.awake = True
            return 0

        return call

    def _gives(self, name: str) -> tuple[int | None, ...]:
        values: dict[str, tuple[int | None, ...]] = {
            "cuDeviceGetCount": (1,),
            "cuDeviceGet": (0,),
            "cuDevicePrimaryCtxGetState": (None, 0, int(self.awake)),
            "cuDevicePrimaryCtxRetain": (42,),
            "cuMemGetInfo_v2": (400, 1000),
        }
        return values.get(name, ())


def test_waking() -> None:
    """True only for who makes the context; it is kept."""
    driver = Driver()
    assert wake(driver)
    assert not wake(driver)
    assert "cuDevicePrimaryCtxRelease_v2" not in driver.log
    assert driver.log.count("cuDevicePrimaryCtxRetain") == 1


def test_the_driver_s_memory() -> None:
    """Read in the context, which is put back; without one none is made for it."""
    assert driver_memory(Driver()) is None
    driver = Driver(awake=True)
    assert driver_memory(driver) == (400, 1000)
    assert driver.log[-4:] == [
        "cuCtxPushCurrent_v2", "cuMemGetInfo_v2", "cuCtxPopCurrent_v2", "cuDevicePrimaryCtxRelease_v2",
    ]  # fmt: skip
    assert ctypes.sizeof(ctypes.c_size_t) == 8, "or the figures would be cut"
