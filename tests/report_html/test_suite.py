"""HTML reports of real runs of pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import Suite
    from tests.report_html.conftest import Reader


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_the_accepted_runs_reach_the_reports(suite: Suite, opened: Reader, workers: list[str]) -> None:
    """Those that a test was compared with, with their days; also where the test ran in a worker of xdist."""
    if workers:
        pytest.importorskip("xdist")
    suite.record()
    suite.loosen()
    done = suite.run("--infer-report=report.html", *workers)
    assert done.ret == 0, done.outlines
    done.stdout.fnmatch_lines(["report: *report.html"])
    stored = suite.entry("test_one")["runs"]
    result = suite.results()["test_one"]
    assert [run.metrics["latency"] for run in result.history] == [run["metrics"]["latency"] for run in stored]
    assert all(run.recorded.startswith("20") for run in result.history)
    assert result.rounds == {}
    page = opened.file(suite.path / "report.html")
    assert sorted(page.rows()) == ["test_one", "test_two"]
    page.row("test_one").click()
    page.pictures(".detail").nth(1).wait_for()
    assert f"{len(stored)} accepted runs" in str(page.page.locator(".picture").nth(1).get_attribute("aria-label"))
    assert (page.requests, page.complaints) == ([], [])


def test_without_the_extra_it_is_told_before_anything_runs(suite: Suite) -> None:
    """Status 4 and one line that names the extra; no report of another kind instead."""
    suite.write("def test_it(): pass")
    (suite.path / "lacking.py").write_text("import sys\nsys.modules['plotly'] = None\n")
    done = suite.run("-p", "lacking", "--infer-report=report.html")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in done.errlines if line.strip()]
    assert "--infer-report=report.html needs the package 'plotly'" in line
    assert "pip install 'pytest-infer[report]'" in line


def test_a_report_that_was_kept_makes_the_same_page(suite: Suite) -> None:
    """The page is made of what the JSON report holds: of the file that was read back it is the same to the letter."""
    from pytest_infer.report.html.page import render

    suite.write("""
        import pytest

        @pytest.mark.infer(model="models/linear.onnx", batch=[1, 2])
        def test_it(infer_engine): pass
    """)
    assert suite.run("--infer-report=report.html").ret == 0
    assert render(suite.report()) == (suite.path / "report.html").read_bytes()
