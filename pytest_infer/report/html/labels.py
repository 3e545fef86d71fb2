"""Where the labels of points go, so that none stands on another: worked out for pages of several widths at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Point: TypeAlias = tuple[float, float]
"""Shares of the width and of the height."""
Box: TypeAlias = tuple[float, float, float, float]
"""Left, bottom, right and top, in pixels."""

AREAS: Final = ((210.0, 220.0), (290.0, 230.0), (380.0, 240.0), (480.0, 260.0), (600.0, 280.0))
"""Width and height of what a figure is drawn in, in pixels, from a phone to a desk."""
_LETTER: Final = 8.0
_LINE: Final = 16.0
_MARKER: Final = 11.0
_REACH: Final = 8.0
"""Pixels: of a letter at most, of a line, of a marker, and from a point to its label."""
PLACES: Final = {
    "top center": (0, 1), "bottom center": (0, -1), "middle right": (1, 0), "middle left": (-1, 0),
    "top right": (1, 1), "top left": (-1, 1), "bottom right": (1, -1), "bottom left": (-1, -1),
}  # fmt: skip
"""plotly.js's words, and which way from the point each lies: to the right, and up."""
_MOST: Final = 100
"""More points than these are a cloud, in which no label helps."""


def placed(points: Sequence[Point], labels: Sequence[str]) -> list[str | None]:
    """A place for each point's label, as plotly.js calls it; None for one that there is no room for."""
    if len(points) > _MOST:
        return [None] * len(points)
    found: list[str | None] = []
    taken = [[_box(point, area, _MARKER, _MARKER) for point in points] for area in AREAS]
    for point, label in zip(points, labels, strict=True):
        place = next((name for name in PLACES if _free(list(boxes_of(point, label, name)), taken)), None)
        found.append(place)
        if place is not None:
            for boxes, box in zip(taken, boxes_of(point, label, place), strict=True):
                boxes.append(box)
    return found


def boxes_of(point: Point, label: str, place: str) -> Iterator[Box]:
    """What a label takes, in each of the areas."""
    aside, up = PLACES[place]
    width = _LETTER * len(label)
    for area in AREAS:
        left, bottom, right, top = _box(point, area, width, _LINE)
        x, y = aside * (width / 2 + _REACH), up * (_LINE / 2 + _REACH)
        yield left + x, bottom + y, right + x, top + y


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes have any part in common."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _free(label: Sequence[Box], taken: Sequence[Sequence[Box]]) -> bool:
    """Whether a label lies within all of the areas, and upon nothing there."""
    inside = all(
        left >= 0 and bottom >= 0 and right <= area[0] and top <= area[1]
        for (left, bottom, right, top), area in zip(label, AREAS, strict=True)
    )
    return inside and not any(overlap(box, other) for box, boxes in zip(label, taken, strict=True) for other in boxes)


def _box(point: Point, area: tuple[float, float], width: float, height: float) -> Box:
    x, y = point[0] * area[0], point[1] * area[1]
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2
