"""What a worker printed, by the phases of its test: marks in its output say where each begins."""

from __future__ import annotations

import re
from typing import Final

_MARK: Final = re.compile(r"--- pytest-infer: (\w+) ---\n?")
_START: Final = ("", "collection")
"""What comes before the test: pytest's own header, and how it found the test."""
_CRASH: Final = "Fatal Python error"
_SHOWN: Final = 2000
"""Characters of a dead worker's output that its error shows."""


def mark(phase: str) -> str:
    """The line behind which `phase` begins."""
    return f"--- pytest-infer: {phase} ---"


def by_phase(output: str) -> dict[str, str]:
    """The output's parts; what comes before the first mark has no name."""
    before, *rest = _MARK.split(output)
    return {"": before, **dict(zip(rest[::2], rest[1::2], strict=True))}


def last_words(output: str) -> str:
    """What tells most of how a worker died: of its test, if it came so far; with a word where it is cut."""
    parts = by_phase(output)
    begun = [name for name in parts if name not in _START]
    said = "".join(parts[name] for name in begun or list(parts)[-1:]).strip()
    crash = said.find(_CRASH)
    if crash >= 0:  # its own report begins with where it happened; of anything else the end says most
        report = said[crash:]
        left = len(report) - _SHOWN
        return report if left <= 0 else f"{report[:_SHOWN]}\n[... {left} more characters]"
    left = len(said) - _SHOWN
    return said if left <= 0 else f"[{left} characters before ...]\n{said[-_SHOWN:]}"
