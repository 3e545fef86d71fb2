"""Times of single calls as rounds, few enough to be kept, sent and drawn by tools that hold every one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_ROUNDS: Final = 1000
"""A microsecond's call is timed a million times; a thousand sums of a thousand tell a histogram as much."""


def in_rounds(times_ns: Sequence[int], calls: int = 1) -> tuple[tuple[int, ...], int]:
    """Sum successive times up until at most `MOST_ROUNDS` are left; what fills no round at the end is left out.

    Args:
        times_ns: in order, nanoseconds.
        calls: how many calls each of these holds.

    Returns:
        The time of each round in ns, and how many calls a round holds.
    """
    together = max(1, -(-len(times_ns) // MOST_ROUNDS))
    count = len(times_ns) // together
    return tuple(sum(times_ns[i * together : (i + 1) * together]) for i in range(count)), together * calls
