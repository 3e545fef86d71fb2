"""What we measure stands in pytest-benchmark's table, JSON, histograms and storage, once, also where xdist ran it."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.ecosystem.conftest import benchmarks

if TYPE_CHECKING:
    from tests.integration.conftest import Suite

SOURCE = """
import numpy as np
import pytest

pytestmark = pytest.mark.benchmark(max_time=0.01)

@pytest.mark.infer(model="models/linear.onnx", batch=[1, 2])
@pytest.mark.parametrize("scale", [3])
def test_engine(infer_engine, scale):
    infer_engine(np.full((1, 4), scale, np.float32))

@pytest.mark.infer
@pytest.mark.benchmark(group="mine")
def test_named(infer):
    infer.measure(len, inputs=("a",))

@pytest.mark.infer
def test_fixture(benchmark):
    benchmark(sum, [1, 2])

def test_theirs(benchmark):
    benchmark(sum, [1, 2])

def test_plain(): pass
"""
OURS = {
    "test_it.py::test_engine[b1-3]",
    "test_it.py::test_engine[b2-3]",
    "test_it.py::test_named len",
    "test_it.py::test_fixture",
}
THEIRS = "test_it.py::test_theirs"
TOO_SLOW = """
import pytest

@pytest.mark.infer(model=sum, inputs=([1, 2],), max_latency_ms=1e-9)
def test_engine(infer_engine): pass

@pytest.mark.infer(max_latency_ms=1e-9)
def test_fixture(benchmark):
    benchmark.pedantic(sum, args=([1, 2],), rounds=5)
"""


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "xdist"])
def test_table_and_files(suite: Suite, workers: tuple[str, ...]) -> None:
    """Everywhere that pytest-benchmark tells of a test, it tells of ours; under xdist of nothing but ours."""
    if find_spec("pygal") is None:  # not imported here: importlib_metadata, which it needs, takes the finders' place
        pytest.skip("no pygal")
    suite.write(SOURCE)
    done = suite.run(
        *workers, "--benchmark-json=benchmark.json", "--benchmark-save=first", "--benchmark-histogram=plots/x"
    )
    assert done.ret == 0
    rows = benchmarks(suite)
    expected = OURS if workers else OURS | {THEIRS}
    assert rows.keys() == expected
    done.stdout.fnmatch_lines([f"*benchmark: {len(expected) - 1} tests*", "*benchmark 'mine': 1 tests*"])
    assert {path.name for path in (suite.path / "plots").iterdir()} == {"x.svg", "x-mine.svg"}
    assert ("Benchmarks are automatically disabled" in done.stderr.str()) == bool(workers)

    engine, result = rows["test_it.py::test_engine[b2-3]"], suite.results()["test_engine[b2-3]"]
    assert engine["param"] == "b2-3"
    assert engine["params"] == {"scale": 3, "backend": "onnxruntime", "precision": "fp32", "batch": 2}
    assert result.samples is not None
    calls = len(engine["stats"]["data"]) * engine["stats"]["iterations"]
    assert calls == pytest.approx(result.samples.count, abs=engine["stats"]["iterations"])
    told = engine["extra_info"]["infer"]
    assert (told["outcome"], told["backend"], told["batch"]) == ("no_baseline", "onnxruntime", 2)
    assert told["block_medians_ns"] == list(result.samples.block_medians_ns)
    fixture = rows["test_it.py::test_fixture"]
    assert fixture["extra_info"]["infer"]["outcome"] == "no_baseline"
    latency = suite.results()["test_fixture benchmark"].metrics["latency"]
    travelled = 0.05 if workers else 1e-6  # of many rounds only groups travel, by their means
    assert fixture["stats"]["median"] * 1e3 == pytest.approx(latency, rel=travelled)

    done = suite.run(*workers, "--benchmark-compare", "--benchmark-group-by=name")
    text = done.stdout.str()
    assert text.count("(0001_first)") == len(expected)
    assert text.count("(NOW)") == len(expected)
    told_by = suite._pytester.run(sys.executable, "-m", "pytest_benchmark", "compare", "0001", "--group-by=func")
    for name in (" benchmark 'test_engine': 2 tests ", "test_engine[b1-3] ", "test_named len "):
        assert name in told_by.stdout.str()


def test_compare_fail(suite: Suite) -> None:
    """The rule is pytest-benchmark's own: it fails the session for rows of ours as for its own, no more and no less."""
    suite.write(SOURCE)
    suite.run("--benchmark-save=first")
    (saved,) = suite.path.glob(".benchmarks/*/*.json")
    content = json.loads(saved.read_text())
    for seconds, status in ((1e6, 0), (1e-12, 1)):
        for row in content["benchmarks"]:
            row["stats"]["min"] = seconds if row["name"] == "test_named len" else 1e6
        saved.write_text(json.dumps(content))
        done = suite.run("--benchmark-compare", "--benchmark-compare-fail=min:5%")
        assert {case.status for case in suite.cases().values()} == {"passed"}
        assert done.ret == status
        assert ("test_named len (0001_first) - Field" in done.stdout.str() + done.stderr.str()) == bool(status)


