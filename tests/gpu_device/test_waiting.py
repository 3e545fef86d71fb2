"""A callable that computes on the GPU by itself: its call is over when the GPU is done."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from pytest_infer import on_gpu
from pytest_infer.device.fingerprint import Device
from pytest_infer.engines.target import CallableTarget
from pytest_infer.errors import UsageError
from pytest_infer.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Callable

GPU = Device(slug="gpu-x", kind="gpu", name="X", uuid="GPU-a")


@pytest.mark.parametrize("waits", [["jax result", "device"], ["device"], []], ids=["JAX", "CUDA", "neither"])
def test_a_call_waits_for_what_it_enqueued(monkeypatch: pytest.MonkeyPatch, waits: list[str]) -> None:
    """For JAX's result first, which may be enqueued by a thread of its own; then for all of the device."""
    log: list[str] = []
    for name in ("torch", "cupy", "jax"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    if len(waits) > 1:
        jax = SimpleNamespace(block_until_ready=lambda found: log.append(f"jax {found}"))
        monkeypatch.setitem(sys.modules, "jax", jax)

    def waiter() -> Callable[[], None] | None:
        return (lambda: log.append("device")) if waits else None

    monkeypatch.setattr(on_gpu, "waiter", waiter)

    def compute() -> str:
        log.append("call")
        return "result"

    way = on_gpu.timing(CallableTarget(compute, workload=Workload(target="f", backend="callable")), None, GPU, ())
    log.clear()
    assert way.run() == "result"
    assert log == ["call", *waits]


def test_a_coroutine_is_refused_by_the_call_that_wakes_cuda() -> None:
    """That call's result is looked at, too: none is left that nobody awaited."""

    async def work() -> None:
        pass

    with pytest.raises(UsageError, match="work returns a coroutine"):
        on_gpu.timing(CallableTarget(work, workload=Workload(target="f", backend="callable")), None, GPU, ())
