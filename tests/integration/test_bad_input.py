"""What a test's body gives wrongly fails that test in its call, told in one sentence that names the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.integration.conftest import Suite

EXPECTED = {
    "test_shape": "linear.onnx: input 'x' has shape [1, 5], the engine takes [2, 4] or a smaller first dimension",
    "test_batch": "linear.onnx: input 'x' has shape [3, 4], the engine takes [2, 4] or a smaller first dimension",
    "test_type": "linear.onnx: input 'x' has type float64, the model takes float32; convert it with .astype('float32')",
    "test_name": "linear.onnx: no input 'z'; the model's inputs are 'x'",
    "test_lacking": "pair.onnx: input 'b' is missing; the model takes a, b",
    "test_number": "pair.onnx: 1 input(s) given, the model takes 2: 'a', 'b'",
    "test_integers": "tokens.onnx: nobody gave the input 'ids' of type int64",
    "test_nothing_measured": "marked with infer, but nothing was measured: take the infer_engine fixture, or call",
    "test_not_callable": "infer.measure takes an engine or a callable, not int",
    "test_no_labels": "min_top1: nothing says what top1 is; it needs scores of shape (samples, classes)",
    "test_no_reference": "min_cosine: nothing says what cosine is; it needs a reference",
    "test_reference": "reference='FP32': that is no precision and no model file; did you mean 'fp32'?",
    "test_few_samples": "662 samples at",
    "test_coroutine": "respond returns a coroutine, which nobody awaits: give a function that runs it, e.g. lambda x: "
    "asyncio.run(respond(x))",
    "test_awaited_in_the_body": "respond returns a coroutine",
    "test_coroutine_of_an_object": "the call returns a coroutine",
    "test_generator": "tokens returns a generator, which nobody runs through",
    "test_held_generator": "tokens returns a generator, which nobody runs through",
    "test_argument": "test_it:respond can't be called with the arguments 'y': got an unexpected keyword argument 'y'",
    "test_empty_dict": "test_it:twice can't be called with no argument: missing a required argument: 'x'; give inputs=",
    "test_built[max_engine_mb]": "the metric 'engine_size' is of models that a backend builds, and test_it:work is a",
    "test_built[max_build_s]": "the metric 'build' is of models that a backend builds",
    "test_built[max_load_ms]": "the metric 'load' is of models that a backend builds",
    "test_built[max_host_memory_mb]": "(in a process of its own)",
    "test_refused": "fp16 on",
}


def test_bad_inputs(suite: Suite) -> None:
    """Each is a failure of the call without a traceback of the plugin's own code; the rest passes."""
    suite.write("""
        import asyncio
        from functools import partial

        import numpy as np
        import pytest

        infer = pytest.mark.infer
        ROW = np.ones((1, 4), np.float32)

        def work():
            return sum(range(1_000))

        @infer(model="models/linear.onnx", batch=2)
        class TestLinear:
            def test_right(self, infer_engine): infer_engine(ROW)
            def test_shape(self, infer_engine): infer_engine(np.ones((1, 5), np.float32))
            def test_batch(self, infer_engine): infer_engine(np.ones((3, 4), np.float32))
            def test_type(self, infer_engine): infer_engine(ROW.astype(float))
            def test_name(self, infer_engine): infer_engine({"z": ROW})
            @infer(min_top1=0.5)
            def test_no_labels(self, infer_engine): pass
            def test_reference(self, infer, infer_engine): infer.accuracy(infer_engine, inputs=ROW, reference="FP32")

        @infer(model="models/pair.onnx")
        class TestPair:
            def test_lacking(self, infer_engine): infer_engine({"a": ROW[:, :2]})
            def test_number(self, infer_engine): infer_engine(ROW[:, :2])

        @infer(model="models/tokens.onnx")
        def test_integers(infer_engine): pass

        @infer(max_latency_ms=5)
        def test_nothing_measured(): pass

        def test_not_callable(infer): infer.measure(5)

        @infer(model=work, min_cosine=0.5)
        def test_no_reference(infer_engine): pass

        @infer(model=work, max_p99_latency_ms=100)
        def test_few_samples(infer_engine): pass

        async def respond(x=1): return x

        def tokens(x=1): yield x

        class Server:
            async def __call__(self): return 1

        @infer(model=respond, max_latency_ms=1)
        def test_coroutine(infer_engine): pass

        @infer(model=lambda x: respond(x), inputs=3)
        def test_awaited_in_the_body(infer_engine): assert asyncio.run(infer_engine(3)) == 3

        def test_coroutine_of_an_object(infer): infer.measure(Server())

        def test_generator(infer): infer.measure(partial(tokens, 5))

        @infer(model=tokens, reference=tokens)
        def test_held_generator(infer_engine): pass

        def twice(x): return 2 * x

        def test_argument(infer): infer.measure(respond, {"y": 1})

        @infer(model=twice, inputs={})
        def test_empty_dict(infer_engine): pass

        @pytest.mark.parametrize("_", [
            pytest.param(0, id=key, marks=infer(**{key: 5}))
            for key in ("max_engine_mb", "max_build_s", "max_load_ms", "max_host_memory_mb")
        ])
        @infer(model=work)
        def test_built(infer_engine, _): pass

        def test_refused(infer): infer.engine("models/linear.onnx", precision="fp16")
    """)
    done = suite.run("--infer-time=0.001", "--infer-max-time=0.001", "-Werror")
    cases = suite.cases()
    assert cases.pop("test_right").status == "passed"
    assert cases["test_refused"].status == "skipped"
    wrong = {
        name: (case.status, case.text)
        for name, case in cases.items()
        if EXPECTED[name] not in case.text
        or (name != "test_refused" and (case.status != "failed" or "/pytest_infer/" in case.text))
    }
    assert not wrong
    assert cases.keys() == EXPECTED.keys()
    assert "infer_engine(ROW.astype(float))" in cases["test_type"].text
    assert "more than --infer-max-time=0.001; raise it to" in cases["test_few_samples"].message
    assert cases["test_built[max_host_memory_mb]"].text.count("the metric 'host_memory' is of models") == 2, (
        "once as JUnit's message, and once as its text"
    )
    assert done.ret == 1
