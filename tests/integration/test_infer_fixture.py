"""The `infer` fixture: engines, measurements and accuracy by hand, for engines and any callable."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.integration.conftest import Suite


def test_infer(suite: Suite) -> None:
    """It opens engines, measures them and any callable by name, and knows the device; two alike are told apart."""
    suite.write("""
        import numpy as np

        def twice(x, times=2):
            return x * times

        class Model:
            def __call__(self, x): return x

        def test_by_hand(infer):
            one = infer.engine("models/linear.onnx", precision="fp32", batch=2, options={"threads": 1})
            other = infer.engine("models/pair.onnx")
            assert one(np.ones((1, 4), np.float32)).shape == (1, 3)
            m = infer.measure(one)
            assert m.metrics["latency"] > 0
            assert m.metrics["throughput"] > 0
            infer.measure(one, np.zeros((2, 4), np.float32))
            infer.measure(other, [{"a": np.ones((1, 2), np.float32), "b": np.ones((1, 2), np.float32)}])
            infer.measure(twice, (3,))
            infer.measure(twice, {"x": 3, "times": 4})
            infer.measure(Model(), 5)
            infer.measure(lambda: None)
            assert infer.device.kind == "cpu"
            assert infer.device.slug.startswith("cpu-")

        def test_looked_only(infer):
            assert infer.accuracy(infer.engine("models/linear.onnx")).cosine == 1.0
    """)
    done = suite.run()
    done.assert_outcomes(passed=2)
    assert list(suite.results()) == [
        f"test_by_hand {name}"
        for name in (
            "linear.onnx", "linear.onnx#2", "pair.onnx", "twice", "twice#2", "Model", "<lambda>",
        )
    ]  # fmt: skip


def test_accuracy(suite: Suite) -> None:
    """Outputs are held against labels, fp32, a callable, another file; what breaks its budget is inaccurate."""
    suite.write("""
        import numpy as np
        import pytest

        X = np.random.default_rng(0).standard_normal((10, 4)).astype(np.float32)
        INT8 = {"model": "models/linear.onnx", "precision": "int8", "batch": 4, "calibration": [{"x": X}]}
        infer_mark = pytest.mark.infer

        @infer_mark(**INT8, min_top1=0.7, max_top1_drop=0.3, min_top5=1, min_cosine=0.9)
        def test_labels(infer, infer_engine):
            labels = infer.engine("models/linear.onnx", batch=10)(X).argmax(axis=1)
            found = infer.accuracy(infer_engine, inputs=X, labels=labels)
            assert found.top1 > 0.7
            assert found.top5 == 1.0

        @infer_mark(**INT8, min_top1=0.9)
        def test_wrong_labels(infer, infer_engine):
            worst = infer.engine("models/linear.onnx", batch=10)(X).argmin(axis=1)
            infer.accuracy(infer_engine, inputs=X, labels=worst)

        @infer_mark(model="models/linear.onnx", reference=lambda x: x[:, :3], min_cosine=0.999)
        def test_reference(infer_engine):
            infer_engine(X[:1])

        @infer_mark(model=np.float32, inputs=(0.1,), reference=np.float64, max_abs_error=1e-6)
        def test_callable(infer_engine): pass

        @infer_mark(model="models/linear.onnx", options={"threads": 1}, min_cosine=0.9)
        def test_held_by_nothing(infer, infer_engine):
            infer.accuracy(infer_engine, inputs=X)
            infer.measure(infer.engine("models/linear.onnx"), X[:1])

        @infer_mark(model="models/linear.onnx")
        def test_labels_of_another_number(infer, infer_engine):
            infer.accuracy(infer_engine, inputs=X, labels=[1, 2])
    """)
    suite.run()
    assert suite.outcomes() == {
        "test_labels": "no_baseline",
        "test_wrong_labels": "inaccurate",
        "test_reference": "inaccurate",
        "test_callable": "no_baseline",
    }
    cases = suite.cases()
    assert "top1 0 is below the budget min_top1=0.9" in cases["test_wrong_labels"].message
    assert "is below the budget min_cosine=0.999 (reference: " in cases["test_reference"].message
    assert "min_cosine is held for what is measured" in cases["test_held_by_nothing"].text
    assert "the outputs can't be compared: labels need scores" in cases["test_labels_of_another_number"].text
