"""Suites as in `tests/integration`, results as in `tests/unit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.result import RunReport
from tests.integration.conftest import elsewhere, memory, models, plans, suite
from tests.unit.conftest import make_change, make_measurement, make_result

if TYPE_CHECKING:
    from pytest_infer.result import Result

__all__ = ["elsewhere", "make_change", "make_measurement", "make_result", "memory", "models", "plans", "suite"]

VERDICTS = """
import pytest

pytestmark = pytest.mark.infer(model=sum, inputs=([1, 2],))

def test_fine(infer_engine): pass


@pytest.mark.infer(max_latency_ms=1e-9)
def test_slow(infer_engine):
    pass


@pytest.mark.infer(max_latency_ms=1e-9)
@pytest.mark.xfail(reason="known")
def test_expected(infer_engine): pass


def test_traced(infer_engine, tracer): pass


@pytest.mark.parametrize("text", ["a|b", "50%, `c`: <b>", "#1 @me"])
@pytest.mark.infer(max_latency_ms=1e-9)
def test_odd(infer_engine, text): pass
"""
"""Verdicts that no machine changes: one passes, four fail, one is expected to, one can't be told."""

TRACER = """
import sys
import pytest

@pytest.fixture
def tracer():
    sys.settrace(lambda *_: None)
    yield
    sys.settrace(None)
"""


def report_of(*results: Result, **given: Any) -> RunReport:
    """A finished session on one device."""
    values: dict[str, Any] = {
        "device": {"slug": "cpu-x-4c", "kind": "cpu", "name": "CPU X"},
        "environment": {"python": "CPython 3.11"},
        "started": "2024-01-01T00:00:00+00:00",
    }
    return RunReport(results=results, **(values | given))
