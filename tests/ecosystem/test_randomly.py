"""Beside pytest-randomly: neither the order of tests nor the seeds that it sets change a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import Suite

pytest.importorskip("pytest_randomly")
pytestmark = pytest.mark.usefixtures("all_plugins")

SOURCE = """
import random

import numpy as np
import pytest

infer = pytest.mark.infer
TOO_SLOW = infer(max_latency_ms=1e-9)
PLAIN = infer(model=sum, inputs=([1, 2],))

@PLAIN
@TOO_SLOW
def test_slow(infer_engine): pass

@PLAIN
@pytest.mark.xfail(strict=True, reason="known")
@TOO_SLOW
def test_expected(infer_engine): pass

@PLAIN
def test_fine(infer_engine): pass

@infer(model="models/linear.onnx", batch=[1, 4], reference=lambda x: (x[:, :3],), min_cosine=0.9999)
def test_wrong(infer_engine): pass

@infer(model="models/linear.onnx", batch=4, min_cosine=0.9999)
def test_right(infer_engine, record_property):
    record_property("drawn", f"{random.random()} {np.random.rand()}")
"""


def test_any_order_and_seed(suite: Suite) -> None:
    """Verdicts, and what is computed on inputs that nobody gave, are the same; its seeds reach the user's tests."""
    suite.write(SOURCE)
    told = []
    for options in (
        (),
        ("-p", "randomly", "-p", "randomly", "--randomly-seed=1"),
        ("-p", "randomly", "--randomly-seed=2"),
    ):
        done = suite.run("--infer-isolate=never", *options)
        done.assert_outcomes(failed=3, xfailed=1, passed=2)
        if options:
            done.stdout.fnmatch_lines(["Using --randomly-seed=*"])
        results = suite.results()
        drawn = suite.cases()["test_right"].properties["drawn"]
        told.append((suite.outcomes(), {name: r.accuracy for name, r in results.items()}, drawn, list(results)))
    assert told[0][:2] == told[1][:2] == told[2][:2]
    assert len({drawn for _, _, drawn, _ in told}) == 3
    assert len({tuple(order) for *_, order in told}) > 1
