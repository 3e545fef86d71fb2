"""A marker that can't be right is its test's error, told in one sentence, and costs the other tests nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.integration.conftest import Suite

EXPECTED = {
    "test_unknown_key": "has no argument 'max_latncy_ms'; did you mean 'max_latency_ms'?",
    "test_negative": "max_latency_ms=-5): a positive number is needed",
    "test_type": "batch='8'): a whole number of at least 1 is needed",
    "test_positional": "takes keyword arguments only, not 'models/linear.onnx'",
    "test_precision[fp61]": "no such precision; did you mean 'fp16'?",
    "test_reference": "reference='FP32'): that is no precision and no model file; did you mean 'fp32'?",
    "test_empty_list": "batch=[]): it lists nothing",
    "test_gate": "no metric 'latncy'; did you mean 'latency'?",
    "test_missing_model": "model 'models/gone.onnx' is no file in",
    "test_text": "text.onnx is no ONNX file",
    "test_no_model": "infer_engine needs a model",
    "test_backend": "no backend 'onnxruntim'; did you mean 'onnxruntime'?",
    "test_package": "needs the package 'tensorrt', which is not installed: pip install 'pytest-infer[tensorrt]'",
    "test_option": "backend 'onnxruntime' has no option 'thread'",
    "test_uncalibrated": "int8 needs samples to set its ranges; give calibration=",
    "test_no_samples": "calibration gave no samples; int8 needs at least one",
    "test_sample_name": "calibration sample 1 names z; the model's inputs are x",
    "test_open_shape": "input 'x' has dynamic dimensions 1 ('width') that nothing sets; give them with shapes=",
    "test_batch_of_fixed": "batch=2 was asked for",
    "test_callable_precision": "a callable computes as it is",
    "test_callable_options": "options={'threads': ...}: a callable takes no option but 'cold_l2'",
    "test_object": "the model, test_it:Pipeline, is neither a path nor callable; give what computes, e.g. its predict",
    "test_object_for_files": "backend 'onnxruntime' builds model files, not Pipeline; name a file, or leave backend",
    "test_file_as_callable": "backend 'callable' takes a callable, not the file 'models/linear.onnx'",
    "test_scenario": "scenario='server' is not available on this backend (onnxruntime); it has single_stream",
    "test_metric": "the metric 'device' can't be measured on a CPU",
}


def test_bad_markers(suite: Suite) -> None:
    """Each is an error in the setup that names the thing and the way out, without a traceback; the rest passes."""
    suite.conftest("import sys; sys.modules['tensorrt'] = None")
    suite.write("""
        import numpy as np
        import pytest

        infer = pytest.mark.infer
        LINEAR = "models/linear.onnx"
        INT8 = {"model": LINEAR, "precision": "int8"}

        @infer(model=LINEAR)
        def test_right(infer_engine): pass

        @infer(model=LINEAR, max_latncy_ms=5)
        def test_unknown_key(infer_engine): pass

        @infer(model=LINEAR, max_latency_ms=-5)
        def test_negative(infer_engine): pass

        @infer(model=LINEAR, batch="8")
        def test_type(infer_engine): pass

        @infer(LINEAR)
        def test_positional(infer_engine): pass

        @infer(model=LINEAR, precision=["fp61"])
        def test_precision(infer_engine): pass

        @infer(model=LINEAR, reference="FP32")
        def test_reference(infer_engine): pass

        @infer(model=LINEAR, batch=[])
        def test_empty_list(infer_engine): pass

        @infer(model=LINEAR, gate=("latncy",))
        def test_gate(infer_engine): pass

        @infer(model="models/gone.onnx")
        def test_missing_model(infer_engine): pass

        @infer(model="models/text.onnx")
        def test_text(infer_engine): pass

        @infer(max_latency_ms=5)
        def test_no_model(infer_engine): pass

        @infer(model=LINEAR, backend="onnxruntim")
        def test_backend(infer_engine): pass

        @infer(model=LINEAR, backend="tensorrt")
        def test_package(infer_engine): pass

        @infer(model=LINEAR, options={"thread": 1})
        def test_option(infer_engine): pass

        @infer(**INT8)
        def test_uncalibrated(infer_engine): pass

        @infer(**INT8, calibration=[])
        def test_no_samples(infer_engine): pass

        @infer(**INT8, calibration=[{"z": np.ones((1, 4), np.float32)}])
        def test_sample_name(infer_engine): pass

        @infer(model="models/wide.onnx")
        def test_open_shape(infer_engine): pass

        @infer(model="models/fixed.onnx", batch=2)
        def test_batch_of_fixed(infer_engine): pass

        @infer(model=len, precision="fp32")
        def test_callable_precision(infer_engine): pass

        @infer(model=len, options={"threads": 1})
        def test_callable_options(infer_engine): pass

        class Pipeline:
            def __len__(self): return 0
            def predict(self, x): return x

        @infer(model=Pipeline())
        def test_object(infer_engine): pass

        @infer(model=Pipeline(), backend="onnxruntime")
        def test_object_for_files(infer_engine): pass

        @infer(model=LINEAR, backend="callable")
        def test_file_as_callable(infer_engine): pass

        @infer(model=LINEAR, scenario="server")
        def test_scenario(infer_engine): pass

        @infer(model=LINEAR, max_device_ms=1)
        def test_metric(infer_engine): pass
    """)
    done = suite.run()
    cases = suite.cases()
    assert cases.pop("test_right").status == "passed"
    wrong = {
        name: (case.status, case.text)
        for name, case in cases.items()
        if case.status != "error" or EXPECTED[name] not in case.text or "Traceback" in case.text or ".py:" in case.text
    }
    assert not wrong
    assert cases.keys() == EXPECTED.keys()
    assert done.ret == 1


def test_no_runtime(suite: Suite) -> None:
    """Without ONNX Runtime, a model is an error that names the extra; a callable is measured all the same."""
    suite.conftest("import sys; sys.modules['onnxruntime'] = sys.modules['onnx'] = None")
    suite.write("""
        import pytest

        @pytest.mark.infer(model="models/linear.onnx", precision="fp32")
        def test_model(infer_engine): pass

        @pytest.mark.infer(model="models/linear.onnx")
        def test_own_precision(infer_engine): pass

        @pytest.mark.infer(model=len, inputs=("a",))
        def test_callable(infer_engine): pass
    """)
    suite.run().assert_outcomes(errors=2, passed=1)
    cases = suite.cases()
    assert "which is not installed: pip install 'pytest-infer[onnxruntime]'" in cases["test_model"].text
    assert "which is not installed: pip install 'pytest-infer[onnxruntime]'" in cases["test_own_precision"].text
