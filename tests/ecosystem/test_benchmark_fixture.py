"""A test with pytest-benchmark's `benchmark` under our marker is held to budgets and baselines, wherever it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import Suite

SOURCE = """
import pytest

pytestmark = [pytest.mark.infer, pytest.mark.benchmark(max_time=0.01)]

def work():
    return sum(range(5_000))

def test_called(benchmark):
    assert benchmark(work) == work()

def test_pedantic(benchmark):
    assert benchmark.pedantic(work, rounds=20, warmup_rounds=1) == work()
"""
WORKERS = pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "xdist"])


def test_budgets(suite: Suite) -> None:
    """Its rounds are the measurement; a percentile that they can't tell is an error that says what can be done."""
    suite.write("""
        import pytest

        @pytest.mark.infer(max_latency_ms=1e-9)
        def test_slow(benchmark):
            benchmark.pedantic(sum, args=([1, 2],), rounds=5)

        @pytest.mark.infer(max_p90_latency_ms=100)
        def test_few(benchmark):
            benchmark.pedantic(sum, args=([1, 2],), rounds=5)

        @pytest.mark.infer(max_p90_latency_ms=100)
        def test_means(benchmark):
            benchmark.pedantic(sum, args=([1, 2],), rounds=200, iterations=2)

        @pytest.mark.infer(max_p90_latency_ms=100)
        def test_enough(benchmark):
            benchmark.pedantic(sum, args=([1, 2],), rounds=200)

        @pytest.mark.infer
        def test_one(benchmark):
            benchmark.pedantic(sum, args=([1, 2],))

        @pytest.mark.infer(max_build_s=1)
        def test_cost(benchmark):
            benchmark.pedantic(sum, args=([1, 2],), rounds=5)

        @pytest.mark.infer
        def test_unused(benchmark): pass

        @pytest.mark.infer
        def test_broken(benchmark):
            benchmark(sum, [None])
    """)
    suite.run("--infer-isolate=never")
    assert suite.outcomes() == {"test_slow benchmark": "over_budget", "test_enough benchmark": "no_baseline"}
    cases = suite.cases()
    assert "p90_latency needs 64 rounds of benchmark, it made 5" in cases["test_few"].message
    assert "and a round of benchmark held 2: use benchmark.pedantic(..., iterations=1)" in cases["test_means"].message
    assert "latency needs 5 rounds of benchmark, it made 1: raise" in cases["test_one"].message
    assert "build can't be told from the benchmark fixture's rounds" in cases["test_cost"].message
    assert "nothing was measured" in cases["test_unused"].message
    assert "unsupported operand" in cases["test_broken"].message


def test_engine(suite: Suite) -> None:
    """With the marker's engine: the measurement has its identity, costs, facts, and its accuracy holds."""
    suite.write("""
        import numpy as np
        import pytest

        X = np.ones((1, 4), np.float32)
        pytestmark = pytest.mark.benchmark(max_time=0.01)

        @pytest.mark.infer(model="models/linear.onnx", batch=1, max_engine_mb=100)
        def test_engine(benchmark, infer_engine):
            benchmark(infer_engine, X)

        @pytest.mark.infer(model="models/linear.onnx", batch=1, reference=lambda x: (np.zeros((1, 3)),), min_cosine=0.9)
        def test_wrong(benchmark, infer_engine):
            benchmark(infer_engine, X)

        @pytest.mark.infer(min_cosine=0.9)
        def test_unknown(benchmark):
            benchmark(sum, [1, 2])
    """)
    suite.run("--infer-isolate=never")
    assert suite.outcomes() == {"test_engine benchmark": "no_baseline", "test_wrong benchmark": "inaccurate"}
    result = suite.results()["test_engine benchmark"]
    assert result.workload["backend"] == "onnxruntime"
    assert result.model_digest
    assert result.facts
    assert result.metrics["engine_size"] > 0
    assert "nothing says what cosine is" in suite.cases()["test_unknown"].message


@WORKERS
def test_baselines(suite: Suite, workers: tuple[str, ...]) -> None:
    """Recorded in fresh processes, screened by its own rounds, confirmed in fresh processes: also under xdist."""
    suite.record(SOURCE)
    for test in ("test_called", "test_pedantic"):
        assert len(suite.entry(test)["runs"]) == 2
        assert suite.entry(test)["runs"][0]["contention"].keys() >= {"pressure", "switches"}
    suite.loosen()
    suite.doctor("test_called", latency_times=1e-12)
    done = suite.run(*workers)
    done.assert_outcomes(passed=1, failed=1)
    assert suite.outcomes() == {"test_called benchmark": "regressed", "test_pedantic benchmark": "passed"}
    change = suite.results()["test_called benchmark"].change
    assert change is not None
    assert change.confirmed == 2
    assert "Benchmarks are automatically disabled" not in done.stdout.str() + done.stderr.str()


def test_recorded_under_xdist(suite: Suite) -> None:
    """The workers of xdist record in fresh processes, too; pytest-benchmark's files are not written by any of them."""
    suite.write(SOURCE)
    done = suite.run(
        "-n2", "--infer-update-baselines", "--benchmark-cprofile=tottime", "--benchmark-cprofile-dump=profile",
        "--benchmark-json=benchmark.json",
    )  # fmt: skip
    assert done.ret == 0
    done.stdout.fnmatch_lines(["baselines: 2 saved to *"])
    assert len(suite.entry("test_called")["runs"]) == 2
    assert list(suite.path.glob("profile*")) == []


def test_alone_on_the_device(suite: Suite) -> None:
    """Its rounds hold the device's lock, once where what they time measures something itself, and then give it back."""
    suite.write("""
        import pytest

        from pytest_infer.device.lock import lock_folder

        def holders():
            return [path.read_text() for path in lock_folder().glob("*.holder")]

        @pytest.mark.infer
        def test_held(benchmark, infer):
            import os

            def timed():
                infer.measure(len, inputs=("a",))
                return holders()

            assert benchmark.pedantic(timed, rounds=5) == [f"process {os.getpid()}"]
            assert holders() == []
    """)
    suite.run("--infer-isolate=never")
    assert suite.cases()["test_held"].status == "passed", suite.cases()["test_held"].text
    assert len(suite.outcomes()) == 6


def test_disturbed(suite: Suite) -> None:
    """A hypervisor that took the CPU while it ran makes it invalid, like any measurement."""
    suite.conftest("""
import itertools

import pytest

@pytest.fixture(autouse=True)
def thief(monkeypatch):
    from pytest_infer import measuring
    from pytest_infer.device import cpu_state

    taken = itertools.count(0, 100)
    monkeypatch.setattr(
        measuring, "read_cpu_state", lambda: cpu_state.CpuState(total_ticks=2 * (n := next(taken)), steal_ticks=n)
    )
""")
    suite.write(SOURCE)
    suite.run("--infer-isolate=never")
    assert set(suite.outcomes().values()) == {"invalid"}
    assert "the hypervisor took 50%" in suite.results()["test_called benchmark"].reasons[0]
