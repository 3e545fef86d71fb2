"""Budgets: near ones are confirmed, honest ones kept, broken ones found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pytest_infer.stats.budget_interval import CLEARLY_OVER, CLEARLY_WITHIN, beyond, over_limit
from pytest_infer.stats.moderation import Variance
from pytest_infer.stats.spread import CPU, GPU, Spread, estimate_spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

RUN_SD = 0.03
SPREADS = {
    "known": Spread(
        run=Variance(value=RUN_SD**2, df=20.0),
        session=Variance(value=RUN_SD**2, df=6.0),
        common=Variance(value=RUN_SD**2, df=6.0),
    ),
    "declared for a GPU": estimate_spread([], GPU),
    "declared for a CPU": estimate_spread([], CPU),
}


def fails(distance: float, spread: Spread) -> NDArray[np.bool_]:
    """Which of many measurements whose true median lies `distance` above the budget are called over it."""
    y = np.log1p(distance) + RUN_SD * np.random.default_rng(4).standard_normal((200_000, 4))
    one = y[:, :1]
    over, within = beyond(one, 0.0, spread, CLEARLY_OVER) > 0, beyond(-one, 0.0, spread, CLEARLY_WITHIN) > 0
    confirmed: NDArray[np.bool_] = over | (~within & over_limit(y[:, 1:], 0.0, spread))
    return confirmed


@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS)
def test_a_median_just_under_the_budget_passes(spread: Spread) -> None:
    """2 % under it, runs spreading by 3 %: at most 0.5 % fail, whether that spread is known or declared."""
    assert fails(-0.02, spread).mean() <= 0.005


@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS)
def test_a_median_over_the_budget_is_found(spread: Spread) -> None:
    """10 % over it: found in at least 95 %."""
    assert fails(0.10, spread).mean() >= 0.95
