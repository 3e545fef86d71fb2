"""ONNX Runtime's providers and precisions in a real run of pytest."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pytest_infer.report.json_report import read
from tests.onnxruntime.models import classifier
from tests.precision.models import convolution, product

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., pytest.RunResult]

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

        def run(source: str, conftest: str = "") -> pytest.RunResult:
            with (pytester.path / "conftest.py").open("a") as file:
                file.write(conftest)
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


HALF = """
import dataclasses
from pytest_infer.engines.onnxruntime import OnnxRuntimeBackend
from pytest_infer.engines.truth import Proof
from pytest_infer.errors import UsageError

class Half(OnnxRuntimeBackend):
    name = "half"

    def refuses(self, precision, device):
        return None

    def key(self, request):
        return super().key(self.checked(request))

    def build(self, request, folder):
        return super().build(self.checked(request), folder)

    def load(self, request, plan):
        engine = super().load(self.checked(request), plan)
        engine.proof = Proof(how="its word", nodes={str(request.precision): 1})
        return engine

    def checked(self, request):
        options = dict(request.options)
        if options.pop("tf32", False) and request.precision == "fp32":
            raise UsageError("tf32 contradicts fp32")
        return dataclasses.replace(request, options=options)

def pytest_infer_make_backend(name):
    return Half() if name == "half" else None
"""
"""A backend that takes and gives fp16 where it is told to, and an option that contradicts fp32."""


def test_a_reference_in_another_type(pytester: pytest.Pytester, run_suite: Run) -> None:
    """fp32 takes the inputs that the engine took in fp16 or fp64, and none of its options that are not for fp32."""
    convolution(pytester.path / "network.onnx")
    product(pytester.path / "double.onnx", np.float64)
    product(pytester.path / "single.onnx", np.float32)
    done = run_suite(
        """
        import numpy as np
        import pytest

        @pytest.mark.infer(model="network.onnx", backend="half", precision="fp16", min_cosine=0.99, batch=2,
                           options={"keep_io": False, "tf32": True})
        def test_half(infer_engine):
            assert infer_engine.inputs[0].dtype == "float16"

        @pytest.mark.infer(model="double.onnx", reference="single.onnx", min_cosine=0.9999, batch=2)
        def test_double(infer_engine):
            assert infer_engine(np.ones((2, 4))).dtype == np.float64

        @pytest.mark.infer(model="double.onnx")
        def test_alone(infer_engine):
            pass
        """,
        HALF,
    )
    done.assert_outcomes(passed=3)
    told = {one.nodeid.rpartition("::")[2]: one for one in read(pytester.path / "report.json").results}
    assert told["test_double"].workload["precision"] is None
    assert told["test_double"].facts["precision"] == "fp64"
    assert told["test_alone"].accuracy == {}
    assert "there is no fp32 of the model" in told["test_alone"].accuracy_notes[0]


def test_a_classifier(pytester: pytest.Pytester, run_suite: Run) -> None:
    """Labels as text and a map for each sample don't keep it from being measured; a budget needs numbers."""
    classifier(pytester.path / "mixed.onnx", "label", "probabilities", "scores")
    classifier(pytester.path / "words.onnx", "label", "probabilities")
    done = run_suite("""
        import numpy as np
        import pytest

        X = np.ones((3, 4), np.float32)

        @pytest.mark.infer(model="mixed.onnx", batch=3, inputs=X, min_cosine=0.99)
        def test_mixed(infer_engine):
            pass

        @pytest.mark.infer(model="words.onnx", batch=3, inputs=X)
        def test_words(infer_engine):
            assert set(infer_engine(X)[0]) <= {"ant", "bee", "cat"}

        @pytest.mark.infer(model="words.onnx", batch=3, inputs=X, min_cosine=0.99)
        def test_budget(infer_engine):
            pass
    """)
    done.assert_outcomes(passed=2, failed=1)
    done.stdout.fnmatch_lines(["*min_cosine: nothing says what cosine is; it needs a reference*"])
    told = {one.nodeid.rpartition("::")[2]: one for one in read(pytester.path / "report.json").results}
    assert told["test_mixed"].accuracy["cosine"] == pytest.approx(1)
    assert "left out, since they are no numbers: 'label', 'probabilities'" in told["test_words"].accuracy_notes
