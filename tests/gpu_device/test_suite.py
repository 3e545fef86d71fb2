"""Whole runs of pytest on GPUs that are stood in for: what users see, and what is recorded."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.device.lock import device_lock
from tests.gpu_device.nvml_stand_in import Board, State

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

A, B = (f"GPU-{letter * 8}-0000-4000-8000-000000000000" for letter in "ab")
STRANGER = 4_194_303

CONFTEST = """
from pytest_infer.device import cpu_state, cuda, lock
from pytest_infer.stats import repeats

repeats.TENFOLD = float("inf")  # no verdict of these tests depends on how far apart such short runs lie
cpu_state.read_cpu_state = lambda *_: cpu_state.CpuState()  # what the machine's neighbours do changes no verdict
cuda._library = lambda: None  # and no GPU that it may have is asked
lock.PATIENCE_S = 0
"""

TESTS = """
import os
import pytest

def work():
    return sum(range(5_000))

@pytest.mark.infer(model=work)
def test_one(infer_engine):
    print("on", os.environ["CUDA_VISIBLE_DEVICES"], "in", os.getpid())

@pytest.mark.infer(model=work, batch=[1, 2])
@pytest.mark.parametrize("size", ["gpu0"])
def test_two(infer_engine, size): pass
"""


class Suite:
    """A user's tests, and what came of running them."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        """Write them."""
        self._pytester = pytester
        pytester.makeconftest(CONFTEST)
        pytester.makepyfile(test_it=TESTS)

    @property
    def path(self) -> Path:
        """The suite's folder."""
        return self._pytester.path

    def arguments(self, *args: str) -> list[str]:
        """The shortest measurements: no verdict of these tests depends on a time."""
        short = ("--infer-time=0.01", "--infer-max-time=0.3", "--infer-runs=2", "--infer-confirm=2")
        plugins = ("-p", "no:randomly", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")
        return [*plugins, *short, "--infer-report=report.json", *args]

    def run(self, *args: str) -> pytest.RunResult:
        """Run pytest in a process of its own."""
        return self._pytester.runpytest_subprocess(*self.arguments(*args), timeout=120)

    def results(self) -> dict[str, dict[str, Any]]:
        """The results of the last run by test."""
        return {result["nodeid"].partition("::")[2]: result for result in self.report()["results"]}

    def report(self) -> dict[str, Any]:
        """The last run's report."""
        content: dict[str, Any] = json.loads((self.path / "report.json").read_text())
        return content

    def baseline(self) -> dict[str, Any]:
        """The one baseline file."""
        (path,) = (self.path / "baselines").rglob("*.json")
        content: dict[str, Any] = json.loads(path.read_text())
        return content


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, elsewhere: Path) -> Suite:
    """A suite that waits for nobody else's device."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(elsewhere / "cache"))
    return Suite(pytester)


# --- choosing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "board", "told"),
    [
        (["--infer-gpu=1"], Board(), f"--infer-gpu=1: there is no GPU 1; there is 0 ({A})"),
        (["--infer-gpu=0"], Board(compute_mode="PROHIBITED"), f"--infer-gpu=0: {A} is in compute mode Prohibited"),
        (
            ["--infer-gpu=0"],
            Board(compute_mode="EXCLUSIVE_PROCESS", script=(State(processes=((STRANGER, 1),)),)),
            f"--infer-gpu=0: {A} is in exclusive mode and held by process {STRANGER}",
        ),
        (
            ["--infer-gpu=0", "--infer-against=HEAD"],
            Board(compute_mode="EXCLUSIVE_PROCESS"),
            "--infer-against: this GPU takes one process at a time",
        ),
        (["--infer-gpu=0", "--infer-lock-clocks=1"], Board(), f"--infer-lock-clocks=1: {A} has no such clock"),
    ],
)
def test_what_can_t_be_measured_on(
    suite: Suite, share: Callable[..., Path], options: list[str], board: Board, told: str
) -> None:
    """Status 4 and one line, before anything runs."""
    share(board)
    done = suite.run(*options)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in done.errlines if line.strip()]
    assert line.startswith(f"ERROR: {told}")


def test_a_run_on_one_gpu(suite: Suite, share: Callable[..., Path]) -> None:
    """By the second one's number: CUDA sees it alone; the report has who it is and what it did."""
    share(Board(uuid=A, name="NVIDIA L4"), Board(uuid=B))
    done = suite.run("--infer-gpu=1", "-s")
    assert done.ret == 0
    assert any(line.startswith(f"on {B} in") or f" on {B} in" in line for line in done.outlines), done.outlines
    report = suite.report()
    assert report["device"] == {
        "slug": "gpu-nvidia-h200-140gb", "kind": "gpu",
        "name": "NVIDIA H200", "memory_gib": 140, "compute_capability": "9.0",
    }  # fmt: skip
    assert report["environment"]["gpu driver"] == "580.159.04"
    assert report["environment"]["gpu clocks"] == "not locked"
    result = suite.results()["test_one"]
    assert (result["outcome"], result["device"]) == ("no_baseline", "gpu-nvidia-h200-140gb")
    state = result["device_state"]
    assert (state["uuid"], state["sm_mhz"], state["temperature_c"], state["clocks"]) == (B, 1980, 50, "not locked")


