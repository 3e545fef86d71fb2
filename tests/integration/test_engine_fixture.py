"""The `infer_engine` fixture: arrays in, arrays out, at each precision that the device really computes in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.integration.conftest import Suite


def test_calls(suite: Suite) -> None:
    """It takes an array, several or a dict; gives one array or a tuple; pads a smaller batch and cuts it back."""
    suite.write("""
        import numpy as np
        import pytest

        ROW = np.arange(4, dtype=np.float32)[np.newaxis]

        @pytest.mark.infer(model="models/linear.onnx", batch=4)
        def test_array(infer_engine):
            y = infer_engine(np.repeat(ROW, 4, axis=0))
            assert isinstance(y, np.ndarray)
            assert y.shape == (4, 3)
            assert np.allclose(y, infer_engine(ROW))
            assert infer_engine(ROW).shape == (1, 3)
            assert infer_engine.rotation()[0]["x"].shape == (4, 4), "it is measured on as many as it computes"
            assert np.allclose(infer_engine({"x": ROW}), y[:1])

        @pytest.mark.infer(model="models/pair.onnx")
        def test_pair(infer_engine):
            a, b = np.float32([[1, 2]]), np.float32([[3, 4]])
            total, product = infer_engine(a, b)
            assert (total == [[4, 6]]).all()
            assert (product == [[3, 8]]).all()
            assert (infer_engine({"b": b, "a": a})[1] == product).all()

        @pytest.mark.infer(model="models/tokens.onnx", inputs={"ids": range(4)}, batch=2)
        def test_tokens(infer_engine):
            pass

        @pytest.mark.infer(model="models/wide.onnx", shapes={"x": (5,)}, batch=2)
        def test_shapes(infer_engine):
            assert infer_engine.inputs[0].shape == (2, 5)
    """)
    done = suite.run()
    assert done.ret == 0
    results = suite.results()
    assert {name: r.workload["batch"] for name, r in results.items()} == {
        "test_array": 4, "test_pair": 1, "test_tokens": 2, "test_shapes": 2
    }  # fmt: skip
    assert {str(r.outcome) for r in results.values()} == {"no_baseline"}


def test_precision(suite: Suite) -> None:
    """int8 is calibrated on a list, a callable or a generator; what the CPU computes otherwise is skipped, told why."""
    suite.write("""
        import numpy as np
        import pytest

        def samples():
            rng = np.random.default_rng(0)
            for _ in range(4):
                yield {"x": rng.standard_normal((2, 4)).astype(np.float32)}

        LINEAR = "models/linear.onnx"
        infer = pytest.mark.infer

        @infer(model="models/linear.onnx", precision=["fp32", "int8", "fp16"], calibration=list(samples()))
        def test_list(infer_engine):
            assert infer_engine.workload.precision in {"fp32", "int8"}

        @infer(model="models/linear.onnx", precision="int8", calibration=samples, min_cosine=0.9)
        def test_callable(infer_engine):
            assert infer_engine.facts["int8_share"] == 1.0

        @infer(model="models/linear.onnx", precision="int8", calibration=samples())
        def test_generator(infer_engine):
            pass

        @pytest.mark.parametrize("method", ["minmax", "entropy", "percentile"])
        def test_method(infer, method):
            options = {"calibration_method": method}
            infer.measure(infer.engine(LINEAR, precision="int8", calibration=samples, options=options))
    """)
    done = suite.run("-rs")
    assert done.ret == 0
    done.assert_outcomes(passed=7, skipped=1)
    done.stdout.fnmatch_lines(["SKIPPED * fp16 on *: ONNX Runtime's CPU provider computes fp16 in fp32*"])
    result = suite.results()["test_callable"]
    assert result.workload["precision"] == "int8"
    assert 0.9 < result.accuracy["cosine"] < 1
