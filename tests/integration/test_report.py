"""Reports: the numbers of a run, written once it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.report.json_report import read

if TYPE_CHECKING:
    from tests.integration.conftest import Suite


def test_json(suite: Suite) -> None:
    """The JSON report holds what was measured where; a report that can't be written is an error, the others are."""
    suite.write("""
        import pytest

        @pytest.mark.infer(model="models/linear.onnx", batch=2, max_latency_ms=1e9)
        def test_it(infer_engine): pass
    """)
    (suite.path / "file").touch()
    done = suite.run("--infer-report=file/report.json", "--infer-report=deep/er/report.json")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["ERROR: --infer-report=*report.json could not be written: *"])
    report = read(suite.path / "deep" / "er" / "report.json")
    assert report == suite.report()
    assert report.device["kind"] == "cpu"
    assert report.environment.keys() >= {"python", "system", "pytest-infer", "numpy", "onnxruntime"}
    (result,) = report.results
    assert result.nodeid == "test_it.py::test_it"
    assert result.outcome == "no_baseline"
    assert not result.failed
    assert result.workload["inputs"] == [{"name": "x", "dtype": "float32", "shape": [2, 4]}]
    assert result.metrics.keys() >= {"latency", "throughput", "load", "engine_size"}
    low, high = result.intervals["latency"]
    assert low <= result.metrics["latency"] <= high
    assert result.samples is not None
    assert result.samples.count >= 5
    assert result.facts["provider"] == "CPUExecutionProvider"
    assert result.model_digest is not None
    assert len(result.model_digest) == 64
