"""What the GPU half is held to, measured on a GPU. Not verified on hardware yet: nobody has run it.

    PYTHONPATH=. python tests/benchmarks/gpu.py PART... [--short] [--minutes 9]

    matmul      device time of an fp16 matrix product against PyTorch's own events, in turn in one process (within 1 %)
    resnet      the same for ResNet-50 in fp16, on the backend torch:cuda (within 1 %)
    graph       the device time of a CUDA graph's replay over the plain run's (not above it)
    events      what setting marks costs the host in each call, and the device
    memory      who told the device memory of ResNet-50, and its CUDA context's
    oom         a batch that does not fit is told in figures, and the memory is back behind it
    energy      the counter's energy over the integral of sampled power (within 5 %)
    sessions    20 sessions of unchanged code: no failure, and how far runs spread
    added-work  20 sessions with 3 % more work: found in at least 19
    competitor  another process computes on the GPU: `invalid`, not `regressed`

It takes the first GPU that CUDA_VISIBLE_DEVICES leaves, and changes none of its settings. Needed are the package with
its dependencies (installed, or the sources on PYTHONPATH), PyTorch 2.9 with CUDA, CuPy, cuda-core 1.0 with
cuda-bindings, and onnx; no network. The last three parts run pytest in processes of its own and note each session in
`results/gpu/project/sessions.jsonl`: broken off, or stopped by --minutes, they go on from there when they are called
again (take that file along to another machine of the same kind). By estimate, on a machine that is lent for a quarter
of an hour (after `tests/gpu`, three minutes):

    ... gpu.py memory matmul resnet graph events oom energy            (three minutes)
    ... gpu.py competitor sessions added-work --minutes 6              (again, until it has all its sessions)

and --short makes of it what only shows that everything runs. Each part prints its figure and the bound that it is held
to; one that breaks says why, and the others go on. The exit status is the number of parts that missed their bound.
"""

from __future__ import annotations

import argparse
import time
import traceback
from typing import TYPE_CHECKING, Final

from tests.benchmarks import gpu_readings, gpu_sessions, gpu_timing
from tests.benchmarks.gpu_timing import FOLDER, Bench

if TYPE_CHECKING:
    from collections.abc import Callable


def suite(part: str) -> Callable[[Bench], bool]:
    """A part that runs pytest."""
    return lambda bench: gpu_sessions.run(part, FOLDER, short=bench.short, until=bench.until)


def tried(part: str, bench: Bench) -> bool:
    """Whether a part held; one that breaks did not."""
    try:
        return PARTS[part](bench)
    except (Exception, SystemExit):  # noqa: BLE001 - the machine may be lent for minutes: the others go on
        traceback.print_exc()
        return False


PARTS: Final[dict[str, Callable[[Bench], bool]]] = {
    "memory": gpu_readings.memory,
    "matmul": gpu_timing.matmul,
    "resnet": gpu_timing.resnet_part,
    "graph": gpu_timing.graph,
    "events": gpu_timing.events,
    "oom": gpu_readings.oom,
    "energy": gpu_readings.energy,
    **{part: suite(part) for part in gpu_sessions.PARTS},
}


def main() -> int:
    """Run the parts that were asked for; how many missed their bound."""
    parser = argparse.ArgumentParser(description="Hold the GPU half to its figures.")
    parser.add_argument("parts", nargs="+", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--short", action="store_true", help="see that it runs")
    parser.add_argument("--minutes", type=float, default=60.0, help="begin no session after so many of the call")
    given = parser.parse_args()
    bench = Bench(short=given.short, minutes=given.minutes)
    print(f"on {bench.device.name} ({bench.device.slug}), driver {bench.device.facts.get('gpu driver')}")
    missed = 0
    # Those that run pytest come first: this process must not hold a context on the GPU beside them. Then the one that
    # looks at the context.
    for part in sorted(given.parts, key=lambda part: (part not in gpu_sessions.PARTS, part != "memory")):
        begun = time.monotonic()
        good = tried(part, bench)
        missed += not good
        print(f"{part}: {'held' if good else 'MISSED'} ({time.monotonic() - begun:.0f} s)", flush=True)
    return missed


if __name__ == "__main__":
    raise SystemExit(main())
