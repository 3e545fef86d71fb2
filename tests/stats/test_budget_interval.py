"""One run and several against a budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.stats.budget_interval import GROSS, budget_confirm, budget_screen
from pytest_infer.stats.spread import GPU, estimate_spread
from pytest_infer.stats.standing import Standing

SPREAD = estimate_spread([], GPU)


@pytest.mark.parametrize(
    ("y", "standing"),
    [
        (-0.10, Standing.WITHIN),
        (-0.01, Standing.NEAR),
        (0.0, Standing.NEAR),
        (0.03, Standing.NEAR),
        (0.5, Standing.NEAR),
        (0.8, Standing.OVER),
    ],
)
def test_what_is_near_is_confirmed(y: float, standing: Standing) -> None:
    """On a device whose runs spread by a percent: 10 % below is within, twice the limit is over, else nobody knows."""
    assert budget_screen(y, 0.0, SPREAD) is standing


def test_over_is_the_whole_interval() -> None:
    """Three runs 10 % over are over; three that straddle the limit are not, nor is one within it beside high ones."""
    assert budget_confirm(np.array([0.10, 0.101, 0.099]), 0.0, SPREAD).over
    assert not budget_confirm(np.array([-0.01, 0.0, 0.012]), 0.0, SPREAD).over
    assert not budget_confirm(np.array([-0.01, 0.0, 0.30]), 0.0, SPREAD).over
    assert not budget_confirm(np.array([-0.01, 0.20, 0.20]), 0.0, SPREAD).over


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=6), st.floats(-1, 1))
def test_the_interval_is_what_decides(y: list[float], limit: float) -> None:
    """Over where its lower end and every run lie beyond the limit, or every run far; centred on the mean."""
    interval = budget_confirm(np.array(y), limit, SPREAD)
    assert interval.low <= interval.estimate <= interval.high
    assert interval.estimate == pytest.approx(np.mean(y), abs=1e-12)
    least = min(y) - limit
    over = (least > 0 and interval.low > limit) or least > GROSS
    assert interval.over == over or min(abs(interval.low - limit), abs(least), abs(least - GROSS)) < 1e-12
