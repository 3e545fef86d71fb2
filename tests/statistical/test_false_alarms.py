"""Same code: the gate stays green."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pytest_infer.stats.moderation import Variance
from pytest_infer.stats.reference import reference
from pytest_infer.stats.rule import whole_margin
from pytest_infer.stats.runs import Runs
from pytest_infer.stats.spread import CPU, Prior, Spread, estimate_spread

if TYPE_CHECKING:
    from tests.statistical.conftest import Cell, Devices, Recording, Simulation


@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
def test_false_alarms_are_rare(simulation: Simulation, cell: Cell, recording: Recording, *, relative: bool) -> None:
    """At most 0.1 % of unchanged tests fail from three sessions on, at most 0.5 % at one; with a shift and without."""
    devices = simulation.devices(cell, recording, count=2000)
    limit = 0.001 if recording.sessions >= 3 else 0.005
    assert devices.fires(relative=relative).mean() <= limit


@pytest.mark.parametrize("factor", [0.5, 2.0])
@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
def test_spreads_wrong_by_a_factor_of_two_fail_few(
    simulation: Simulation, cell: Cell, recording: Recording, factor: float, *, relative: bool
) -> None:
    """All of the device's spreads believed to be half or twice what they are: at most 0.7 % of unchanged tests fail."""
    devices = simulation.devices(cell, recording, count=2000 if factor < 1 else 300)
    assert devices.fires(relative=relative, spread=_misjudged(devices.spread, factor)).mean() <= 0.007


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_declaration_wrong_by_a_factor_of_two_fails_few(
    simulation: Simulation, cell: Cell, recording: Recording, factor: float
) -> None:
    """A prior of half or twice the true spreads: at most 0.7 % of unchanged tests fail, without the help of a shift."""
    devices = simulation.devices(cell, recording, count=2000 if factor < 1 else 300)
    prior = Prior(
        run_sd=factor * cell.run, session_sd=factor * cell.own, common_sd=factor * max(cell.common, cell.own / 10)
    )
    assert devices.fires(relative=False, spread=estimate_spread(devices.entries, prior)).mean() <= 0.007


def test_baselines_of_different_sessions_are_told_apart(simulation: Simulation) -> None:
    """Tests recorded or appended in sessions of their own are not failed for what their sessions did to them."""
    devices = _grown(simulation)
    assert devices.spread.sessions.tolist() == [0, 1, 2, 3]
    fired = devices.fires()
    assert fired.mean() <= 0.001
    assert fired.mean(axis=0).max() <= 0.002


def test_a_wider_prior_costs_no_false_alarms(simulation: Simulation, cell: Cell) -> None:
    """The CPU's declaration, wider than all noises here, keeps the gate green from the first session on."""
    devices = simulation.devices(cell, simulation.recordings["1x5"], count=2000, prior=CPU)
    assert devices.fires().mean() <= 0.001


def _misjudged(spread: Spread, factor: float) -> Spread:
    def times(variance: Variance) -> Variance:
        return Variance(value=variance.value * factor**2, df=variance.df)

    return replace(
        spread,
        run=times(spread.run),
        session=times(spread.session),
        common=times(spread.common),
        session_measured=times(spread.session_measured),
        common_measured=times(spread.common_measured),
    )


def _grown(simulation: Simulation) -> Devices:
    """Five sessions: twelve tests saw 0, 1 and 2, six came later (2 and 3), one saw 3 only, one is alone in 4."""
    whole = simulation.devices(
        simulation.cells["0.5/0.2/1.5"], replace(simulation.recordings["3x5"], sessions=5), count=3000
    )
    seen = [(0, 1, 2)] * 12 + [(2, 3)] * 6 + [(3,)] + [(4,)]
    entries = []
    for runs, sessions in zip(whole.entries, seen, strict=True):
        kept = np.isin(runs.session, sessions)
        entries.append(Runs(y=runs.y[:, kept], session=runs.session[kept]))
    return replace(whole, entries=entries, spread=estimate_spread(entries, Prior()))


def test_the_rule_on_one_test_is_the_rule_on_many(simulation: Simulation) -> None:
    """Simulations judge with the code that ships: one device's margin is that device's margin among many."""
    devices = simulation.devices(simulation.cells["1/1/2"], simulation.recordings["3x5"], count=3)
    together = whole_margin(reference(devices.entries[0], devices.spread), devices.fresh[:, 0], simulation.rule)
    for device in range(3):
        entries = [Runs(y=runs.y[device], session=runs.session) for runs in devices.entries]
        held = reference(entries[0], estimate_spread(entries, Prior()))
        alone = whole_margin(held, devices.fresh[device, 0], simulation.rule)
        assert together[device] == pytest.approx(float(alone))
