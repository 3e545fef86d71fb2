"""Tests that fail without a verdict: no report keeps them to itself, whichever process ran them."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING

import jsonschema
import pytest

from pytest_infer.report import gitlab
from pytest_infer.report.github import commands, summarise
from pytest_infer.report.markdown import COMMENT, markdown
from pytest_infer.result import BrokenTest
from pytest_infer.verdict import Outcome
from tests.report_told.conftest import report_of
from tests.report_told.test_github import read
from tests.report_told.test_gitlab import values
from tests.report_told.test_markdown import fences, tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_infer.result import Result
    from tests.integration.conftest import Suite

BROKEN = """
import os

import pytest

pytestmark = pytest.mark.infer(model=sum, inputs=([1, 2],))

@pytest.fixture
def lacking():
    raise ValueError("no weights here\\nand more")

@pytest.fixture
def untidy():
    yield
    raise OSError("still open")

def test_setup(lacking, infer_engine): pass

def test_fixture(infer_engine, unknown): pass

@pytest.mark.infer(max_latncy_ms=1)
def test_marker(infer_engine): pass

def test_body(infer_engine):
    assert infer_engine([3]) == 4

def test_teardown(infer_engine, untidy): pass

@pytest.mark.xfail(reason="known")
def test_expected(lacking, infer_engine): pass

@pytest.mark.xfail(strict=True, reason="known")
def test_expected_strictly(infer_engine):
    assert False

def test_skipped(infer_engine):
    pytest.skip("not today")

@pytest.mark.infer(max_latency_ms=1e-9)
def test_slow(infer_engine): pass

def test_fine(infer_engine): pass

