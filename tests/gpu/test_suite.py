"""Whole runs of pytest on a real GPU: the device's time in a report, memory that ends, another process beside it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.device.cuda import driver_memory
from pytest_infer.device.processes import ids_are_the_machine_s

if TYPE_CHECKING:
    from pytest_infer.device.fingerprint import Device

pytestmark = pytest.mark.usefixtures("_as_a_user", "device", "_no_context")

SUITE = """
import cupy
import pytest

def products():
    a = cupy.ones((4096, 4096), cupy.float16)
    return lambda: a @ a

PRODUCTS = products()

def product():
    return PRODUCTS()

def greedy():
    return cupy.empty((1 << 42,), cupy.uint8)

@pytest.mark.infer(model=product, gate=("device",), max_device_ms=1000)
def test_product(infer_engine): pass

@pytest.mark.infer(model=product, options={"cold_l2": True})
def test_cold(infer_engine): pass

@pytest.mark.infer(model=greedy, batch=512)
def test_greedy(infer_engine): pass

@pytest.mark.infer(model=product, max_device_memory_mb=100_000, max_energy_mj=1e9)
def test_costs(infer_engine): pass
"""
COMPETITOR = """
import cupy
a = cupy.ones((4096, 4096), cupy.float16)
print("ready", flush=True)
while True:
    a @ a
    cupy.cuda.Device().synchronize()
"""


@pytest.fixture
def _no_context(device: Device) -> None:
    """A context of this process would make it a stranger on the GPU to the runs that it starts."""
    assert device.kind == "gpu"
    if any(importlib.util.find_spec(name) is None for name in ("cupy", "cuda")):
        pytest.skip("CuPy and cuda-core are needed")
    if driver_memory() is not None:
        pytest.skip("this process holds a CUDA context: run this file alone, or first")


def run(pytester: pytest.Pytester, *args: str) -> tuple[pytest.RunResult, dict[str, dict[str, Any]]]:
    """Run the suite; what came of each test."""
    pytester.makepyfile(test_it=SUITE)
    known = {point.name for point in importlib.metadata.entry_points(group="pytest11")}
    plugin = () if "infer" in known else ("-p", "pytest_infer.plugin")
    done = pytester.runpytest_subprocess(
        *plugin, "-p", "no:cacheprovider", "--infer-gpu=0", "--infer-time=0.5", "--infer-report=report.json", *args
    )
    results = json.loads((pytester.path / "report.json").read_text())["results"]
    return done, {result["nodeid"].partition("::")[2]: result for result in results}


def test_the_device_s_time_is_reported(pytester: pytest.Pytester) -> None:
    """With what it is bound by, warm and cold; a test that needs too much fails, and the next one is measured."""
    done, results = run(pytester)
    done.assert_outcomes(passed=3, failed=1)
    done.stdout.fnmatch_lines(["*greedy callable: the GPU's memory ran out; batch 512; *; free *"])
    assert "invalid" not in {result["outcome"] for result in results.values()}
    product = results["test_product"]
    assert 0 < product["metrics"]["device"] < product["metrics"]["latency"]
    assert product["device_state"]["timed_by"] == "CUDA events"
    assert product["device_state"]["bound"] in {"host", "device"}
    assert results["test_cold"]["workload"]["options"] == {"cold_l2": True}
    assert results["test_costs"]["metrics"]["device_memory"] > 0
    assert results["test_costs"]["device_state"]["device_memory_by"]


def test_a_competitor_makes_it_invalid(pytester: pytest.Pytester, device: Device) -> None:
    """Never a regression: the run is not judged."""
    if "gvisor" in Path("/proc/version").read_text().lower():
        pytest.skip("inside gVisor all processes are one to the driver")
    assert device.uuid
    done, _ = run(pytester, "-k", "product", "--infer-update-baselines", "--infer-runs=2")
    assert done.ret == 0
    with subprocess.Popen([sys.executable, "-c", COMPETITOR], stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline().strip() == "ready"
            done, results = run(pytester, "-k", "product")
        finally:
            other.kill()
    found = results["test_product"]["outcome"]
    assert found == "invalid", f"the processes' ids are {'' if ids_are_the_machine_s() else 'not '}the driver's"
    done.stdout.fnmatch_lines(["*another process computed on the GPU*"])
