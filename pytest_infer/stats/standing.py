"""Where one run stands to a budget."""

from __future__ import annotations

from enum import Enum


class Standing(Enum):
    """Clearly within, clearly over, or near: to be confirmed by fresh runs."""

    WITHIN = "within"
    NEAR = "near"
    OVER = "over"
