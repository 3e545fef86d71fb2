"""Beside pytest-xdist: the controller has every result, once; the workers take turns on a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import Suite

pytest.importorskip("xdist")

SOURCE = """
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

    def noted(*args, **more):
        note("begin")
        try:
            return measure(*args, **more)
        finally:
            note("end")

    monkeypatch.setattr(measuring, "measure", noted)

@infer(model="models/linear.onnx", batch=[1, 2], precision=["fp32"])
@pytest.mark.parametrize("n", range(4))
def test_fine(infer_engine, n): pass

@infer(model=target, max_latency_ms=1e-9)
@pytest.mark.parametrize("n", range(2))
def test_slow(infer_engine, n): pass

@infer(max_latency=1)
def test_wrong(infer_engine): pass

def test_plain(): pass
"""


def test_four_workers(suite: Suite) -> None:
    """Under -n 4 there are the same tests and verdicts as without, and measurements on one device don't overlap."""
    suite.write(SOURCE)
    suite.run("--infer-isolate=never")
    alone, ids = suite.outcomes(), set(suite.cases())
    (suite.path / "log").unlink()
    done = suite.run("-n4", "--dist=load", "--infer-isolate=never", "--maxfail=10")
    done.assert_outcomes(passed=9, failed=2, errors=1)
    assert suite.outcomes() == alone
    assert set(suite.cases()) == ids
    assert len(alone) == len(suite.report().results) == 10
    assert alone["test_fine[fp32-b2-3]"] == "no_baseline"
    assert alone["test_slow[1]"] == "over_budget"
    cases = suite.cases()
    assert cases["test_wrong"].status == "error"
    assert float(cases["test_slow[0]"].properties["infer_latency_ms"]) > 0
    lines = [line.split() for line in (suite.path / "log").read_text().splitlines()]
    assert len(lines) == 20
    for begin, end in zip(lines[::2], lines[1::2], strict=True):
        assert (begin[0], end[0]) == ("begin", "end")
        assert begin[1] == end[1]
    assert len({pid for _, pid in lines}) > 1
    assert suite.left() == []


GROUPING = """
def pytest_collection_modifyitems(config, items):
    # xdist 3.8 does so by `_nodeid`, which newer pytests don't have.
    if getattr(config.option, "loadgroup", False):
        for item in items:
            if hasattr(item, "_id"):
                item._id = item._id.parse(f"{item.nodeid}@gpu")
"""
GROUPED = """
import pytest

pytestmark = pytest.mark.xdist_group("gpu")

def work():
    return sum(range(5_000))

@pytest.mark.infer(model=work)
def test_one(infer_engine): pass

@pytest.mark.infer(model=work)
def test_two(infer_engine): pass
"""


def test_groups(suite: Suite) -> None:
    """--dist=loadgroup adds the group to a test's id: its baseline, its fresh processes and its results know it not."""
    suite.conftest(GROUPING)
    suite.record(GROUPED)
    suite.loosen()
    suite.doctor("test_one", latency_times=1e-12)
    done = suite.run("-n2", "--dist=loadgroup", "--infer-confirm=1", "--infer-baseline-mode=require")
    assert done.ret == 1
    assert suite.outcomes() == {"test_one": "regressed", "test_two": "passed"}
    assert "regressed: test_it.py::test_one\n" in suite.cases()["test_one@gpu"].text
    before = len(suite.entry("test_two")["runs"])
    done = suite.run("-n2", "--dist=loadgroup", "--infer-runs=1", "--infer-update-baselines", "-k", "two")
    assert done.ret == 0
    assert len(suite.entry("test_two")["runs"]) == before + 1
    assert len(suite.content()["entries"]) == 2


def test_regression(suite: Suite) -> None:
    """A worker of xdist starts fresh processes of its own: a regression is confirmed, and recording is saved once."""
    suite.record()
    suite.loosen()
    suite.doctor("test_one", latency_times=1e-12)
    done = suite.run("-n4", "--infer-confirm=1", "test_it.py::test_one")
    assert done.ret == 1
    assert suite.outcomes() == {"test_one": "regressed"}
    before = len(suite.entry("test_two")["runs"])
    done = suite.run("-n4", "--infer-runs=1", "--infer-update-baselines", "test_it.py::test_two")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["baselines: 1 saved to *"])
    assert len(suite.entry("test_two")["runs"]) == before + 1
