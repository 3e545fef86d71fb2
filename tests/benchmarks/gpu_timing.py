"""The parts of `gpu.py` that time one thing in two ways, in turn. Not verified on hardware yet."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.device.cuda import see_only
from pytest_infer.device.cuda_choice import open_cuda
from pytest_infer.device.gpu import open_gpus
from pytest_infer.device.launch import Launch
from pytest_infer.engines.on_stream import CallableLaunch
from pytest_infer.engines.open import EngineRequest, Surroundings, open_target
from pytest_infer.engines.plan_cache import PlanCache
from pytest_infer.engines.registry import find_backend
from pytest_infer.engines.target import InferEngine
from pytest_infer.measure.device_timer import DeviceTimer
from pytest_infer.measure.loop import no_garbage_collection, time_block, warm_up
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "results" / "gpu"
CLOCK: Final = time.perf_counter_ns
WARM_NS: Final = 1_500_000_000
GRAPHS: Final[dict[str, dict[str, Any]]] = {"plain": {}, "graph": {"cuda_graph": True}}


class Bench:
    """One GPU, and how long to measure there: `until` on the monotonic clock."""

    def __init__(self, *, short: bool, minutes: float) -> None:
        """Choose the GPU before any library looks."""
        (self.device,) = open_gpus("0")
        see_only(self.device.uuid)
        self.short, self.until = short, time.monotonic() + minutes * 60
        self.rounds, self.calls = (6, 5) if short else (30, 20)

    def engine(self, batch: int, **options: Any) -> InferEngine:
        """ResNet-50 in fp16 on torch:cuda, with seeded weights."""
        engine = open_target(
            EngineRequest(
                model=resnet(),
                backend="torch:cuda",
                precision=Precision.FP16,
                inputs={"image": pictures(batch)},
                shapes={},
                options=options,
            ),
            Surroundings(
                device=self.device,
                backend=find_backend,
                test_folder=ROOT,
                root=ROOT,
                plans=PlanCache(FOLDER / "plans"),
                threads=4,
                memory=lambda: lambda: None,
            ),
        )
        assert isinstance(engine, InferEngine)
        return engine


def resnet() -> Any:
    """The example's network as a module in fp16."""
    from examples.graphs import torch_graph
    from examples.vision import networks

    path = FOLDER / "resnet50.onnx"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        networks.make("resnet50", path)
    return torch_graph.load(path).half()


def pictures(count: int) -> Any:
    """Seeded ones."""
    from examples.vision import networks

    return networks.images(count)


def in_turn(bench: Bench, sides: dict[str, Callable[[], list[float]]]) -> dict[str, list[float]]:
    """The medians of each side's blocks, which take turns: forward in one round, backward in the next."""
    medians: dict[str, list[float]] = {name: [] for name in sides}
    with no_garbage_collection():
        for round_ in range(bench.rounds):
            order = list(sides) if round_ % 2 else list(reversed(sides))
            for name in order:
                medians[name].append(statistics.median(sides[name]()))
    return medians


def ratio(ours: list[float], theirs: list[float]) -> tuple[float, float]:
    """The median of the rounds' ratios, and half the width of the middle half of them."""
    ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    quarter = len(ratios) // 4
    return statistics.median(ratios), (ratios[-1 - quarter] - ratios[quarter]) / 2


def our_block(launch: Launch, calls: int) -> Callable[[], list[float]]:
    """Device times of a block in ms, by our timer."""
    with launch.active():
        warm_up(launch, CLOCK, WARM_NS)

    def block() -> list[float]:
        timer = DeviceTimer(launch)
        with launch.active():
            timer.block(launch, CLOCK, calls)
        return [ns / 1e6 for ns in timer.times().device_ns]

    return block


def torch_block(call: Callable[[], object], calls: int, *, waiting: bool) -> Callable[[], list[float]]:
    """The same by `torch.cuda.Event`, on a stream of PyTorch's; `waiting`: for each call, as an application does."""
    import torch

    cuda: Any = torch.cuda
    stream = cuda.Stream()
    pairs = [(cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)) for _ in range(calls)]

    def block() -> list[float]:
        with torch.inference_mode(), cuda.stream(stream):
            for first, last in pairs:
                first.record()
                call()
                last.record()
                if waiting:
                    stream.synchronize()
        cuda.synchronize()
        return [first.elapsed_time(last) for first, last in pairs]

    block()
    return block


