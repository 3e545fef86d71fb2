"""Beside pytest-cov: what is timed under coverage is not believed; processes of our own run without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import Suite

pytest.importorskip("pytest_cov")
pytestmark = pytest.mark.usefixtures("all_plugins")

SOURCE = """
import pytest

def work():
    return sum(range(5_000))

@pytest.mark.infer(model=work)
def test_it(infer_engine): infer_engine()
"""


def test_timing_under_coverage(suite: Suite) -> None:
    """It is invalid and coverage is named; `-W error` changes nothing; with `--no-cov` it is a measurement again."""
    suite.write(SOURCE)
    done = suite.run("--cov=test_it", "--cov-report=", "-W", "error")
    assert done.ret == 0
    (result,) = suite.results().values()
    assert result.outcome == "invalid"
    assert "coverage" in result.reasons[0].lower()
    suite.run("--cov=test_it", "--cov-report=", "--no-cov")
    assert suite.outcomes() == {"test_it": "no_baseline"}


def test_benchmark_fixture(suite: Suite) -> None:
    """pytest-benchmark pauses coverage while it times: its rounds are to be believed."""
    suite.write(
        "import pytest\n\n@pytest.mark.infer\ndef test_it(benchmark): benchmark.pedantic(sum, ([1, 2],), rounds=5)\n"
    )
    suite.run("--cov=test_it", "--cov-report=")
    assert suite.outcomes() == {"test_it benchmark": "no_baseline"}


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "xdist"])
def test_fresh_processes(suite: Suite, workers: tuple[str, ...]) -> None:
    """They run without coverage, even where that is told to follow every process: no file of theirs is left."""
    (suite.path / ".coveragerc").write_text("[run]\npatch = subprocess\n")
    suite.write(SOURCE)
    done = suite.run("--cov=test_it", "--cov-report=term", "--infer-update-baselines", *workers)
    assert done.ret == 0
    assert suite.outcomes() == {"test_it": "passed"}
    assert len(suite.entry("test_it")["runs"]) == 2
    assert [path.name for path in suite.path.glob(".coverage*") if path.name != ".coveragerc"] == [".coverage"]
    done.stdout.fnmatch_lines(["test_it.py * *%"])
