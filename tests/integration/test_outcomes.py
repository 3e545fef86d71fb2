"""Verdicts that need no baseline, and what --infer-strict and --infer-baseline-mode make of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import Suite


def test_over_budget(suite: Suite) -> None:
    """A budget that is broken beyond doubt fails the call, with figure and budget; one that is kept does not."""
    suite.write("""
        import pytest

        infer = pytest.mark.infer
        pytestmark = infer(model="models/linear.onnx")

        @infer(max_latency_ms=1e-9)
        def test_latency(infer_engine): pass

        @infer(min_throughput=1e15)
        def test_throughput(infer_engine): pass

        @infer(max_engine_mb=1e-9, max_latency_ms=1e9)
        def test_size(infer_engine): pass

        @infer(min_speedup_over={"fp32": 1e9})
        def test_speedup(infer_engine): pass

        @infer(
            max_latency_ms=1e9, max_p90_latency_ms=1e9, max_p95_latency_ms=1e9, max_p99_latency_ms=1e9,
            min_throughput=1e-9, max_build_s=1e9, max_load_ms=1e9, max_engine_mb=1e9,
            min_speedup_over={"fp32": 1e-9},
        )
        def test_kept(infer_engine): pass
    """)
    done = suite.run()
    assert done.ret == 1
    cases = suite.cases()
    assert {name: case.status for name, case in cases.items()} == {
        "test_latency": "failed", "test_throughput": "failed", "test_size": "failed", "test_speedup": "failed",
        "test_kept": "passed",
    }  # fmt: skip
    text = cases["test_latency"].text
    assert "over_budget: test_it.py::test_latency\n" in text
    assert " is above the budget max_latency_ms=1e-09" in text
    assert "measured: latency " in text
    assert "to accept it: raise the budget in the test's marker" in text
    assert "Traceback" not in text
    assert " is below the budget min_throughput=1e+15" in cases["test_throughput"].text
    assert " is above the budget max_engine_mb=1e-09" in cases["test_size"].text
    assert " is below the budget min_speedup_over[fp32]=1e+09" in cases["test_speedup"].text
    assert cases["test_kept"].properties.keys() >= {
        "infer_outcome", "infer_latency_ms", "infer_p99_latency_ms", "infer_throughput_samples_per_s", "infer_build_s",
        "infer_load_ms", "infer_engine_size_mb", "infer_speedup_over_fp32_ratio", "infer_cosine",
    }  # fmt: skip
    done.stdout.fnmatch_lines(
        ["*= infer =*", "device: cpu-*", "test_it.py::test_latency: over_budget  p50 * ms*detectable*"]
    )


def test_not_finite(suite: Suite) -> None:
    """Outputs that hold NaN are inaccurate before anything else is said, and the message says where they are."""
    suite.write("""
        import numpy as np
        import pytest

        X = np.float32([[1, 4, 9], [1, -4, -9]])

        @pytest.mark.infer(model="models/root.onnx", batch=2, max_latency_ms=1e-9, min_cosine=0.9)
        def test_nan(infer_engine):
            assert infer_engine(X).shape == (2, 3)
    """)
    done = suite.run()
    assert done.ret == 1
    case = suite.cases()["test_nan"]
    assert case.message.startswith("Failed: inaccurate: test_it.py::test_nan")
    assert "output 'y': 2 of 6 values not finite, first nan at [1, 1]" in case.text
    assert case.properties["infer_outcome"] == "inaccurate"
    assert "over_budget" not in case.text


def test_baseline_modes(suite: Suite) -> None:
    """A test without a baseline passes and says so; fails with the command under require; is not asked under off."""
    suite.write("""
        import pytest

        @pytest.mark.infer(model=sum, inputs=([1, 2],))
        def test_it(infer_engine): pass
    """)
    done = suite.run("-q")
    assert done.ret == 0
    assert suite.outcomes() == {"test_it": "no_baseline"}
    done.stdout.fnmatch_lines(["test_it.py::test_it: no_baseline  p50 * ms *detectable: no baseline"])
    assert suite.run("--infer-baseline-mode=require").ret == 1
    text = suite.cases()["test_it"].text
    assert "no_baseline: test_it.py::test_it" in text
    assert "to record one: pytest test_it.py::test_it --infer-update-baselines" in text
    assert suite.run("--infer-baseline-mode=off").ret == 0
    assert suite.outcomes() == {"test_it": "passed"}


@pytest.mark.parametrize("strict", [False, True])
def test_invalid(suite: Suite, *, strict: bool) -> None:
    """Measured under a tracer, a profiler or on a machine that was taken away: invalid, named; --infer-strict fails."""
    suite.conftest("""
import itertools
import sys

import pytest

stolen = itertools.count(step=500)

@pytest.fixture
def thief(monkeypatch):
    from pytest_infer import measuring

    def read(*_):
        taken = next(stolen)
        return cpu_state.CpuState(total_ticks=2 * taken, steal_ticks=taken)

    monkeypatch.setattr(measuring, "read_cpu_state", read)

def my_tracer(*_): return None

@pytest.fixture
def tracer():
    sys.settrace(my_tracer)
    yield
    sys.settrace(None)

@pytest.fixture
def profiler():
    sys.setprofile(my_tracer)
    yield
    sys.setprofile(None)
""")
    suite.write("""
        import pytest

        pytestmark = pytest.mark.infer(model=sum, inputs=([1, 2],))

        def test_traced(infer_engine, tracer): pass
        def test_profiled(infer_engine, profiler): pass
        def test_stolen(infer_engine, thief): pass
        def test_sound(infer_engine): pass
    """)
    done = suite.run(*["--infer-strict"] * strict)
    assert suite.outcomes() == {
        "test_traced": "invalid", "test_profiled": "invalid", "test_stolen": "invalid", "test_sound": "no_baseline"
    }  # fmt: skip
    statuses = {case.status for name, case in suite.cases().items() if name != "test_sound"}
    assert statuses == {"failed" if strict else "passed"}
    assert done.ret == int(strict)
    told = {name: " ".join(result.reasons) for name, result in suite.results().items()}
    assert "a trace function is set (conftest: my_tracer)" in told["test_traced"]
    assert "a profile function is set (conftest: my_tracer)" in told["test_profiled"]
    assert "the hypervisor took 50% of the CPU time" in told["test_stolen"]
    if not strict:
        done.stdout.fnmatch_lines(["*test_traced: invalid *", "* a trace function is set *", "*3 invalid*"])
