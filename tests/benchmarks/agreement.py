"""Whether our figures are those that others get: of ONNX Runtime in a bare loop, of OpenVINO with its benchmark_app.

Both sides run in turn (ABBA), each round giving one median. For ONNX Runtime both use the same session in one process.
For OpenVINO each round of either side is a process of its own, which compiles or loads the network anew, at the same
shape, precision, threads and performance hint; its tool's latency is taken inside the library, ours around the call.
Usage: python tests/benchmarks/agreement.py [--network squeezenet] [--precision fp32] [--rounds 20] [--seconds 1]
"""

from __future__ import annotations

import argparse
import functools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.device.cpu import cpu_device, thread_count
from pytest_infer.engines.open import EngineRequest, Surroundings, open_target
from pytest_infer.engines.plan_cache import PlanCache
from pytest_infer.engines.registry import find_backend
from pytest_infer.engines.target import InferEngine
from pytest_infer.measure.loop import SamplingPlan, measure
from pytest_infer.measure.summary import latency_metrics, summarise
from pytest_infer.workload import Precision, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

    Side = Callable[[], float]

HINTS = {"fp32": "f32", "fp16": "f16", "bf16": "bf16"}
WARMUP_S = 0.3
PICTURES = np.random.default_rng(0).standard_normal((4, 1, 3, 224, 224), np.float32)
MAKER = Path(__file__).parents[2] / "examples" / "vision" / "networks.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A network in a folder, and how long a round takes."""

    folder: Path
    network: str
    precision: str
    seconds: float

    @property
    def model(self) -> Path:
        """The network's file."""
        return self.folder / f"{self.network}.onnx"

    def engine(self, backend: str, scenario: str) -> InferEngine:
        """The engine that a test would get."""
        around = Surroundings(
            device=cpu_device(),
            backend=find_backend,
            test_folder=self.folder,
            root=self.folder,
            plans=PlanCache(self.folder / "plans"),
            threads=thread_count(),
            memory=lambda: lambda: None,
        )
        request = EngineRequest(
            model=self.model,
            backend=backend,
            precision=Precision(self.precision if backend == "openvino" else "fp32"),
            shapes={},
            options={},
            scenario=Scenario(scenario),
        )
        engine = open_target(request, around)
        if not isinstance(engine, InferEngine):
            raise TypeError(engine)
        return engine

    def ours(self, engine: InferEngine, metric: str) -> float:
        """The plugin's figure for one round."""
        plan = SamplingPlan(min_time_ns=round(self.seconds * 1e9), max_time_ns=60_000_000_000, min_samples=1)
        timings = measure(engine.runnable([{"image": one} for one in PICTURES]), time.perf_counter_ns, plan)
        return latency_metrics(timings, summarise(timings), engine.in_flight)[metric]

    def bare_loop(self, session: Any) -> float:
        """The median in ms of the shortest loop over an ONNX Runtime session."""
        times: list[int] = []
        for seconds in (WARMUP_S, self.seconds):
            times.clear()
            until = time.perf_counter() + seconds
            while time.perf_counter() < until:
                picture = PICTURES[len(times) % len(PICTURES)]
                begun = time.perf_counter_ns()
                session.run(None, {"image": picture})
                times.append(time.perf_counter_ns() - begun)
        return statistics.median(times) / 1e6

    def our_process(self, scenario: str, metric: str) -> float:
        """The plugin's figure of a process of its own."""
        names = (self.folder, self.network, self.precision, str(self.seconds), scenario, metric)
        return float(_output([sys.executable, __file__, "--round", *map(str, names)]))

    def their_process(self, scenario: str, metric: str) -> float:
        """The figure of OpenVINO's tool."""
        config = self.folder / "config.json"
        config.write_text(json.dumps({"CPU": {"INFERENCE_NUM_THREADS": thread_count()}}))
        shape = ",".join(map(str, PICTURES.shape[1:]))
        hint = ["-hint", "latency", "-api", "sync"] if scenario == "single_stream" else ["-hint", "throughput"]
        kind = ["-infer_precision", f"CPU:{HINTS[self.precision]}", "-ip", "f32", "-op", "f32"]
        where = ["-json_stats", "-report_type", "no_counters", "-report_folder", str(self.folder)]
        what = ["-m", str(self.model), "-d", "CPU", "-shape", f"image[{shape}]", "-load_config", str(config)]
        main = "from openvino.tools.benchmark.main import main; main()"
        _output([sys.executable, "-c", main, *what, *hint, *kind, *where, "-t", str(max(1, round(self.seconds)))])
        results = json.loads((self.folder / "benchmark_report.json").read_text())["execution_results"]
        return float(results[{"latency": "latency (ms)", "throughput": "throughput"}[metric]])


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


def compare(name: str, ours: Side, theirs: Side, rounds: int) -> None:
    """Print both sides' medians over the rounds, and the median and the spread of the rounds' own ratios.

    A ratio of the medians would compare minutes in which the machine had another speed.
    """
    pairs = []
    for number in range(rounds):
        if number % 2:
            second, first = theirs(), ours()
        else:
            first, second = ours(), theirs()
        pairs.append((first, second))
    one, other = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratios = sorted(first / second for first, second in pairs)
    quarter = len(ratios) // 4
    spread = f"{ratios[quarter]:.3f} to {ratios[-1 - quarter]:.3f}"
    print(f"{name:34} {one:10.3f} {other:10.3f} {statistics.median(ratios):8.3f}   {spread}", flush=True)


def main() -> None:
    """Run the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=("squeezenet", "resnet50"), default="squeezenet")
    parser.add_argument("--precision", choices=HINTS, default="fp32", help="OpenVINO's; ONNX Runtime runs fp32")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--round", nargs=6, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.round:
        folder, network, precision, seconds, scenario, metric = options.round
        case = Case(folder=Path(folder), network=network, precision=precision, seconds=float(seconds))
        print(case.ours(case.engine("openvino", scenario), metric))
        return
    with tempfile.TemporaryDirectory() as name:
        case = Case(folder=Path(name), network=options.network, precision=options.precision, seconds=options.seconds)
        _output([sys.executable, str(MAKER), case.network, str(case.model)])
        print(f"{case.network}, {thread_count()} threads, {options.rounds} rounds of {case.seconds:g} s a side")
        print(f"{'':34} {'ours':>10} {'theirs':>10} {'ratio':>8}   middle half of the rounds' ratios")
        engine = case.engine("onnxruntime", "single_stream")
        session: Any = engine._loaded._session  # type: ignore[attr-defined]
        compare(
            "ONNX Runtime, fp32, latency ms",
            functools.partial(case.ours, engine, "latency"),
            functools.partial(case.bare_loop, session),
            options.rounds,
        )
        for scenario, metric, unit in (("single_stream", "latency", "ms"), ("offline", "throughput", "/s")):
            compare(
                f"OpenVINO, {case.precision}, {metric} {unit}",
                functools.partial(case.our_process, scenario, metric),
                functools.partial(case.their_process, scenario, metric),
                options.rounds,
            )


if __name__ == "__main__":
    main()