@pytest.mark.usefixtures("all_plugins")
def test_last_of_several_runs(suite: Suite) -> None:
    """A test that is run again has one row, of its last run."""
    pytest.importorskip("pytest_rerunfailures")
    suite.write(TOO_SLOW)
    done = suite.run("--infer-isolate=never", "--reruns=2", "--benchmark-json=benchmark.json")
    done.stdout.fnmatch_lines(["*4 rerun*"])
    rows = benchmarks(suite)
    assert rows.keys() == {"test_it.py::test_engine", "test_it.py::test_fixture"}
    median_ms = suite.results()["test_fixture benchmark"].metrics["latency"]
    assert rows["test_it.py::test_fixture"]["stats"]["median"] * 1e3 == pytest.approx(median_ms)


def test_fresh_processes(suite: Suite) -> None:
    """What was measured in processes of its own is a row of the user's pytest; those write nothing."""
    suite.write(TOO_SLOW)
    suite.run("--infer-isolate=always", "--benchmark-json=benchmark.json", "--benchmark-autosave")
    assert benchmarks(suite).keys() == {"test_it.py::test_engine", "test_it.py::test_fixture"}
    assert len(list(suite.path.glob(".benchmarks/*/*.json"))) == 1


def test_invalid(suite: Suite) -> None:
    """What is not to be believed stands in the table, and in no file that later runs are compared with."""
    suite.conftest("""
import sys

import pytest

@pytest.fixture
def tracer():
    sys.settrace(lambda *_: None)
    yield
    sys.settrace(None)
""")
    suite.write("""
        import pytest

        pytestmark = pytest.mark.infer(model=sum, inputs=([1, 2],))

        def test_traced(infer_engine, tracer): pass
        def test_sound(infer_engine): pass
    """)
    done = suite.run("--benchmark-json=benchmark.json")
    assert suite.outcomes()["test_traced"] == "invalid"
    assert benchmarks(suite).keys() == {"test_it.py::test_sound"}
    done.stdout.fnmatch_lines(["*benchmark: 2 tests*"])


def test_nothing_measured(suite: Suite) -> None:
    """A suite without infer tests has its table as ever; one whose infer tests measure nothing has none."""
    suite.write("def test_theirs(benchmark): benchmark.pedantic(len, args=('a',), rounds=5)", "test_theirs")
    suite.run("--benchmark-json=benchmark.json")
    (row,) = benchmarks(suite).values()
    assert (row["fullname"], row["extra_info"], row["params"]) == ("test_theirs.py::test_theirs", {}, None)
    suite.write("import pytest\n\n@pytest.mark.infer\ndef test_it(infer): pass\n")
    assert "benchmark: " not in suite.run("test_it.py").stdout.str().partition("collected")[2]
