"""Stores, reporters and listeners of other people, from a conftest.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.integration.conftest import Suite

HOOKS = """
from pathlib import Path

from pytest_infer.baselines.directory import DirectoryStore

def pytest_infer_make_store(location):
    return DirectoryStore(Path("vault")) if location == "our vault" else None

def pytest_infer_make_reporter(path):
    if path.suffix == ".csv":
        return lambda run: "".join(f"{r.nodeid},{r.outcome}\\n" for r in run.results).encode()

def pytest_infer_verdict(result):
    with open("heard.txt", "a") as file:
        print(result.nodeid, result.outcome, file=file)
"""
SOURCE = """
import pytest

@pytest.mark.infer(model=len, inputs="a")
def test_one(infer_engine): pass
"""


def test_each_is_asked_before_ours(suite: Suite) -> None:
    """Baselines go where their store keeps them, a report of a kind of theirs is written, each verdict is heard."""
    suite.conftest(HOOKS)
    suite.write(SOURCE)
    suite.run("--infer-baselines=our vault", "--infer-update-baselines").assert_outcomes(passed=1)
    assert [path.name for path in (suite.path / "vault").glob("*/*.json")] == ["test_it.json"]
    assert not (suite.path / "baselines").exists()
    suite.run("--infer-baselines=our vault", "--infer-report=told.csv").assert_outcomes(passed=1)
    (outcome,) = suite.outcomes().values()
    assert outcome != "no_baseline"
    assert (suite.path / "told.csv").read_text() == f"test_it.py::test_one,{outcome}\n"
    assert (suite.path / "heard.txt").read_text().splitlines()[-1] == f"test_it.py::test_one {outcome}"
