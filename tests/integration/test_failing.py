"""A verdict that fails is a failure of the call like any other: for xfail, JUnit, --lf, -x, xdist, reruns and order."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

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


def test_reruns(suite: Suite) -> None:
    """A test that is run again is measured again: its last verdict counts, and is told once."""
    pytest.importorskip("pytest_rerunfailures")
    suite.write("""
        import itertools

        import pytest

        count = itertools.count(1)

        def target():
            return 0

        @pytest.mark.infer(model=target)
        def test_flaky(infer_engine):
            assert next(count) == 3

        @pytest.mark.infer(model=target, max_latency_ms=1e-9)
        def test_slow(infer_engine): pass
    """)
    done = suite.run("--infer-isolate=never", "--reruns=2")
    done.assert_outcomes(failed=1, passed=1)
    done.stdout.fnmatch_lines(["*4 rerun*"])
    assert suite.outcomes() == {"test_flaky": "no_baseline", "test_slow": "over_budget"}
    assert len(suite.report().results) == 2
    text = done.stdout.str()
    assert text.count("test_it.py::test_slow: over_budget") == 1


def test_random_order(suite: Suite) -> None:
    """In any order the verdicts are the same."""
    pytest.importorskip("pytest_randomly")
    suite.write(SOURCE)
    done = suite.run("--infer-isolate=never", "-p", "randomly")
    done.stdout.fnmatch_lines(["Using --randomly-seed=*"])
    done.assert_outcomes(failed=3, xfailed=2, passed=1)


def test_xdist(suite: Suite) -> None:
    """Under -n 2 the controller reports every verdict once, and measurements on one device don't overlap."""
    pytest.importorskip("xdist")
    suite.write("""
        import os
        import time
        from pathlib import Path

        import pytest

        LOG = Path(__file__).with_name("log")
        infer = pytest.mark.infer

        def target():
            return sum(range(1000))

        def note(word):
            with LOG.open("a") as file:
                file.write(f"{word} {os.getpid()}\\n")

        @pytest.fixture(autouse=True)
        def lined(monkeypatch):
            from pytest_infer import measuring
            measure = measuring.measure

            def noted(*args):
                note("begin")
                try:
                    return measure(*args)
                finally:
                    note("end")

            monkeypatch.setattr(measuring, "measure", noted)

        @infer(model=target)
        @pytest.mark.parametrize("n", range(4))
        def test_fine(infer_engine, n): pass

        @infer(model=target, max_latency_ms=1e-9)
        @pytest.mark.parametrize("n", range(2))
        def test_slow(infer_engine, n): pass

        @infer(max_latency=1)
        def test_wrong(infer_engine): pass
    """)
    done = suite.run("-n2", "--infer-isolate=never", "--maxfail=10")
    done.assert_outcomes(passed=4, failed=2, errors=1)
    assert sorted(suite.outcomes().items()) == [
        *((f"test_fine[{n}]", "no_baseline") for n in range(4)),
        *((f"test_slow[{n}]", "over_budget") for n in range(2)),
    ]
    cases = suite.cases()
    assert cases["test_wrong"].status == "error"
    assert float(cases["test_slow[0]"].properties["infer_latency_ms"]) > 0
    lines = [line.split() for line in (suite.path / "log").read_text().splitlines()]
    assert len(lines) == 12
    for begin, end in zip(lines[::2], lines[1::2], strict=True):
        assert (begin[0], end[0]) == ("begin", "end")
        assert begin[1] == end[1]
    assert len({pid for _, pid in lines}) == 2
    assert suite.left() == []


def test_xdist_regression(suite: Suite) -> None:
    """A worker of xdist starts fresh processes of its own: a regression is confirmed, and recording is saved once."""
    pytest.importorskip("xdist")
    suite.record()
    suite.loosen()
    suite.doctor("test_one", latency_times=1e-12)
    done = suite.run("-n2", "--infer-confirm=1", "test_it.py::test_one")
    assert done.ret == 1
    assert suite.outcomes() == {"test_one": "regressed"}
    before = len(suite.entry("test_two")["runs"])
    done = suite.run("-n2", "--infer-runs=1", "--infer-update-baselines", "test_it.py::test_two")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["baselines: 1 saved to *"])
    assert len(suite.entry("test_two")["runs"]) == before + 1
