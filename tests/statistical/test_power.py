"""Slower code: the gate finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pytest_infer.stats.shift import session_shift, shift_p

if TYPE_CHECKING:
    from tests.statistical.conftest import Recording, Simulation


@pytest.mark.parametrize(
    ("noise", "change", "found"),
    [
        ("0.3/0.3/1", 0.03, 0.90),
        ("0.3/0.3/1", 0.05, 0.99),
        ("0.5/0.2/1.5", 0.03, 0.90),
        ("0.5/0.2/1.5", 0.05, 0.99),
        ("1/0.5/0", 0.10, 0.99),
    ],
)
def test_a_change_in_three_of_twenty_tests_is_found(
    simulation: Simulation, firm: Recording, noise: str, change: float, found: float
) -> None:
    """From three sessions on, relative to the session's shift (the eighth test and later)."""
    devices = simulation.devices(simulation.cells[noise], firm, count=1500)
    slowed = devices.some(3, seed=2)
    fired = devices.fires(np.log1p(change) * slowed)
    judged = slowed[:, 7:]
    assert fired[:, 7:][judged].mean() >= found
    assert fired[~slowed].mean() <= 0.001


def test_five_slower_tests_among_fifty_are_found(simulation: Simulation, firm: Recording) -> None:
    """+3 % at random places: at least 80 % found, those included that come before there is a shift."""
    devices = simulation.devices(simulation.cells["0.5/0.2/1.5"], firm, count=600, tests=50)
    slowed = devices.some(5, seed=3)
    fired = devices.fires(np.log1p(0.03) * slowed)
    assert fired[slowed].mean() >= 0.80
    assert fired[~slowed].mean() <= 0.001


def test_a_change_of_all_tests_is_told_as_the_shift(simulation: Simulation, firm: Recording) -> None:
    """+5 % on all fifty tests: the shift says so, to within what sessions differ by, and no test is blamed."""
    noise = simulation.cells["0.5/0.2/1.5"]
    devices = simulation.devices(noise, firm, count=400, tests=50)
    slower = devices.fresh + np.log1p(0.05)
    shift = session_shift(devices.ratios(slower))
    assert shift is not None
    sessions = noise.common * np.sqrt(1 + 1 / firm.sessions)
    assert np.abs(np.median(shift.value) - np.log1p(0.05)) < 0.005
    assert np.std(shift.value) == pytest.approx(sessions, rel=0.15)
    assert devices.fires(np.log1p(0.05))[:, 7:].mean() <= 0.001


def test_the_shift_of_an_ordinary_session_is_not_significant(simulation: Simulation) -> None:
    """Where nothing changed, p of the session's own line is below 1 % in about 1 % of sessions, not in many."""
    recording = simulation.recordings["5x3"]
    devices = simulation.devices(simulation.cells["0.5/0.2/1.5"], recording, count=4000)
    shift = session_shift(devices.ratios(devices.fresh))
    assert shift is not None
    assert np.mean(shift_p(shift, devices.spread, recording.sessions) < 0.01) <= 0.012
