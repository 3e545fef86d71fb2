"""Lists in the marker make cases; markers on class and module are inherited, the nearest value winning key by key."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.integration.conftest import Suite


def test_ids(suite: Suite) -> None:
    """Ids hold the listed keys only, and stand beside those of pytest's own parametrization."""
    suite.write("""
        import pytest

        infer = pytest.mark.infer

        @infer(model="m.onnx", precision=["fp32", "int8"], batch=[1, 8])
        def test_two(infer_engine): pass

        @infer(model="m.onnx", backend=["onnxruntime"], precision="fp32", batch=[1, 8])
        @pytest.mark.parametrize("size", ["s", "l"])
        def test_mixed(infer_engine, size): pass

        @infer(model="m.onnx", precision="fp32", batch=8)
        def test_none(infer_engine): pass

        @infer(batch=[2, 4])
        class TestClass:
            @infer(model="m.onnx", batch=16)
            def test_own(self, infer_engine): pass

            @infer(model="m.onnx")
            def test_inherited(self, infer_engine): pass
    """)
    done = suite.run("--collect-only", "-q")
    assert [line.removeprefix("test_it.py::") for line in done.outlines if "::" in line] == [
        "test_two[fp32-b1]", "test_two[fp32-b8]", "test_two[int8-b1]", "test_two[int8-b8]",
        "test_mixed[onnxruntime-b1-s]", "test_mixed[onnxruntime-b1-l]",
        "test_mixed[onnxruntime-b8-s]", "test_mixed[onnxruntime-b8-l]",
        "test_none",
        "TestClass::test_own",
        "TestClass::test_inherited[b2]", "TestClass::test_inherited[b4]",
    ]  # fmt: skip


def test_inheritance(suite: Suite) -> None:
    """A test has its module's keys, unless its class or itself says otherwise."""
    suite.write("""
        import pytest

        infer = pytest.mark.infer
        pytestmark = infer(model="models/linear.onnx", batch=2, max_latency_ms=1e-9)

        def test_module(infer_engine): pass

        @infer(batch=4)
        class TestClass:
            def test_class(self, infer_engine): pass

            @infer(max_latency_ms=1e9, options={"threads": 1})
            def test_own(self, infer_engine): pass
    """)
    suite.run("--infer-isolate=never", "-p", "no:terminal")
    results = suite.results()
    assert {name: (str(r.outcome), r.workload["batch"]) for name, r in results.items()} == {
        "test_module": ("over_budget", 2),
        "TestClass::test_class": ("over_budget", 4),
        "TestClass::test_own": ("no_baseline", 4),
    }
    assert results["TestClass::test_own"].workload["options"] == {"threads": 1}


def test_a_module_s_doctests_are_none_of_ours(suite: Suite) -> None:
    """They take no fixture, so its marker is not for them: they pass or fail by themselves."""
    suite.write("""
        '''A module.

        >>> 1 + 1
        2
        '''

        import pytest

        pytestmark = pytest.mark.infer(model=len, inputs=("a",))

        def twice(x):
            '''
            >>> twice(2)
            5
            '''
            return x * 2

        def test_len(infer_engine): pass
    """)
    suite.run("--doctest-modules").assert_outcomes(passed=2, failed=1)
    assert "Expected:" in suite.cases()["test_it.twice"].text
    assert suite.outcomes() == {"test_len": "no_baseline"}
