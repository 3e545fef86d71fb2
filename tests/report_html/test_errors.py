"""Tests that failed without a verdict, on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.result import BrokenTest
from pytest_infer.verdict import Outcome
from tests.report_html.reports import HOSTILE, report, result

if TYPE_CHECKING:
    from tests.report_html.conftest import Reader

SLOW = result(nodeid="tests/test_net.py::test_slow[int8]", latency=2.6, outcome=Outcome.REGRESSED)
SAME = result(nodeid="tests/test_net.py::test_same[fp32]", latency=12.0, changes=(), history=())


def test_they_stand_among_the_failures(opened: Reader) -> None:
    """Counted in the headline, among the failures behind the verdicts; a row opens to what happened."""
    errors = tuple(
        BrokenTest(nodeid=f"tests/test_net.py::test_{name}", phase="setup", message=f"no {HOSTILE}") for name in "ab"
    )
    page = opened(report(SAME, SLOW, errors=errors))
    heading = "1 of 2 measurements fails; 2 tests failed without a verdict"
    assert page.page.get_by_role("heading", level=1).inner_text() == f"✗ {heading}"
    assert page.rows() == ["test_slow[int8]", "test_a", "test_b", "test_same[fp32]"]
    chips = page.page.get_by_role("group", name="Show only").get_by_role("button").all()
    assert [chip.inner_text().split() for chip in chips[:2]] == [["✗", "failing", "3"], ["✖", "error", "2"]]
    chips[1].click()
    assert page.rows() == ["test_a", "test_b"]
    page.row("test_a").click()
    assert page.page.get_by_text(f"setup: no {HOSTILE}").is_visible()
    assert page.page.get_by_label("Device").count() == 0
    assert page.page.locator(".picture").count() == 0
    assert page.complaints == []


def test_a_run_in_which_all_failed_before(opened: Reader) -> None:
    """It is no run that measured nothing in peace."""
    page = opened(report(errors=(BrokenTest(nodeid="t.py::test_a", phase="setup", message="no"),)))
    assert page.page.get_by_role("heading", level=1).inner_text() == "✗ 1 test failed without a verdict"
    assert page.rows() == ["test_a"]