def agreement(bench: Bench, name: str, launch: Launch, call: Callable[[], object]) -> bool:
    """Ours against PyTorch's own way of timing."""
    sides = {
        "ours": our_block(launch, bench.calls),
        "waiting": torch_block(call, bench.calls, waiting=True),
        "queued": torch_block(call, bench.calls, waiting=False),
    }
    medians = in_turn(bench, sides)
    found, spread = ratio(medians["ours"], medians["waiting"])
    queued, _ = ratio(medians["ours"], medians["queued"])
    print(
        f"{name}: {statistics.median(medians['ours']):.4f} ms by our events, ratio to torch.cuda.Event {found:.4f} "
        f"± {spread:.4f} (bound 1 ± 0.01); to its events with nobody waiting {queued:.4f}; {bench.rounds} rounds"
    )
    return abs(found - 1) <= 0.01


def matmul(bench: Bench) -> bool:
    """A large product, which nothing but the device takes time for."""
    import torch

    size = 8192
    made: Any = torch.randn
    a, b = (made(size, size, device="cuda", dtype=torch.float16) for _ in range(2))
    launch = CallableLaunch(lambda: a @ b, open_cuda(bench.device))
    return agreement(bench, f"matmul fp16 {size}", launch, lambda: a @ b)


def resnet_part(bench: Bench) -> bool:
    """A network: its many small kernels."""
    import torch

    batch = 64
    engine = bench.engine(batch)
    launch = engine.runnable()
    assert isinstance(launch, Launch), engine.untimed
    module = resnet().to("cuda")
    image = torch.from_numpy(pictures(batch)).to("cuda", torch.float16)
    good = agreement(bench, f"ResNet-50 fp16 b{batch}", launch, lambda: module(image))
    engine.close()
    return good


def graph(bench: Bench) -> bool:
    """A graph's replay against the plain run, where the host keeps up and where it does not."""
    good = True
    for batch in (1, 64):
        engines = {name: bench.engine(batch, **given) for name, given in GRAPHS.items()}
        sides = {}
        for name, engine in engines.items():
            launch = engine.runnable()
            assert isinstance(launch, Launch), engine.untimed
            sides[name] = our_block(launch, bench.calls)
        medians = in_turn(bench, sides)
        found, spread = ratio(medians["graph"], medians["plain"])
        print(
            f"graph: ResNet-50 fp16 b{batch}: replay {statistics.median(medians['graph']):.4f} ms, plain "
            f"{statistics.median(medians['plain']):.4f} ms, ratio {found:.4f} ± {spread:.4f} (bound: 1.005)"
        )
        good &= found <= 1.005
        for engine in engines.values():
            engine.close()
    return good


def events(bench: Bench) -> bool:
    """The same launch timed with marks and without; two marks with nothing between them; it is told, and not bound."""
    import torch

    made: Any = torch.randn
    a, b = (made(1024, 1024, device="cuda", dtype=torch.float16) for _ in range(2))
    launch = CallableLaunch(lambda: [a @ b for _ in range(40)], open_cuda(bench.device))
    timer = DeviceTimer(launch)
    with launch.active():
        warm_up(launch, CLOCK, WARM_NS)
        calls = 10 * bench.calls
        medians = in_turn(
            bench,
            {
                "with": lambda: [float(ns) for ns in timer.block(launch, CLOCK, calls)],
                "without": lambda: [float(ns) for ns in time_block(launch, CLOCK, calls)],
            },
        )
        differences = [a - b for a, b in zip(medians["with"], medians["without"], strict=True)]
        first, last = launch.stream.event(), launch.stream.event()
        gaps = []
        for _ in range(1000):
            launch.stream.record(first)
            launch.stream.record(last)
            launch.stream.synchronize()
            gaps.append(last.ms_since(first) * 1e3)
        begun = CLOCK()
        for _ in range(10_000):
            launch.stream.record(first)
        record_us = (CLOCK() - begun) / 1e7
        launch.stream.synchronize()
    print(
        f"events: {statistics.median(differences) / 1e3:+.2f} us a call of "
        f"{statistics.median(medians['without']) / 1e3:.1f} us; recording one takes the host {record_us:.2f} us; "
        f"two with nothing between are {statistics.median(gaps):.2f} us apart"
    )
    return True
