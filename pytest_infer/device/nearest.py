"""Which of several devices is most like this one: where its baselines may have been left after a change of hardware."""

from __future__ import annotations

import math
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.device.fingerprint import Device

    Identity = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """The device most like this one.

    Attributes:
        slug: the folder of its baselines.
        differs: what is not the same, there → here, the product's name first.
    """

    slug: str
    differs: tuple[str, ...]


def nearest(device: Device, others: Mapping[str, Identity]) -> Nearest | None:
    """The one of `others` (identities by slug) that is most like `device`; None where there are none.

    One of another kind is far, then one of another product, the less alike by name the farther; then counts how many
    facts differ, and by how much.
    """
    if not others:
        return None
    mine, kind = device.identity, _kind(device.slug)
    slug = min(others, key=lambda other: (_kind(other) != kind, *_distance(mine, others[other]), other))
    there = others[slug]
    return Nearest(
        slug=slug,
        differs=tuple(
            f"{key}: {there.get(key, 'absent')} → {mine.get(key, 'absent')}" for key in _differing(mine, there)
        ),
    )


def _kind(slug: str) -> str:
    return slug.partition("-")[0]


def _distance(mine: Identity, other: Identity) -> tuple[float, int, float]:
    names = SequenceMatcher(None, str(mine.get("name", "")), str(other.get("name", ""))).ratio()
    return 1.0 - names, len(_differing(mine, other)), sum(map(math.fabs, _ratios(mine, other)))


def _differing(mine: Identity, other: Identity) -> list[str]:
    return sorted(
        (key for key in mine.keys() | other.keys() if mine.get(key) != other.get(key)),
        key=lambda key: (key != "name", key),
    )


def _ratios(mine: Identity, other: Identity) -> list[float]:
    """How far the figures that both have are apart, as logarithms of their ratios."""
    both = ((mine[key], other[key]) for key in sorted(mine.keys() & other.keys()))
    return [
        math.log(a / b)
        for a, b in both
        if isinstance(a, int | float) and isinstance(b, int | float) and a > 0 and b > 0
    ]
