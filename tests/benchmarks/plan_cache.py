"""What the plan cache saves: an engine opened for the first time against the same one opened again.

ResNet-50 in int8, calibrated on eight pictures. Both times everything is counted that a test waits for: finding the
model, going through the calibration samples, building or taking the plan, and loading it.
Usage: python tests/benchmarks/plan_cache.py [pairs]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from examples.vision.networks import calibration, make
from pytest_infer import Precision
from pytest_infer.device.cpu import cpu_device, thread_count
from pytest_infer.engines.open import EngineRequest, Surroundings, open_target
from pytest_infer.engines.plan_cache import PlanCache
from pytest_infer.engines.registry import find_backend


def opened_s(folder: Path, *, fresh: bool) -> float:
    """How long opening the engine takes."""
    around = Surroundings(
        device=cpu_device(),
        backend=find_backend,
        test_folder=folder,
        root=folder,
        plans=PlanCache(folder / "plans"),
        threads=thread_count(),
        memory=lambda: lambda: None,
    )
    request = EngineRequest(
        model="resnet50.onnx",
        backend="onnxruntime",
        precision=Precision.INT8,
        batch=1,
        shapes={},
        options={},
        calibration=calibration,
        fresh_build=fresh,
    )
    begun = time.perf_counter()
    target = open_target(request, around)
    seconds = time.perf_counter() - begun
    target.close()
    return seconds


def main() -> None:
    """Open it anew and from the cache, in turn."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make("resnet50", folder / "resnet50.onnx")
        opened_s(folder, fresh=True)  # imports and the model's digest are not to be counted to either side
        first, again = [], []
        for _ in range(pairs):
            first.append(opened_s(folder, fresh=True))
            again.append(opened_s(folder, fresh=False))
    ratio = statistics.median(a / b for a, b in zip(first, again, strict=True))
    print(f"built {statistics.median(first):.2f} s, from the cache {statistics.median(again):.3f} s: {ratio:.0f} times")


if __name__ == "__main__":
    main()
