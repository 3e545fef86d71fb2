"""Device times on a real GPU: against PyTorch's events, cold against warm, short kernels, graphs; memory, none left."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_infer.device.gpus import find
from pytest_infer.device.memory import MemoryMeter
from pytest_infer.device.out_of_memory import empty_caches
from pytest_infer.engines.base import CompileRequest
from pytest_infer.engines.on_stream import CallableLaunch
from pytest_infer.errors import MeasurementError
from pytest_infer.measure.device_timer import DeviceTimer, DeviceTimes
from pytest_infer.on_gpu import telling_shortage
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from pytest_infer.device.cuda_streams import Cuda
    from pytest_infer.device.fingerprint import Device
    from pytest_infer.device.launch import Launch
    from pytest_infer.engines.torch.engine import TorchEngine

CLOCK = time.perf_counter_ns


def timed(launch: Launch, calls: int = 30, *, flush: Any = None) -> tuple[DeviceTimes, list[int]]:
    """Some warm calls, then a block."""
    timer = DeviceTimer(launch, flush=flush)
    with launch.active():
        for _ in range(10):
            launch()
        times = timer.block(launch, CLOCK, calls)
    return timer.times(), times


def test_a_product_takes_what_torch_s_events_say(cuda: Cuda, torch: Any) -> None:
    """Within 1 %, in turn, and less than its latency."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.float16) for _ in range(2))
    launch = CallableLaunch(lambda: a @ b, cuda)
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    ratios = []
    for _ in range(15):
        ours, host = timed(launch, 10)
        theirs = []
        for _ in range(10):
            first.record()
            a @ b
            last.record()
            torch.cuda.synchronize()
            theirs.append(first.elapsed_time(last) * 1e6)
        ratios.append(statistics.median(ours.device_ns) / statistics.median(theirs))
        assert statistics.median(ours.device_ns) < statistics.median(host)
        assert ours.launches == 1
        assert not ours.host_bound
    assert statistics.median(ratios) == pytest.approx(1, abs=0.01), sorted(ratios)


def test_short_kernels_come_in_groups(cuda: Cuda, torch: Any) -> None:
    """A kernel of a few microseconds takes less than its launch, and the host is what it waits for."""
    a = torch.ones(1024, device="cuda")
    times, _ = timed(CallableLaunch(lambda: a.add_(1), cuda))
    assert times.launches > 1
    assert 0 < statistics.median(times.device_ns) < 50_000
    assert times.host_bound


def test_a_cold_cache_costs_time(cuda: Cuda, torch: Any) -> None:
    """What fits into the L2 cache is read more slowly behind a flush than behind a pause."""
    a = torch.ones(2**21, device="cuda")  # 8 MB
    launch = CallableLaunch(a.sum, cuda)
    stream = launch.stream
    first, last, flush = stream.event(), stream.event(), stream.flush()
    found: dict[str, list[float]] = {"cold": [], "warm": []}
    with launch.active():
        for _ in range(200):
            for name, before in (("cold", flush), ("warm", lambda: torch.cuda._sleep(300_000))):
                launch()
                before()  # both give the host the time to enqueue what comes
                stream.record(first)
                launch.submit()
                stream.record(last)
                stream.synchronize()
                found[name].append(last.ms_since(first))
    assert statistics.median(found["cold"]) > statistics.median(found["warm"])
    times, _ = timed(launch, flush=flush)
    assert (times.launches, times.cold) == (1, True)


class Network:
    """A few products, made by PyTorch."""

    def __init__(self, torch: Any, device: Device) -> None:
        """Seeded."""
        torch.manual_seed(0)
        layers = [layer for _ in range(8) for layer in (torch.nn.Linear(512, 512), torch.nn.ReLU())]
        self._module = torch.nn.Sequential(*layers).half()
        self._device = device

    def engine(self, **options: Any) -> TorchEngine:
        """On torch:cuda."""
        from pytest_infer.engines.torch import TorchBackend

        x = np.random.default_rng(0).standard_normal((64, 512)).astype(np.float32)
        request = CompileRequest(
            model=self._module, device=self._device, example=x, precision=Precision.FP16, options=options
        )
        return TorchBackend("cuda").compile(request)


def test_a_graph_computes_the_same_and_is_not_slower(torch: Any, device: Device, cuda: Cuda) -> None:
    """Its replay's device time is not above the plain run's; the host has less to do."""
    assert cuda.name
    network = Network(torch, device)
    engines = {"plain": network.engine(), "graph": network.engine(cuda_graph=True)}
    assert engines["graph"].proof.graph_captured is True
    rng = np.random.default_rng(1)
    (spec,) = engines["plain"].inputs
    shape = tuple(int(size) for size in spec.shape)
    sets = [{spec.name: rng.standard_normal(shape).astype(spec.dtype)} for _ in range(2)]
    for one in sets:
        plain, graph = (next(iter(engine.infer(one).values())) for engine in engines.values())
        assert np.allclose(plain, graph, atol=1e-2)
    found: dict[str, DeviceTimes] = {}
    for name, engine in engines.items():
        launch: Any = engine.bind(sets)
        found[name], _ = timed(launch, 50)
        with launch.active():
            copied = launch()
            assert np.allclose(next(iter(copied.values())), next(iter(engine.infer(sets[0]).values())), atol=1e-2) or (
                np.allclose(next(iter(copied.values())), next(iter(engine.infer(sets[1]).values())), atol=1e-2)
            )
    plain_ns, graph_ns = (statistics.median(found[name].device_ns) for name in ("plain", "graph"))
    assert graph_ns <= plain_ns * 1.02
    assert statistics.median(found["graph"].enqueue_ns) < statistics.median(found["plain"].enqueue_ns)


def test_memory_is_told_and_comes_back(torch: Any, device: Device) -> None:
    """The allocator's peak is what was taken; what does not fit is told in figures, and is back afterwards."""
    gpu: Any = type("Instruments", (), {"memory": MemoryMeter(find(device.uuid))})()
    meter: MemoryMeter = gpu.memory
    meter.begin()
    empty_caches()
    meter.start()
    before, total = meter.free_and_total_mb() or pytest.fail("NVML tells no memory")
    kept = torch.empty(200_000_000, dtype=torch.uint8, device="cuda")
    use = meter.use("torch:cuda", {})
    assert use is not None
    assert use.peak_mb >= 200
    del kept
    guard = telling_shortage(device, lambda: gpu, "tensors", 512)
    with (
        pytest.raises(MeasurementError, match=r"tensors: the GPU's memory ran out; batch 512; .*: [\d,]+ MB; free"),
        guard,
    ):
        [torch.empty(int(total * 0.6e6), dtype=torch.uint8, device="cuda") for _ in range(2)]
    after, _ = meter.free_and_total_mb() or pytest.fail("NVML tells no memory")
    assert after >= before - 300
