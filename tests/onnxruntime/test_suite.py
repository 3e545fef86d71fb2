"""ONNX Runtime's providers and precisions in a real run of pytest."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import pytest

from pytest_infer.report.json_report import read
from tests.precision.models import convolution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[[str], pytest.RunResult]

pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")


@pytest.fixture
def run_suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs test source in a pytest process of its own, as shortly as can be."""
    short = ("--infer-time=0.01", "--infer-max-time=0.3", "--infer-report=report.json", "-rs")
    plugins = ("-p", "no:randomly", "-p", "no:hypothesispytest")
    pytester.makeconftest(
        "from pytest_infer.device import cpu_state\ncpu_state.read_cpu_state = lambda *_: cpu_state.CpuState()\n"
    )
    # Device locks lie in the folder for temporary files: nobody else's measurement is to be waited for.
    with tempfile.TemporaryDirectory(prefix="i-", ignore_cleanup_errors=True) as elsewhere:
        monkeypatch.setenv("TMPDIR", elsewhere)
        monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / "cache"))
        monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)

        def run(source: str) -> pytest.RunResult:
            pytester.makepyfile(test_it=source)
            return pytester.runpytest_subprocess(*plugins, *short, timeout=120)

        yield run


def test_precisions(pytester: pytest.Pytester, run_suite: Run) -> None:
    """What the CPU provider computes in is measured with its proof, the rest skipped; a provider must be there."""
    convolution(pytester.path / "network.onnx")
    done = run_suite("""
        import numpy as np
        import pytest

        def samples():
            yield {"x": np.random.default_rng(0).standard_normal((1, 3, 8, 8), np.float32)}

        @pytest.mark.infer(model="network.onnx", precision=["fp32", "tf32", "fp16", "bf16", "int8", "fp8"],
                           calibration=samples, options={"per_channel": False})
        def test_it(infer_engine):
            pass

        @pytest.mark.infer(model="network.onnx", backend="onnxruntime:nowhere")
        def test_provider(infer_engine):
            pass

        @pytest.mark.infer(model="network.onnx", precision="int8", calibration=samples,
                           options={"exclude_nodes": ["nobody"]})
        def test_excluded(infer_engine):
            pass
    """)
    done.assert_outcomes(passed=2, skipped=4, errors=2)
    done.stdout.fnmatch_lines(["*fp16 on *computes fp16 in fp32*"])
    done.stdout.fnmatch_lines(["*onnxruntime:nowhere*no such provider*"])
    done.stdout.fnmatch_lines(["*exclude_nodes*network.onnx has no node 'nobody'*"])
    told = {result.workload["precision"]: result.facts for result in read(pytester.path / "report.json").results}
    assert told["int8"]["int8_share"] == told["fp32"]["fp32_share"] == 1
    assert told["int8"]["weights"] == {"int8": 1}
    assert told["fp32"]["provider"] == "CPUExecutionProvider"
