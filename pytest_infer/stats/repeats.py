"""Which runs are made again, since something happened to them that did not happen to the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_infer.stats.runs import Array, Real

STANDS_OUT: Final = 4.0
"""A run this many run spreads off the others' median is made again (DESIGN 5.3)."""
TENFOLD = 10.0
"""Runs of one recording that lie so far apart are no baseline: it takes a change of tenfold to be seen against them."""
_ONE_IN: Final = 5


def far_off(values: Sequence[float]) -> list[int]:
    """Which runs of a recording took ten times as long as its fastest: a lone one, or one in five."""
    fastest = min(values)
    out = [i for i, value in enumerate(values) if fastest > 0 and value >= TENFOLD * fastest]
    return out if len(out) <= max(1, len(values) // _ONE_IN) else []


def stands_out(y: Array, run_sd: Real, *, slow_only: bool = False) -> NDArray[np.bool_]:
    """(..., K) which of K runs of one session stand out: a lone one, or one in five.

    Where more do, that is how the runs of this test spread, and picking the others would hide it: of runs every other
    of which is 10 % slower, a third of the recordings would hold fast ones only.

    With `slow_only` a fast run stays: of fresh runs under suspicion it is the best witness against it, and making slow
    ones again can only lower the estimate. That costs no level, and saves a real change from one hiccup's variance
    (tests/statistical/test_not_normal.py).

    Args:
        y: (..., K) log values, larger is worse.
        run_sd: (...) the device's run spread, in log units.
        slow_only: leave fast runs as they are.
    """
    off = y - np.median(y, axis=-1, keepdims=True)
    out = (off if slow_only else np.abs(off)) > STANDS_OUT * np.asarray(run_sd)[..., None]
    few = out.sum(axis=-1, keepdims=True) <= max(1, y.shape[-1] // _ONE_IN)
    return np.asarray(out & few)