def test_one_process_at_a_time(suite: Suite, share: Callable[..., Path]) -> None:
    """On a GPU in exclusive mode the suite's process leaves the GPU to a fresh one, whose memory a budget can hold."""
    board = Board(compute_mode="EXCLUSIVE_PROCESS", script=(State(), State(processes=((0, 10**9),))))
    share(board)
    source = TESTS.replace("model=work)", "model=work, max_device_memory_mb=500)")
    (suite.path / "test_it.py").write_text(source)
    header = "import os\ndef pytest_report_header(): return f'the suite is in {os.getpid()}'\n"
    (suite.path / "conftest.py").write_text(CONFTEST + header)
    done = suite.run("--infer-gpu=0", "-s", "-k", "test_one", "--infer-confirm=1")
    (own,) = [line.rpartition(" ")[2] for line in done.outlines if line.startswith("the suite is in")]
    (body,) = [line.rpartition(" ")[2] for line in done.outlines if f"on {A} in" in line]
    assert body != own
    done.stdout.fnmatch_lines(["*device_memory 1000 MB is above the budget max_device_memory_mb=500*"])


# --- disturbance -----------------------------------------------------------------------------------------------------


def test_a_stranger_makes_it_invalid(suite: Suite, share: Callable[..., Path]) -> None:
    """In the suite's process and in fresh ones: not judged, not stored, told; with --infer-strict it fails."""
    share(Board(script=(State(processes=((STRANGER, 1), (0, 10**9))),)))
    done = suite.run("--infer-gpu=0", "-k", "test_one")
    assert done.ret == 0
    assert suite.results()["test_one"]["outcome"] == "invalid"
    done.stdout.fnmatch_lines([f"*another process computed on the GPU: {STRANGER}*"])
    done = suite.run("--infer-gpu=0", "-k", "test_one", "--infer-update-baselines", "--infer-runs=1", "--infer-strict")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*0 saved to *1 refused: test_it.py::test_one (invalid)*"])


def test_a_lost_gpu_is_an_error(suite: Suite, share: Callable[..., Path]) -> None:
    """The test fails with that as the reason."""
    share(Board(script=(State(), State(), State(lost=True))))
    done = suite.run("--infer-gpu=0", "-k", "test_one")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*a GPU no longer answers its driver (GPU is lost)*"])


# --- clocks ----------------------------------------------------------------------------------------------------------


