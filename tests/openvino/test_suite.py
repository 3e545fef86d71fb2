"""OpenVINO in a real run of pytest."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import pytest

from pytest_infer.report.json_report import read
from tests.openvino import models
from tests.precision.models import convolution

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

pytest.importorskip("openvino", reason="OpenVINO is not installed")

from pytest_infer.engines.openvino.engine import ROUNDS


def test_offline(pytester: pytest.Pytester, run_suite: Run) -> None:
    """An offline test passes, and its throughput counts the requests in flight and the batch."""
    convolution(pytester.path / "network.onnx")
    done = run_suite("""
        import pytest

        @pytest.mark.infer(model="network.onnx", backend="openvino", scenario="offline", batch=2, min_throughput=1)
        def test_offline(infer_engine):
            pass

        @pytest.mark.infer(model="network.onnx", backend="openvino", scenario="server")
        def test_server(infer_engine):
            pass
    """)
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(["*scenario='server' is not available*; it has offline, single_stream*"])
    (result,) = read(pytester.path / "report.json").results
    assert str(result.outcome) == "no_baseline"
    assert result.workload["scenario"] == "offline"
    assert result.facts["requests"] >= 1
    a_call = 2 * ROUNDS * result.facts["requests"]
    assert result.samples is not None
    quickest_ns, slowest_ns = (result.samples.quantiles_ns[name] for name in ("min", "max"))
    assert a_call / slowest_ns <= result.metrics["throughput"] / 1e9 <= a_call / quickest_ns


def test_precisions(pytester: pytest.Pytester, run_suite: Run) -> None:
    """Precisions parametrize a test; those that this CPU does not compute in are skipped with the reason."""
    convolution(pytester.path / "network.onnx")
    done = run_suite("""
        import numpy as np
        import pytest

        def samples():
            yield {"x": np.random.default_rng(0).standard_normal((1, 3, 8, 8), np.float32)}

        @pytest.mark.infer(model="network.onnx", backend="openvino", precision=["fp32", "tf32", "int8", "fp8"],
                           calibration=samples, min_cosine=0.9)
        def test_it(infer_engine):
            pass
    """)
    done.assert_outcomes(passed=2, skipped=2)
    done.stdout.fnmatch_lines(["SKIPPED *tf32 on *NVIDIA*", "SKIPPED *fp8 on *OpenVINO has no way to ask for fp8*"])


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="only there kernels can be held back")
def test_older_cpu(pytester: pytest.Pytester, run_suite: Run) -> None:
    """A CPU without fp16 units skips fp16; built for it all the same, it runs another precision and is caught."""
    models.product(pytester.path / "product.onnx")
    done = run_suite(
        """
        import pytest
        from pytest_infer.engines.openvino import OpenVinoBackend

        @pytest.mark.infer(model="product.onnx", backend="openvino", precision=["fp32", "fp16"])
        def test_honest(infer_engine):
            pass

        @pytest.fixture
        def blind(monkeypatch):
            monkeypatch.setattr(OpenVinoBackend, "refuses", lambda *_: None)

        @pytest.mark.infer(model="product.onnx", backend="openvino", precision="fp16")
        def test_blind(blind, infer_engine):
            pass
        """,
        ONEDNN_MAX_CPU_ISA="AVX512_CORE",
    )
    done.assert_outcomes(passed=1, skipped=1, errors=1)
    done.stdout.fnmatch_lines(["SKIPPED *fp16 on *: OpenVINO's CPU computes in *asked for fp16*"])
    caught = "product.onnx: asked for fp16, but none of its heavy nodes computes in it (1 in *; by runtime model)*"
    done.stdout.fnmatch_lines([caught])
