"""`--benchmark-disable`, `--benchmark-only` and `--benchmark-skip` mean to us what they mean to pytest-benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import Suite

SOURCE = """
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.benchmark(max_time=0.01)

def called(name):
    with Path(__file__).with_name("called").open("a") as file:
        file.write(f"{name}\\n")

@pytest.mark.infer(model="models/linear.onnx", batch=1, max_latency_ms=1e-9)
def test_engine(infer_engine):
    assert infer_engine(np.ones((1, 4), np.float32)).shape == (1, 3)

@pytest.mark.infer(max_latency_ms=1e-9)
def test_measure(infer):
    print(infer.measure(called, inputs=("target",)).metrics)

@pytest.mark.infer(max_latency_ms=1e-9)
def test_fixture(benchmark):
    benchmark(called, "benchmark")

@pytest.mark.infer(model=np.abs, inputs=(np.ones(3),), reference=np.negative, max_abs_error=0.5)
def test_wrong(infer_engine): pass

@pytest.mark.infer
def test_nothing(infer): pass

def test_theirs(benchmark):
    benchmark(called, "theirs")

def test_plain(): pass
"""


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "xdist"])
def test_disable(suite: Suite, workers: tuple[str, ...]) -> None:
    """Tests run, each target once; what is computed is checked, nothing is measured or judged, and the run says so."""
    suite.write(SOURCE)
    done = suite.run("--benchmark-disable", "--infer-baseline-mode=require", "-rP", *workers)
    done.assert_outcomes(passed=5, failed=2)
    assert suite.outcomes() == {"test_wrong": "inaccurate"}
    cases = suite.cases()
    assert "max_abs_error 2 is above the budget" in cases["test_wrong"].message
    assert "nothing was measured" in cases["test_nothing"].message
    assert not cases["test_engine"].properties
    assert sorted((suite.path / "called").read_text().split()) == ["benchmark", "target", "theirs"]
    if not workers:  # there is no such line of pytest's under xdist
        done.stdout.fnmatch_lines(["infer: 5 test(s) only run and check what they compute, *(--benchmark-disable)"])


def test_disable_isolated(suite: Suite) -> None:
    """A process of its own measures nothing, either."""
    suite.write(SOURCE)
    done = suite.run("--benchmark-disable", "--infer-isolate=always", "-k", "engine or measure or fixture or wrong")
    done.assert_outcomes(passed=3, failed=1, deselected=3)
    assert suite.outcomes() == {"test_wrong": "inaccurate"}
    assert sorted((suite.path / "called").read_text().split()) == ["benchmark", "target"]


def test_enable(suite: Suite) -> None:
    """`--benchmark-enable` takes a disabling that stands in the ini file back, for ours as well."""
    suite.write(SOURCE)
    (suite.path / "pytest.ini").write_text("[pytest]\naddopts = --benchmark-disable\n")
    suite.run("--benchmark-enable", "--infer-isolate=never", "-k", "engine or fixture")
    assert suite.outcomes() == {"test_engine": "over_budget", "test_fixture benchmark": "over_budget"}


@pytest.mark.parametrize("option", ["--infer-update-baselines", "--infer-against=HEAD"])
def test_contradiction(suite: Suite, option: str) -> None:
    """Nothing can be recorded or compared where nothing is measured: wrong use, which names the way out."""
    suite.write(SOURCE)
    done = suite.run("--benchmark-disable", option)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([f"ERROR: {option.partition('=')[0]} measures, *or add --benchmark-enable"])


def test_only(suite: Suite) -> None:
    """Ours stay, with or without the fixture; what is neither is skipped."""
    suite.write(SOURCE)
    suite.run("--benchmark-only", "--infer-isolate=never")
    statuses = {name: case.status for name, case in suite.cases().items()}
    assert statuses.pop("test_plain") == "skipped"
    assert "skipped" not in statuses.values()
    assert {"test_engine", "test_fixture benchmark"} < suite.outcomes().keys()


def test_skip(suite: Suite) -> None:
    """Ours are skipped before an engine is built; so are theirs."""
    suite.write(SOURCE)
    done = suite.run("--benchmark-skip")
    done.assert_outcomes(passed=1, skipped=6)
    assert suite.cases()["test_plain"].status == "passed"
    assert suite.outcomes() == {}


@pytest.mark.usefixtures("all_plugins")
@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "xdist"])
def test_switched_off(suite: Suite, workers: tuple[str, ...]) -> None:
    """Without pytest-benchmark (`-p no:benchmark`) everything of ours works; its fixture is unknown, as ever."""
    suite.record()
    suite.loosen()
    suite.doctor("test_one", latency_times=1e-12)
    suite.write("def test_theirs(benchmark): pass", "test_other")
    suite.run("-p", "no:benchmark", *workers)
    assert suite.outcomes() == {"test_one": "regressed", "test_two": "passed"}
    assert "fixture 'benchmark' not found" in suite.cases()["test_theirs"].text
