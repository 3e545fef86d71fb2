"""The stated minimum detectable effect is true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_infer.stats.mde import detectable, null_margins
from pytest_infer.stats.reference import reference
from pytest_infer.stats.rule import Rule, whole_margin

if TYPE_CHECKING:
    from tests.statistical.conftest import Cell, Recording, Simulation

DEVICES, DRAWS = 800, 1000


def found_at_stated(simulation: Simulation, cell: Cell, recording: Recording, *, relative: bool) -> float:
    """How often the rule fires where a test got slower by just what was stated as detectable."""
    devices = simulation.devices(cell, recording, count=DEVICES)
    last = len(devices.entries) - 1
    shift = devices.shift(devices.fresh, last) if relative else None
    held = reference(devices.entries[last], devices.spread, shift)
    stated = detectable(null_margins(held, simulation.rule, np.random.default_rng(5), DRAWS), simulation.rule)
    slower = devices.fresh[:, last] + np.log1p(stated)[:, None]
    return float(np.mean(whole_margin(held, slower, simulation.rule) > 0))


def test_the_rule_fires_in_eighty_percent_at_what_is_stated(
    simulation: Simulation, cell: Cell, recording: Recording
) -> None:
    """Relative to the session's shift: in 75 to 85 %, for every noise and every way of recording."""
    assert 0.75 <= found_at_stated(simulation, cell, recording, relative=True) <= 0.85


def test_without_a_shift_it_is_as_true_from_three_sessions_on(
    simulation: Simulation, cell: Cell, firm: Recording
) -> None:
    """Few tests, so no shift: in 75 to 85 % once the sessions have been seen to differ."""
    assert 0.75 <= found_at_stated(simulation, cell, firm, relative=False) <= 0.85


def test_of_one_session_it_never_promises_too_much(simulation: Simulation, cell: Cell) -> None:
    """One session and no shift: nothing tells how sessions differ but the declaration; the promise holds at least."""
    assert found_at_stated(simulation, cell, simulation.recordings["1x5"], relative=False) >= 0.75


@pytest.mark.parametrize(
    "asked",
    [
        {"confirm": 1},
        {"confirm": 2},
        {"alpha": 0.05},
        {"alpha": 1e-5},
        {"max_regression": 0.0},
        {"max_regression": 0.10},
    ],
    ids=str,
)
def test_it_is_true_of_any_rule(simulation: Simulation, asked: dict[str, Any]) -> None:
    """Fewer fresh runs, another level, another floor: what is stated follows the rule that is asked."""
    rule = Rule(**asked)
    devices = simulation.devices(simulation.cells["1/0.5/0"], simulation.recordings["3x5"], count=DEVICES)
    held = reference(devices.entries[-1], devices.spread, devices.shift(devices.fresh, len(devices.entries) - 1))
    stated = detectable(null_margins(held, rule, np.random.default_rng(5), DRAWS), rule)
    slower = devices.fresh[:, -1, : 1 + rule.confirm] + np.log1p(stated)[:, None]
    assert 0.75 <= np.mean(whole_margin(held, slower, rule) > 0) <= 0.85
