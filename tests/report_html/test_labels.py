"""Labels of points: each is where it can be read, on any page."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_infer.report.html.labels import AREAS, boxes_of, overlap, placed
from tests.report_html.reports import family, report

if TYPE_CHECKING:
    from tests.report_html.conftest import Reader

shares = st.floats(0, 1)
spots = st.lists(st.tuples(shares, shares), max_size=25)


@settings(deadline=None)
@given(spots, st.data())
def test_no_label_stands_on_another(points: list[tuple[float, float]], data: st.DataObject) -> None:
    """Nor on a point, nor beyond the edge; where there is no room there is none."""
    labels = [data.draw(st.sampled_from(["fp32", "int8", "bf16"])) for _ in points]
    places = placed(points, labels)
    shown = [
        list(boxes_of(point, label, place))
        for point, label, place in zip(points, labels, places, strict=True)
        if place is not None
    ]
    for number, (width, height) in enumerate(AREAS):
        boxes = [box[number] for box in shown]
        assert not any(overlap(one, other) for one, other in itertools.combinations(boxes, 2))
        assert not any(
            left < x * width < right and bottom < y * height < top
            for left, bottom, right, top in boxes
            for x, y in points
        )
        assert all(left >= 0 and right <= width for left, _, right, _ in boxes)


def test_points_apart_have_their_labels_above() -> None:
    """As if there were no others."""
    assert placed([(0.2, 0.5), (0.8, 0.5)], ["fp32", "int8"]) == ["top center", "top center"]


def test_points_together_have_their_labels_around() -> None:
    """Two at one place: one above, one below; so many that none would be read: none."""
    assert placed([(0.5, 0.5), (0.5, 0.5)], ["fp32", "int8"]) == ["top center", "bottom center"]
    assert placed([(0.5, 0.5)] * 2000, ["fp32"] * 2000) == [None] * 2000


@pytest.mark.parametrize("width", [1280, 400])
def test_labels_of_points_can_be_read(opened: Reader, width: int) -> None:
    """In a browser's own measure no label of accuracy against latency stands on another, or is cut off."""
    page = opened(report(*family()), viewport={"width": width, "height": 900})
    plot = page.page.locator(".group .picture").last
    plot.scroll_into_view_if_needed()
    plot.locator(".textpoint text").last.wait_for()
    boxes = [label.bounding_box() for label in plot.locator(".textpoint text").all() if label.text_content()]
    whole = plot.bounding_box()
    assert whole is not None
    assert len(boxes) == 6
    for one, other in itertools.combinations(boxes, 2):
        assert one is not None
        assert other is not None
        apart = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
        assert apart or one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
    assert all(
        box is not None and whole["x"] <= box["x"] <= whole["x"] + whole["width"] - box["width"] for box in boxes
    )
