"""The gate on a real machine, end to end: the same code again and again, then one network made slower.

Records baselines of the examples (the recordings are spread evenly over the sessions), runs pytest over them and
counts failures; runs one network's test alone, makes the network slower, by the least whole factor that is beyond what
that test's verdict just said it could see, and counts how often that is found; and at the end compares the time of runs
with the gate and without it, in turn.
Usage: python tests/benchmarks/sessions.py [--sessions 20] [--records 3] [--slow ResNet50] [--store DIR]
[-- ARGUMENTS OF PYTEST]
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.report.json_report import read

if TYPE_CHECKING:
    from pytest_infer.report.json_report import JsonReport


class Bench:
    """Sessions of pytest over the examples, against one store of baselines."""

    def __init__(self, folder: Path, store: Path, arguments: list[str]) -> None:
        """Keep baselines in `store`, and every report beside it; `arguments` go to every pytest."""
        self._folder = folder
        self._kept = store.parent / f"{store.name}-reports"
        self._kept.mkdir(exist_ok=True)
        self._arguments = ["examples", "-q", "-p", "no:cacheprovider", f"--infer-baselines={store}", *arguments]

    def run(self, *more: str) -> tuple[JsonReport, float]:
        """One session; its report and how long it took."""
        path = self._folder / "report.json"
        begun = time.monotonic()
        command = [sys.executable, "-m", "pytest", *self._arguments, *more, f"--infer-report={path}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - begun
        last = done.stdout.rstrip().rpartition("\n")[2]
        if not path.exists() or " error" in last:  # a test that could not be measured is no test that passed
            raise SystemExit(done.stdout + done.stderr)
        report = read(path)
        path.rename(self._kept / f"{time.time_ns()}.json")
        return report, seconds


def outcomes(report: JsonReport) -> str:
    """Counts by outcome."""
    counts = collections.Counter(str(result.outcome) for result in report.results)
    return ", ".join(f"{n} {word}" for word, n in sorted(counts.items()))


@dataclasses.dataclass
class Tally:
    """What the sessions came to so far."""

    sessions: int = 0
    failures: int = 0
    detectable: list[float] = dataclasses.field(default_factory=list)
    slowed: int = 0
    found: int = 0
    silent: int = 0

    def same_code(self, bench: Bench) -> None:
        """Run once more on the same code: every failure is a false alarm."""
        report, seconds = bench.run()
        failed = [f"{r.nodeid} {'; '.join(r.reasons)}" for r in report.results if r.failed]
        self.sessions += 1
        self.failures += len(failed)
        changes = [r.change for r in report.results if r.change is not None]
        self.detectable += [change.detectable for change in changes if change.detectable is not None]
        print(f"same code, session {self.sessions}: {outcomes(report)} ({seconds:.0f} s) {failed or ''}", flush=True)

    def slower(self, bench: Bench, network: str) -> None:
        """Slow the network by more than is detectable: it is found, or its pass carries what it could have seen."""
        alone = ("-k", f"{network.lower()} and fp32-b1")  # as it is asked afterwards: no other tests tell of a shift
        detectable = stated(bench.run(*alone)[0], network)
        if detectable == math.inf:
            print(f"{network}: detectable is more than tenfold, nothing to be found")
            return
        times = math.floor(1 + detectable) + 1
        report, _ = bench.run(f"--vision-slowdown={network}:{times}", *alone)
        for result in report.results:
            self.slowed += 1
            self.found += result.failed
            self.silent += not result.failed and (result.change is None or result.change.detectable is None)
            told = "; ".join(result.reasons)
            print(
                f"{network}, {times} times as slow, detectable {detectable:+.0%}: {result.outcome} {told}", flush=True
            )


def stated(report: JsonReport, network: str) -> float:
    """What the network's test could have seen, by its verdict; infinite where that is more than can be said."""
    change = next(r.change for r in report.results if f"test_{network.lower()}[fp32-b1]" in r.nodeid)
    return math.inf if change is None or change.detectable is None else change.detectable


def overhead(bench: Bench, pairs: int) -> None:
    """What comparing costs over measuring alone, in turn."""
    ratios = []
    for pair in range(pairs):
        modes = ("off", "compare") if pair % 2 else ("compare", "off")
        times = {mode: bench.run(f"--infer-baseline-mode={mode}", "-k", "squeezenet or digits")[1] for mode in modes}
        ratios.append(times["compare"] / times["off"])
    print(f"a run with the gate takes {statistics.median(ratios):.3f} of one without ({pairs} pairs)")


def main() -> None:
    """Run the three parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--records", type=int, default=3)
    parser.add_argument("--slow", default="ResNet50")
    parser.add_argument("--store", type=Path, help="baselines to use and to add to, instead of fresh ones")
    parser.add_argument("arguments", nargs="*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), options.store or Path(name) / "store", options.arguments)
        tally = Tally()
        for number in range(options.sessions):
            if options.records and number % -(-options.sessions // options.records) == 0:
                report, seconds = bench.run("--infer-update-baselines")
                print(f"recorded a session: {outcomes(report)} ({seconds:.0f} s)", flush=True)
            tally.same_code(bench)
            tally.slower(bench, options.slow)
        print(f"same code: {tally.failures} failures in {tally.sessions} sessions")
        print(f"detectable change: median {statistics.median(tally.detectable):+.0%}")
        print(f"{options.slow}: found in {tally.found} of {tally.slowed}, silent passes {tally.silent}")
        overhead(bench, max(2, options.sessions // 4))


if __name__ == "__main__":
    main()
