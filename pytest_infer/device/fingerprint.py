"""A device as a baseline knows it: a readable slug of what must match."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device that measurements run on.

    Attributes:
        slug: the folder of its baselines; two devices with one slug are interchangeable for timing.
        kind: `cpu` or `gpu`.
        name: the product, as people call it.
        identity: what the slug stands for, in full (a baseline file repeats it, and must agree).
    """

    slug: str
    kind: str
    name: str
    identity: Mapping[str, str | int | float] = field(default_factory=dict)


def slugify(text: str) -> str:
    """`text` in lower case with anything but letters, digits and dots as single hyphens."""
    cleaned = re.sub(r"\((r|tm|c)\)", "", text.lower())
    return re.sub(r"[^a-z0-9.]+", "-", cleaned).strip("-")
