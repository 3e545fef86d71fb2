"""Whole runs of pytest that ask for the device's time, a cold cache, memory, or more than there is, on stand-ins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.gpu_device.nvml_stand_in import Board, State
from tests.gpu_device.test_suite import CONFTEST, Suite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STREAMS = """
import os
from pytest_infer import on_gpu
from pytest_infer.device import memory

class Mark:
    def ms_since(self, earlier):
        return 2.0 * (1 + 9 * ("COLD" in os.environ))

class Stream:
    timed_by, handle = "a stand-in", 7
    def event(self): return Mark()
    def record(self, event): pass
    def synchronize(self): pass
    def flush(self): return lambda: os.environ.setdefault("COLD", "1")

class Cuda:
    name = "a stand-in"
    def stream(self): return Stream()
    def synchronize(self): pass

on_gpu.computes_here = lambda: True
on_gpu.try_cuda = lambda device: (Cuda(), "")
memory.wake = lambda: False
"""

TESTS = """
import pytest

def work():
    return sum(range(5_000))

@pytest.mark.infer(model=work, max_device_ms=3, gate=("device", "latency"))
def test_within(infer_engine): pass

@pytest.mark.infer(model=work, max_device_ms=1)
def test_over(infer_engine): pass

@pytest.mark.infer(model=work, options={"cold_l2": True})
def test_cold(infer_engine): pass

@pytest.mark.infer(model=work, options={"cold_l2": False})
def test_warm(infer_engine): pass

@pytest.mark.infer(model=work, options={"cold_l2": "yes"})
def test_wrong(infer_engine): pass
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, elsewhere: Path) -> Suite:
    """A suite on a GPU whose streams are stood in for: every work takes 2 ms there, a cold one 20."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.delenv("COLD", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(elsewhere / "cache"))
    made = Suite(pytester)
    pytester.makeconftest(CONFTEST + STREAMS)
    pytester.makepyfile(test_it=TESTS)
    return made


def test_budget_gate_and_report(suite: Suite, share: Callable[..., Path]) -> None:
    """The metric `device` is held against its budget and its baseline; what it is bound by stands beside it."""
    share()
    done = suite.run("--infer-gpu=0", "-k", "within or over", "--infer-confirm=1")
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*device 2 ms is above the budget max_device_ms=1*"])
    done.stdout.fnmatch_lines(["*test_within: no_baseline*device 2 ms*"])
    result = suite.results()["test_within"]
    assert result["metrics"]["device"] == 2
    state = result["device_state"]
    assert (state["device_ms"], state["timed_by"], state["launches_a_mark"]) == (2, "a stand-in", 1)
    assert state["bound"] == "device"
    assert state["enqueue_ms"] < 2
    assert suite.run("--infer-gpu=0", "-k", "within", "--infer-update-baselines", "--infer-runs=2").ret == 0
    suite.run("--infer-gpu=0", "-k", "within", "--infer-isolate=never")
    assert {change["metric"] for change in suite.results()["test_within"]["changes"]} >= {"device"}


def test_a_cold_cache_is_another_workload(suite: Suite, share: Callable[..., Path]) -> None:
    """It is in the identity, so that cold is never compared with warm; a warm one is what is always meant."""
    share()
    done = suite.run("--infer-gpu=0", "-k", "cold or warm or wrong or within")
    done.stdout.fnmatch_lines(["*options={'cold_l2': 'yes'}: True or False is needed*"])
    results = suite.results()
    assert results["test_cold"]["workload"]["options"] == {"cold_l2": True}
    assert results["test_warm"]["workload"]["options"] == results["test_within"]["workload"]["options"] == {}
    assert results["test_cold"]["metrics"]["device"] == 20, "the flush came before"


def test_the_cpu_has_neither(suite: Suite) -> None:
    """Both are errors of the setup that say so."""
    done = suite.run("-k", "cold or over")
    done.assert_outcomes(errors=2)
    done.stdout.fnmatch_lines(["*the metric 'device' can't be measured on a CPU*"])
    done.stdout.fnmatch_lines(
        ["*cold_l2': True}: that flushes a GPU's L2 cache, and this is *; choose a GPU with --infer-gpu, or drop it*"]
    )


def test_nothing_to_hand_a_stream_to(suite: Suite, share: Callable[..., Path]) -> None:
    """A callable of neither CuPy nor PyTorch has a latency, and no device time under that name."""
    share()
    (suite.path / "conftest.py").write_text(CONFTEST + STREAMS + "on_gpu.computes_here = lambda: False\n")
    done = suite.run("--infer-gpu=0", "-k", "over or warm or cold")
    done.assert_outcomes(passed=1, failed=2)
    done.stdout.fnmatch_lines(
        ["*the metric 'device' can't be measured here (NVIDIA H200): nothing in it is CuPy's or PyTorch's*"]
    )
    done.stdout.fnmatch_lines(["*the L2 cache can't be flushed here (NVIDIA H200): nothing in it is CuPy's*"])
    result = suite.results()["test_warm"]
    assert "device" not in result["metrics"]
    assert "bound" not in result["device_state"]


def test_who_told_the_memory(suite: Suite, share: Callable[..., Path]) -> None:
    """With the metric stands whose figure it is, and whether the context's part is known."""
    share(Board(script=(State(processes=((0, 10**9),)),)))
    (suite.path / "test_it.py").write_text(TESTS.replace("max_device_ms=1", "max_device_memory_mb=5000"))
    suite.run("--infer-gpu=0", "-k", "over")
    result = suite.results()["test_over"]
    assert result["metrics"]["device_memory"] == 1000
    assert result["device_state"]["device_memory_by"] == "NVML, of this process, its CUDA context included"


def test_out_of_memory_is_a_result(suite: Suite, share: Callable[..., Path]) -> None:
    """That test fails with batch, needed and free memory; the ones behind it go on."""
    share(Board(script=(State(processes=((0, 40 * 2**30),)),), total_mib=2**17))
    source = """
import pytest

def work():
    return sum(range(5_000))

def greedy():
    raise RuntimeError("CUDA out of memory. Tried to allocate 200.00 GiB.")

@pytest.mark.infer(model=greedy, batch=512)
def test_one(infer_engine): pass

@pytest.mark.infer(model=work)
def test_two(infer_engine): pass
"""
    (suite.path / "test_it.py").write_text(source)
    done = suite.run("--infer-gpu=0")
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(
        ["*greedy callable: the GPU's memory ran out; batch 512; the request that failed: 214,748 MB; free 94,489 of *"]
    )
    assert suite.results()["test_two"]["outcome"] == "no_baseline"
