"""The parts of `gpu.py` that run pytest: unchanged code, a little more work, and somebody else on the GPU."""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from pytest_infer.device.cuda import driver_memory

ROOT: Final = Path(__file__).parents[2]
SESSIONS: Final = 20
RECORDED: Final = 3
NEEDED: Final = 19
PARTS: Final = ("sessions", "added-work", "competitor")
REFUSED: Final = frozenset({"invalid", "inaccurate", "over_budget", "regressed", "inconclusive"})
"""What a recording does not save."""
JUDGED: Final = 0.9
"""The share of verdicts on unchanged code that must say something: a gate that judges nothing fails nothing, too."""

TESTS: Final = """
import json
from pathlib import Path

import cupy
import pytest

MORE = json.loads(Path(__file__).with_name("work.json").read_text())
A, B = (cupy.random.default_rng(seed).standard_normal((4096, 4096), dtype=cupy.float32).astype(cupy.float16)
        for seed in (0, 1))
LONG = cupy.zeros(2**26, cupy.float32)

def products():
    for _ in range(100 + MORE):
        found = A @ B
    return found

def sums():
    for _ in range(100 + MORE):
        found = LONG + 1
    return found

@pytest.mark.infer(model=products, gate=("device", "latency"))
def test_products(infer_engine): pass

@pytest.mark.infer(model=sums, gate=("device", "latency"))
def test_sums(infer_engine): pass
"""
"""100 pieces of work, so that three more are 3 %: of the matrix units in the one, of the memory in the other."""

COMPETITOR: Final = """
import cupy
a = cupy.ones((8192, 8192), cupy.float16)
print("ready", flush=True)
while True:
    a @ a
    cupy.cuda.Device().synchronize()
"""


class Project:
    """A small suite, its baselines, and the sessions that were run over it."""

    def __init__(self, folder: Path, *, short: bool) -> None:
        """Keep everything in `folder`, so that what is there is not done again."""
        self.folder = folder / ("short" if short else "project")
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "test_gpu.py").write_text(TESTS)
        (self.folder / "pytest.ini").write_text("[pytest]\n")
        self._lines = self.folder / "sessions.jsonl"
        self._short = short

    def session(self, *more: str, work: int = 0) -> list[dict[str, Any]]:
        """One pytest over it; its results."""
        (self.folder / "work.json").write_text(json.dumps(work))
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        known = {point.name for point in importlib.metadata.entry_points(group="pytest11")}
        plugin = [] if "infer" in known else ["-p", "pytest_infer.plugin"]
        seconds = "0.2" if self._short else "0.5"
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", *plugin, "-q", "-p", "no:cacheprovider", "--infer-gpu=0"),
                *(f"--infer-time={seconds}", "--infer-max-time=20", f"--infer-report={report}", *more),
            ],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
            capture_output=True,
            text=True,
            check=False,
        )
        if not report.exists():
            raise SystemExit(done.stdout + done.stderr)
        found: list[dict[str, Any]] = json.loads(report.read_text())["results"]
        if len(found) != TESTS.count("def test_"):
            raise SystemExit(done.stdout + done.stderr)
        return found

    def record(self, until: float) -> bool:
        """Record what is missing of the baseline's sessions; false where time ran out."""
        left = 3
        while len(self.done("record")) < (1 if self._short else RECORDED):
            if time.monotonic() > until:
                return False
            runs = "--infer-runs=2" if self._short else "--infer-runs=4"
            results = self.session("--infer-update-baselines", runs)
            if refused := [result for result in results if result["outcome"] in REFUSED]:
                told = f"not recorded: {_name(refused[0])} is {refused[0]['outcome']}: {refused[0]['reasons']}"
                left -= 1
                if not left:
                    raise SystemExit(told)
                print(told, flush=True)
                continue
            self.note("record", results)
        return True

    def note(self, part: str, results: list[dict[str, Any]]) -> None:
        """Append a session's line."""
        kept = [
            {
                "test": result["nodeid"].partition("::")[2],
                "outcome": result["outcome"],
                "reasons": result["reasons"],
                "metrics": result["metrics"],
                "device_state": result["device_state"],
            }
            for result in results
        ]
        with self._lines.open("a") as file:
            file.write(json.dumps({"part": part, "at": time.time(), "results": kept}) + "\n")

    def done(self, part: str) -> list[list[dict[str, Any]]]:
        """The sessions of a part that there are."""
        if not self._lines.exists():
            return []
        lines = [json.loads(line) for line in self._lines.read_text().splitlines()]
        return [line["results"] for line in lines if line["part"] == part]


