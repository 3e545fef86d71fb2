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
        uuid: of a GPU or MIG instance, as NVML and CUDA tell it; empty for the CPU. In the process that measures, the
            GPU is the only one that CUDA sees, so its number there is 0.
        facts: what is recorded with a session on it and told where it differs: driver, power limit, ECC.
    """

    slug: str
    kind: str
    name: str
    identity: Mapping[str, str | int | float] = field(default_factory=dict)
    uuid: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def lock_name(self) -> str:
        """What its lock file is called: one lock a GPU, one for all of the CPU. Old MIG names have slashes in them."""
        return re.sub(r"[^\w.-]", "-", self.uuid or self.slug)


def slugify(text: str) -> str:
    """`text` in lower case with anything but letters, digits and dots as single hyphens."""
    cleaned = re.sub(r"\((r|tm|c)\)", "", text.lower())
    return re.sub(r"[^a-z0-9.]+", "-", cleaned).strip("-")
