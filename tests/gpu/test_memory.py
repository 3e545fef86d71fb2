"""What PyTorch's allocator is believed to say of a real GPU's memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.device.gpus import find
from pytest_infer.device.memory import MemoryMeter

if TYPE_CHECKING:
    from pytest_infer.device.fingerprint import Device


def test_a_graph_takes_what_its_work_takes(device: Device, torch: Any) -> None:
    """Replayed or called, it is the same memory; and it is gone with the graph."""
    meter = MemoryMeter(find(device.uuid))
    x = torch.ones(2**26, device="cuda")

    def work() -> Any:
        return (x * 2 + 1).sum()

    def taken(run: Any) -> Any:
        meter.start()
        run()
        torch.cuda.synchronize()
        return meter.use("torch:cuda", {})

    called = taken(work)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        kept = work()
    replayed = taken(graph.replay)
    assert called.peak_mb == pytest.approx(3 * 2**28 / 1e6, rel=0.05)
    assert replayed.peak_mb == pytest.approx(called.peak_mb, rel=0.1)
    assert "CUDA graphs" in replayed.told_by
    del graph, kept
    torch.cuda.empty_cache()
    assert taken(work).told_by == "PyTorch's allocator"