def run(part: str, folder: Path, *, short: bool, until: float) -> bool:
    """Run a part, or carry it on, `until` then on the monotonic clock; whether it holds what it is held to."""
    if driver_memory() is not None:
        raise SystemExit(f"{part}: this process holds a CUDA context, a stranger to the runs; call it by itself")
    project = Project(folder, short=short)
    if not project.record(until):
        print(f"{part}: no time was left for it; call it again")
        return False
    if part == "competitor":
        return _competitor(project)
    wanted = 2 if short else SESSIONS
    while len(project.done(part)) < wanted:
        if time.monotonic() > until:
            print(f"{part}: {len(project.done(part))} of {wanted} sessions; call it again")
            return False
        project.note(part, project.session(work=3 if part == "added-work" else 0))
    return (_unchanged if part == "sessions" else _found)(project, wanted)


def _unchanged(project: Project, wanted: int) -> bool:
    """Count failures, and say how far runs spread."""
    results = [result for session in project.done("sessions") for result in session]
    outcomes = [result["outcome"] for result in results]
    failures = outcomes.count("regressed")
    counts = ", ".join(f"{outcomes.count(one)} {one}" for one in sorted(set(outcomes)))
    print(f"sessions: {failures} failures in {wanted} sessions of {len(set(map(_test, results)))} tests ({counts})")
    for test in sorted(set(map(_test, results))):
        for metric in ("device", "latency"):
            logs = [math.log(result["metrics"][metric]) for result in results if _test(result) == test]
            print(
                f"sessions: {test} {metric}: median {math.exp(statistics.median(logs)):.4f} ms, runs spread by "
                f"{100 * statistics.stdev(logs):.2f} % (sd of the logarithm), extremes "
                f"{100 * (max(logs) - min(logs)):.2f} % apart"
            )
    return failures == 0 and outcomes.count("passed") >= JUDGED * len(outcomes)


def _found(project: Project, wanted: int) -> bool:
    """Count what was seen of 3 % more work."""
    results = [result for session in project.done("added-work") for result in session]
    good = True
    for test in sorted(set(map(_test, results))):
        outcomes = [result["outcome"] for result in results if _test(result) == test]
        found = outcomes.count("regressed")
        good &= found >= NEEDED * wanted / SESSIONS
        others = ", ".join(sorted({one for one in outcomes if one != "regressed"}))
        print(f"added-work: {test}: +3 % found in {found} of {wanted} sessions (bound {NEEDED}/{SESSIONS}) {others}")
    return good


def _competitor(project: Project) -> bool:
    """Measure while another process computes; without it the same is judged."""
    if alone := [result for result in project.session() if result["outcome"] == "invalid"]:
        print(f"competitor: invalid without one, too: {_name(alone[0])}: {'; '.join(alone[0]['reasons'])[:200]}")
        return False
    with subprocess.Popen([sys.executable, "-c", COMPETITOR], stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            if other.stdout.readline().strip() != "ready":
                raise SystemExit("competitor: it did not start")
            results = project.session()
        finally:
            other.kill()
    for result in results:
        print(f"competitor: {_name(result)}: {result['outcome']} ({'; '.join(result['reasons'])[:200]})")
    return all(result["outcome"] == "invalid" for result in results)


def _test(result: dict[str, Any]) -> str:
    return str(result["test"])


def _name(result: dict[str, Any]) -> str:
    return str(result["nodeid"]).partition("::")[2]