"""
PLAIN = "\ndef test_plain():\n    assert False\n"
TOLD = {
    "test_setup": ("setup", "ValueError: no weights here"),
    "test_fixture": ("setup", "fixture 'unknown' not found"),
    "test_marker": ("setup", "@pytest.mark.infer has no argument 'max_latncy_ms'; did you mean 'max_latency_ms'?"),
    "test_body": ("call", "assert 3 == 4"),
    "test_teardown": ("teardown", "OSError: still open"),
}


@pytest.mark.parametrize("options", [("--infer-isolate=never",), ("--infer-isolate=never", "-n2"), ("--tb=no",)])
def test_every_report_tells_them(suite: Suite, options: tuple[str, ...]) -> None:
    """Whose, in which phase, and the first line of why, beside the verdicts; what is expected to fail is not told."""
    if "-n2" in options:
        pytest.importorskip("xdist")
    suite.write(BROKEN)
    suite.write(PLAIN, "test_other")
    done = suite.run(*options, "--infer-report=told.md", "--infer-report=told.txt")
    assert done.ret == 1
    errors = {error.nodeid.partition("::")[2]: (error.phase, error.message) for error in suite.report().errors}
    assert errors == TOLD
    assert suite.outcomes() == {"test_teardown": "no_baseline", "test_slow": "over_budget", "test_fine": "no_baseline"}
    schema = json.loads(resources.files("pytest_infer.report").joinpath("schema/report-1.json").read_text())
    jsonschema.validate(json.loads((suite.path / "report.json").read_text()), schema)
    document = (suite.path / "told.md").read_text()
    assert document.startswith(
        "### pytest-infer: 1 of 3 measurements failed, 5 tests failed without a verdict\n\n2 no_baseline, 1 over_budget"
    )
    look = [row[:2] for row in tables(document)[0][1:]]
    assert look[0] == ["test_it.py::test_slow", "over_budget"]
    assert sorted(look[1:]) == sorted([f"test_it.py::{test}", "error"] for test in TOLD)
    for test, (phase, message) in TOLD.items():
        assert f"error: test_it.py::{test}\n  {phase}: {message}\n" in fences(document)
    found = values((suite.path / "told.txt").read_text())
    assert [found["infer_errors", f"phase={phase}"] for phase in ("setup", "call", "teardown")] == [3, 1, 1]


def test_a_run_that_measured_nothing_at_all(suite: Suite) -> None:
    """Not `no infer test ran`: all of them failed."""
    suite.write("""
        import pytest

        @pytest.fixture
        def lacking():
            raise ValueError("no weights here")

        @pytest.mark.infer(model=len)
        @pytest.mark.parametrize("n", range(8))
        def test_it(lacking, infer_engine, n): pass
    """)
    suite.run("--infer-report=told.md", "--infer-report=told.txt")
    assert len(suite.report().errors) == 8
    assert suite.report().results == ()
    assert (suite.path / "told.md").read_text().startswith("### pytest-infer: 8 tests failed without a verdict\n")
    assert values((suite.path / "told.txt").read_text())["infer_errors", "phase=setup"] == 8


def test_in_a_process_of_its_own(suite: Suite) -> None:
    """A worker that dies, and a body that fails there, are told like any other."""
    suite.write("""
        import os
        import pytest

        pytestmark = pytest.mark.infer(model=len, inputs=("abc",))

        def test_dies(infer_engine):
            os._exit(3)

        def test_fails(infer_engine):
            assert infer_engine("ab") == 3
    """)
    suite.run("--infer-isolate=always")
    errors = {error.nodeid.partition("::")[2]: (error.phase, error.message) for error in suite.report().errors}
    assert errors["test_dies"] == ("call", "a worker process ended with exit status 3 before it answered")
    assert errors["test_fails"][0] == "call"
    assert "assert 2 == 3" in errors["test_fails"][1]


def test_a_worker_of_xdists_that_dies(suite: Suite) -> None:
    """Xdist tells of it itself, and knows neither phase nor line."""
    pytest.importorskip("xdist")
    suite.write("""
        import os
        import pytest

        @pytest.mark.infer(model=len, inputs=("abc",))
        def test_dies(infer_engine):
            os._exit(3)
    """)
    suite.run("--infer-isolate=never", "-n1", "--max-worker-restart=0")
    (error,) = suite.report().errors
    assert (error.nodeid, error.phase) == ("test_it.py::test_dies", "call")
    assert "crashed" in error.message


def test_a_last_try_counts(suite: Suite) -> None:
    """Under pytest-rerunfailures a test that passes in the end is no error."""
    pytest.importorskip("pytest_rerunfailures")
    suite.write("""
        import pytest

        tries = []

        @pytest.fixture
        def flaky():
            tries.append(1)
            assert len(tries) > 1

        @pytest.mark.infer(model=len, inputs=("abc",))
        def test_it(flaky, infer_engine): pass
    """)
    assert suite.run("-p", "pytest_rerunfailures", "--infer-isolate=never", "--reruns=1").ret == 0
    assert suite.report().errors == ()


def error(number: int) -> BrokenTest:
    """A test of its own that failed in its setup."""
    return BrokenTest(nodeid=f"t.py::t[{number}]", phase="setup", message="no, 100% sure", location=("t.py", 7))


def test_they_are_annotated(make_result: Callable[..., Result], tmp_path: Path) -> None:
    """On the test's line, behind the verdicts that fail, and no more of both than GitHub shows."""
    slow = make_result(nodeid="t.py::slow", outcome=Outcome.REGRESSED, failed=True)
    report = report_of(slow, errors=tuple(map(error, range(12))))
    found = [read(line) for line in commands(report, tmp_path, None)]
    assert [a.title for a in found] == ["regressed: t.py::slow", *(f"error: t.py::t[{i}]" for i in range(9))]
    assert {(a.kind, a.file, a.line, a.message) for a in found[1:]} == {("error", "t.py", 7, "setup: no, 100% sure")}
    assert commands(report, tmp_path, None, failures=False) == []
    summarise(report, tmp_path / "summary.md")
    assert "GitHub shows 10 of 13 failures" in (tmp_path / "summary.md").read_text()


def test_the_step_hears_of_a_run_that_measured_nothing(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also without any report that was asked for."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(suite.path / "summary.md"))
    suite.write("""
        import pytest

        @pytest.mark.infer(model=len)
        def test_it(lacking, infer_engine): pass
    """)
    done = suite.run_bare("-p", "no:randomly")
    done.stdout.fnmatch_lines(["::error file=test_it.py,*title=error%3A test_it.py%3A%3Atest_it::setup: fixture*"])
    assert (suite.path / "summary.md").read_text().startswith("### pytest-infer: 1 test failed without a verdict\n")


def test_more_than_fit_are_counted() -> None:
    """In Markdown: as many as there is room for, and how many are left."""
    errors = tuple(map(error, range(5000)))
    document = markdown(report_of(errors=errors), limit=COMMENT)
    assert len(document.encode()) <= COMMENT
    shown = len(tables(document)[0]) - 1
    assert f"… and {5000 - shown} more of these: {5000 - shown} error." in document


def test_none_is_zero() -> None:
    """GitLab compares with the target branch: the metric is always there."""
    found = values(gitlab.encode(report_of()).decode())
    assert [found["infer_errors", f"phase={phase}"] for phase in ("setup", "call", "teardown")] == [0, 0, 0]
