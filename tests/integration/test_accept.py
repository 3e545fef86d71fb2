"""A baseline made on a runner and taken over elsewhere: by real recordings, real reports and the real command."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib import resources
from typing import TYPE_CHECKING, Any

import jsonschema

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Suite

SUITE = """
import pytest

def work():
    return sum(range(5_000))

@pytest.mark.infer(model=work)
def test_one(infer_engine):
    infer_engine()

@pytest.mark.infer(model=work, max_latency_ms=1e-9)
def test_slow(infer_engine):
    infer_engine()
"""


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `pytest-infer` in a process of its own."""
    code = "from pytest_infer.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def valid(report: Path) -> dict[str, Any]:
    """A report that keeps to the published schema."""
    content: dict[str, Any] = json.loads(report.read_text())
    schema = json.loads(resources.files("pytest_infer.report").joinpath("schema/report-1.json").read_text())
    jsonschema.validate(content, schema)
    return content


def test_from_the_runner_to_the_review(suite: Suite) -> None:
    """The report of a recording makes the very file that the runner itself wrote; what it refused is refused again."""
    suite.write(SUITE)
    (suite.path / "pytest.ini").write_text("[pytest]\n")
    assert suite.run("--infer-update-baselines").ret == 1, "one is over its budget"
    report = valid(suite.path / "report.json")
    assert {len(result["recorded"]) for result in report["results"]} == {2}
    written = suite.baseline().read_bytes()

    assert command(suite.path, "baselines", "accept", "report.json").returncode == 1
    assert suite.baseline().read_bytes() == written, "what is there is not added again"

    shutil.rmtree(suite.path / "baselines")
    done = command(suite.path, "baselines", "accept", "report.json")
    assert done.returncode == 1
    assert "refused: test_it.py::test_slow: over_budget" in done.stderr
    assert suite.baseline().read_bytes() == written

    suite.run()
    assert suite.outcomes()["test_one"] != "no_baseline"
    valid(suite.path / "report.json")
    done = command(suite.path, "compare", "report.json", "report.json")
    assert done.returncode == 0, done.stderr


def test_a_plain_run_makes_a_first_baseline(suite: Suite) -> None:
    """One run, which the file owns up to; the next run is compared with it."""
    suite.write(SUITE)
    suite.run("-k", "test_one")
    report = valid(suite.path / "report.json")
    assert [result["recorded"] for result in report["results"]] == [[]]
    done = command(suite.path, "baselines", "accept", "report.json", "--json")
    assert done.returncode == 0, done.stderr
    (session,) = suite.content()["sessions"].values()
    assert session["reason"] == "one run in the suite's own process"
    suite.run("-k", "test_one")
    assert suite.outcomes()["test_one"] != "no_baseline"


def test_a_run_without_a_look_at_baselines_disarms_nothing(suite: Suite) -> None:
    """A report made with --infer-baseline-mode=off says `passed` of anything: slower is refused all the same."""
    suite.record()
    (suite.path / "pytest.ini").write_text("[pytest]\n")
    suite.doctor("test_one", latency_times=1e-3)
    before = suite.baseline().read_bytes()
    assert suite.run("--infer-baseline-mode=off", "test_it.py::test_one").ret == 0
    assert suite.outcomes() == {"test_one": "passed"}
    done = command(suite.path, "baselines", "accept", "report.json")
    assert done.returncode == 1
    assert "refused: test_it.py::test_one: regressed beside the runs that it is to join" in done.stderr
    assert suite.baseline().read_bytes() == before
    assert command(suite.path, "baselines", "accept", "report.json", "--force").returncode == 0
    assert len(suite.entry("test_one")["runs"]) == 1
