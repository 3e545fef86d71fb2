"""A verdict that fails is a failure of the call like any other: for xfail, JUnit, --lf and -x."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from tests.integration.conftest import Suite

SOURCE = """
import pytest

infer = pytest.mark.infer
pytestmark = infer(model=sum, inputs=([1, 2],))
TOO_SLOW = infer(max_latency_ms=1e-9)

@TOO_SLOW
def test_slow(infer_engine): pass

@pytest.mark.xfail(strict=True, reason="known")
@TOO_SLOW
def test_expected(infer_engine): pass

@pytest.mark.xfail(strict=True, reason="known")
def test_unexpected(infer_engine): pass

@pytest.mark.xfail(strict=True, raises=pytest.fail.Exception)
@TOO_SLOW
def test_raises(infer_engine): pass

@TOO_SLOW
def test_body(infer_engine):
    assert infer_engine([3]) == 4

def test_fine(infer_engine): pass
"""


def test_failure(suite: Suite) -> None:
    """Strict or by exception, xfail is honoured; JUnit counts it with its numbers; a body that fails is not judged."""
    suite.write(SOURCE)
    done = suite.run("--infer-isolate=never")
    done.assert_outcomes(failed=3, xfailed=2, passed=1)
    cases = suite.cases()
    assert {name: case.status for name, case in cases.items()} == {
        "test_slow": "failed", "test_expected": "skipped", "test_unexpected": "failed", "test_raises": "skipped",
        "test_body": "failed", "test_fine": "passed",
    }  # fmt: skip
    node = ET.parse(suite.path / "junit.xml").find("testsuite")  # noqa: S314 - we wrote it
    assert node is not None
    assert (node.get("failures"), node.get("errors")) == ("3", "0")
    assert cases["test_slow"].properties["infer_outcome"] == "over_budget"
    assert float(cases["test_slow"].properties["infer_latency_ms"]) > 0
    assert "[XPASS(strict)] known" in cases["test_unexpected"].text
    assert "assert 3 == 4" in cases["test_body"].text
    assert not cases["test_body"].properties

    done = suite.run("--infer-isolate=never", "--lf", "-x")
    done.assert_outcomes(failed=1)
    assert list(suite.cases()) == ["test_slow"]