def test_locked_and_unlocked_are_told_apart(suite: Suite, share: Callable[..., Path]) -> None:
    """What was recorded with locked clocks and is compared without says so, also where all passed."""
    log = share()
    options = ("--infer-gpu=0", "-k", "test_one")
    assert suite.run(*options, "--infer-update-baselines", "--infer-runs=1", "--infer-lock-clocks=1500").ret == 0
    noted = log.read_text().splitlines()
    assert noted == [f"lock {A} 1500 1500", f"reset {A}"] * (len(noted) // 2)
    assert len(noted) == 4, "once to know, once for the run"
    (session,) = suite.baseline()["sessions"].values()
    assert session["environment"]["gpu clocks"] == "locked at 1500 MHz"
    done = suite.run(*options, "--infer-isolate=never")
    done.stdout.fnmatch_lines(
        ["1 result(s) compared across clock settings (gpu clocks: locked at 1500 MHz → not locked): *"]
    )
    assert len(log.read_text().splitlines()) == len(noted)


def test_without_the_right_to_lock(suite: Suite, share: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A line in the summary, the fact in the report; the run goes on and no warning is raised."""
    log = share(Board(forbids=("nvmlDeviceSetGpuLockedClocks",)))
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    done = suite.run("--infer-gpu=0", "-q", "-k", "test_one", "--infer-lock-clocks=auto", "-W", "error")
    assert done.ret == 0
    done.stdout.fnmatch_lines(
        ["--infer-lock-clocks: not locked (Insufficient Permissions); 1 result(s) are of a GPU *"]
    )
    assert suite.report()["environment"]["gpu clocks"] == "not locked"
    assert suite.results()["test_one"]["device_state"]["clocks"] == "not locked (Insufficient Permissions)"
    assert log.read_text() == ""


# --- several ---------------------------------------------------------------------------------------------------------


def test_several_gpus_multiply_the_tests(suite: Suite, share: Callable[..., Path]) -> None:
    """Each test once on each, in a process that sees it alone; baselines and workers know the test without its GPU."""
    share(Board(uuid=A), Board(uuid=B))
    done = suite.run("--infer-gpu=all", "--collect-only", "-q")
    assert [line.partition("::")[2] for line in done.outlines if "::" in line] == [
        "test_one[gpu0]", "test_one[gpu1]",
        "test_two[gpu0-b1-gpu0]", "test_two[gpu0-b2-gpu0]", "test_two[gpu1-b1-gpu0]", "test_two[gpu1-b2-gpu0]",
    ]  # fmt: skip
    options = ("--infer-gpu=all", "-k", "b2")
    assert suite.run(*options, "--infer-update-baselines", "--infer-runs=1").ret == 0
    ((key, entry),) = suite.baseline()["entries"].items()
    assert key.split()[0] == "test_two[b2-gpu0]"
    assert [run["device_state"]["uuid"] for run in entry["runs"]] == [A, B]
    assert {name: result["device_state"]["uuid"] for name, result in suite.results().items()} == {
        "test_two[gpu0-b2-gpu0]": A, "test_two[gpu1-b2-gpu0]": B,
    }  # fmt: skip
    suite.run("--infer-gpu=1", "-k", "b2", "--infer-isolate=never")
    assert suite.results()["test_two[b2-gpu0]"]["change"] is not None, "compared with what both recorded"


def test_several_gpus_need_processes(suite: Suite, share: Callable[..., Path]) -> None:
    """In one process alone they can't be told apart: the tests say so."""
    share(Board(uuid=A), Board(uuid=B))
    done = suite.run("--infer-gpu=0,1", "--infer-isolate=never", "-k", "test_one")
    done.assert_outcomes(errors=2)
    done.stdout.fnmatch_lines(["*several GPUs need a process each: drop --infer-isolate=never*"])


def test_xdist_shares_them_out(suite: Suite, share: Callable[..., Path]) -> None:
    """Tests keep their ids, and each worker has one GPU."""
    pytest.importorskip("xdist")
    share(Board(uuid=A), Board(uuid=B))
    done = suite.run("--infer-gpu=0,1", "-n2", "--infer-isolate=never")
    assert done.ret == 0
    assert set(suite.results()) == {"test_one", "test_two[b1-gpu0]", "test_two[b2-gpu0]"}
    assert {r["device_state"]["uuid"] for r in suite.results().values()} == {A, B}


# --- waiting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("-n1",)])
def test_who_holds_the_gpu_is_told(
    suite: Suite, share: Callable[..., Path], elsewhere: Path, options: tuple[str, ...]
) -> None:
    """Also in a log that nobody looks at, also by xdist's workers: one line, however many tests wait."""
    if options:
        pytest.importorskip("xdist")
    share()
    with device_lock(A, folder=elsewhere / "pytest-infer-locks", waiting=pytest.fail):
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *suite.arguments("--infer-gpu=0", *options)],
            cwd=suite.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        line = next(line for line in process.stdout if "waiting for the device" in line)
    rest, _ = process.communicate()
    assert f"waiting for the device {A}, held by process" in line
    assert "waiting for the device" not in rest
    assert process.returncode == 0, rest
