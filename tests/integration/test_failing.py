"""A verdict that fails is a failure of the call like any other: for xfail, JUnit, --lf and -x."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.integration.conftest import ELSEWHERE

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


EXPECTED = """
import pytest

class OwnError(Exception): pass

pytestmark = pytest.mark.infer(model=sum, inputs=([1, 2],))

def test_gives_up(infer_engine):
    pytest.xfail("not on this machine")
    raise AssertionError("the body went on")

@pytest.mark.xfail(strict=True, reason="known", raises=AssertionError)
def test_raises(infer_engine):
    assert infer_engine([3]) == 4

@pytest.mark.xfail(strict=True, raises=OwnError)
def test_raises_its_own(infer_engine):
    raise OwnError

@pytest.mark.xfail(strict=True, raises=OwnError)
def test_raises_another(infer_engine):
    assert infer_engine([3]) == 4

def test_marks_itself(infer_engine, request):
    request.applymarker(pytest.mark.xfail(reason="seen on the way"))
    assert infer_engine([3]) == 4

@pytest.mark.xfail(strict=True, reason="known")
def test_unexpected(infer_engine): pass
"""


@pytest.mark.parametrize("isolate", ["never", "always"])
def test_expected_failures(suite: Suite, isolate: str) -> None:
    """In the suite's process or in one of its own: given up, raising what was said, or marked by the body itself."""
    suite.write(EXPECTED)
    done = suite.run(f"--infer-isolate={isolate}")
    done.assert_outcomes(xfailed=4, failed=2)
    cases = suite.cases()
    assert {name: case.status for name, case in cases.items() if case.status == "failed"}.keys() == {
        "test_raises_another", "test_unexpected",
    }  # fmt: skip
    assert "assert 3 == 4" in cases["test_raises_another"].text
    assert [cases[name].message for name in ("test_gives_up", "test_raises", "test_marks_itself")] == [
        "not on this machine", "known", "seen on the way",
    ]  # fmt: skip


FICKLE = (
    ELSEWHERE
    + """
import pytest

def work():
    return sum(range(5_000))

@pytest.mark.infer(model=work)
def test_skips(infer_engine):
    if ELSEWHERE:
        pytest.skip("not here")

@pytest.mark.infer(model=work)
def test_gives_up(infer_engine):
    if ELSEWHERE:
        pytest.xfail("not here")
"""
)


def test_a_suspicion_is_no_skip(suite: Suite) -> None:
    """A test that ran in the suite, looks slow, and sets itself aside in the process that is to confirm it, fails."""
    suite.record(FICKLE)
    for name in ("test_skips", "test_gives_up"):
        suite.doctor(name, latency_times=1e-3)
    (suite.path / "first").touch()
    suite.run().assert_outcomes(failed=2)
    cases = suite.cases()
    assert "a fresh process skipped the test, which ran before: not here (does it" in cases["test_skips"].text
    assert "a fresh process xfailed the test, which ran before: not here (does it" in cases["test_gives_up"].text


def test_an_expected_failure_that_can_not_be_judged(suite: Suite) -> None:
    """It has not passed unexpectedly: a busy machine makes nothing red. A condition of its own is left to pytest."""
    suite.conftest("""
from pytest_infer import measuring

# Whatever this machine does: others take 90 % of it.
measuring.contention = lambda *_: {"others": 0.9}
""")
    suite.write("""
        import pytest

        @pytest.mark.xfail(strict=True, reason="known to be slow")
        @pytest.mark.infer(model=len, inputs=("a",), min_throughput=1e12)
        def test_slow(infer_engine): pass

        @pytest.mark.xfail(False, strict=True, reason="slow elsewhere")
        @pytest.mark.infer(model=len, inputs=("a",), min_throughput=1e12)
        def test_other(infer_engine): pass
    """)
    done = suite.run()
    done.assert_outcomes(xfailed=1, passed=1)
    assert suite.outcomes() == {"test_slow": "invalid", "test_other": "invalid"}
