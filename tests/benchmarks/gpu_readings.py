"""The parts of `gpu.py` about memory and energy. Not verified on hardware yet."""

from __future__ import annotations

import statistics
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.device.energy import energy_window
from pytest_infer.device.gpus import find
from pytest_infer.device.memory import MemoryMeter
from pytest_infer.device.nvml import open_nvml
from pytest_infer.device.out_of_memory import empty_caches
from pytest_infer.errors import MeasurementError
from pytest_infer.on_gpu import telling_shortage
from tests.benchmarks.gpu_timing import pictures

if TYPE_CHECKING:
    from tests.benchmarks.gpu_timing import Bench

CLOCK: Final = time.perf_counter_ns


def memory(bench: Bench) -> bool:
    """Context, allocator and NVML of one engine; what remains when it is closed."""
    meter = MemoryMeter(find(bench.device.uuid))
    meter.begin()
    meter.start()
    engine = bench.engine(64)
    engine(pictures(64))
    process = meter.process_mb()
    state = {} if process is None else {"process_memory_mb": process}
    used = {name: meter.use(name, state) for name in ("torch:cuda", "onnxruntime:cuda")}
    for use in used.values():
        print("memory:", "nobody tells" if use is None else f"{use.peak_mb:.1f} MB by {use.told_by}")
    engine.close()
    empty_caches()
    left = meter.process_mb()
    print(f"memory: context {meter.context_mb} MB (None: CUDA was awake); process {process} MB, closed {left} MB")
    return used["torch:cuda"] is not None


def oom(bench: Bench) -> bool:
    """More than there is, in one piece; then something small."""
    import torch

    made: Any = torch.empty
    gpu: Any = type("Instruments", (), {"memory": MemoryMeter(find(bench.device.uuid))})()
    _, total = gpu.memory.free_and_total_mb() or (0, 1e6)
    try:
        with telling_shortage(bench.device, lambda: gpu, "a tensor", 512):
            kept = [made(int(total * 0.6e6), dtype=torch.uint8, device="cuda") for _ in range(2)]
            print("oom: it fitted,", len(kept))
            return False
    except MeasurementError as error:
        print(f"oom: {error}")
    free, _ = gpu.memory.free_and_total_mb() or (0, 0)
    print(f"oom: behind it {free:.0f} of {total:.0f} MB are free (bound: 90 %)")
    return bool(free >= 0.9 * total)


def energy(bench: Bench) -> bool:
    """The counter between two of its steps against power readings in the same time."""
    import torch

    nvml, board = open_nvml(), find(bench.device.uuid).board
    made: Any = torch.randn
    a, b = (made(8192, 8192, device="cuda", dtype=torch.float16) for _ in range(2))

    def run() -> None:
        a @ b
        torch.cuda.synchronize()

    steps: list[tuple[int, int]] = []
    powers: list[tuple[int, float]] = []
    over = threading.Event()

    def counter() -> int:
        millijoules = int(nvml.nvmlDeviceGetTotalEnergyConsumption(board))
        steps.append((CLOCK(), millijoules))
        return millijoules

    def sample() -> None:
        while not over.wait(0.02):
            powers.append((CLOCK(), nvml.nvmlDeviceGetPowerUsage(board) / 1e3))

    ends = CLOCK() + (2 if bench.short else 5) * 10**9  # power is told as a mean of the last second
    while CLOCK() < ends:
        run()
    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    windows = [energy_window(run, counter, CLOCK, max_ns=60 * 10**9) for _ in range(1 if bench.short else 8)]
    over.set()
    thread.join()
    joules = (steps[-1][1] - steps[0][1]) / 1e3
    within = [(at, watts) for at, watts in powers if steps[0][0] <= at <= steps[-1][0]]
    mean = statistics.fmean(watts for _, watts in within)
    seconds = (steps[-1][0] - steps[0][0]) / 1e9
    found = joules / (mean * seconds)
    print(
        f"energy: {joules:.0f} J in {seconds:.1f} s by the counter, {mean * seconds:.0f} J by {len(within)} readings "
        f"of power, ratio {found:.3f} (bound 1 ± 0.05); a window's power is "
        f"{statistics.median(w.power_w for w in windows):.0f} W"
    )
    return abs(found - 1) <= 0.05
