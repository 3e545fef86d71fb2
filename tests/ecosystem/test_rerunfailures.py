"""Beside pytest-rerunfailures: a test that is run again is measured again, and told once."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import Suite

pytest.importorskip("pytest_rerunfailures")
pytestmark = pytest.mark.usefixtures("all_plugins")


def test_last_run_counts(suite: Suite) -> None:
    """Its last verdict counts, whether its body or its budget failed before."""
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


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "xdist"])
def test_regression(suite: Suite, workers: tuple[str, ...]) -> None:
    """A regressed test is confirmed again by fresh processes that rerun nothing; its numbers stand in JUnit once."""
    suite.record()
    suite.loosen()
    suite.doctor("test_one", latency_times=1e-12)
    done = suite.run("--reruns=1", "--infer-confirm=1", *workers)
    done.assert_outcomes(failed=1, passed=1)
    done.stdout.fnmatch_lines(["*1 rerun*"])
    assert suite.outcomes() == {"test_one": "regressed", "test_two": "passed"}
    assert len(suite.report().results) == 2
    junit = ET.parse(suite.path / "junit.xml")  # noqa: S314 - we wrote it
    for case in junit.iter("testcase"):
        names = [node.get("name") for node in case.iter("property")]
        assert "infer_outcome" in names
        assert len(set(names)) == len(names)
