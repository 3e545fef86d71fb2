"""The report is for everybody: axe finds nothing serious on it, whatever is open, wide or narrow, light or dark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.verdict import Outcome
from tests.report_html.reports import family, report, result

if TYPE_CHECKING:
    from tests.report_html.conftest import Reader


@pytest.fixture(scope="module")
def axe() -> str:
    """axe-core's source, as its package brings it."""
    package = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed")
    return (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_axe_finds_nothing(opened: Reader, axe: str, theme: str, width: int) -> None:
    """With every outcome in the table, filters in use, a row and the pictures open: contrast, names, roles, order."""
    results = [
        result(outcome=outcome, nodeid=f"tests/test_net.py::test_{outcome}", differs=("a: 1 → 2",))
        for outcome in Outcome
    ]
    other = result(nodeid="tests/test_net.py::test_other", measurement={"device": "gpu-a"})
    page = opened(
        report(*results, *family(), other, notes=("a note",)),
        color_scheme=theme,
        viewport={"width": width, "height": 900},
    )
    page.row("test_regressed").click()
    page.page.get_by_text("Environment").click()
    page.page.get_by_role("button", name="failing").click()
    for plot in page.page.locator(".picture").all():
        plot.scroll_into_view_if_needed()
        plot.locator(".main-svg").first.wait_for()
    page.page.evaluate(axe)
    found: dict[str, list[dict[str, Any]]] = page.page.evaluate("axe.run()")
    assert len(found["passes"]) > 20  # it looked
    told = [f"{one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}" for one in found["violations"]]
    assert told == []


@pytest.mark.parametrize("outcome", Outcome)
def test_an_outcome_is_a_shape_and_a_word(opened: Reader, outcome: Outcome) -> None:
    """Nobody needs to tell red from green: the word is there, and on a phone the shape, each outcome's own."""
    page = opened(report(result(outcome=outcome)), viewport={"width": 400, "height": 800})
    badge = page.page.locator("#table > tbody .tone")
    assert badge.inner_text().split()[1:] == [outcome]
    shapes = page.page.locator(".chip").last.inner_text().split()[0]
    assert shapes == badge.inner_text().split()[0]
