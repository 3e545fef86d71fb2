"""Simulated devices: many at once, judged by the very functions that judge one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from pytest_infer.stats.drift import anchored
from pytest_infer.stats.reference import reference, without_shifts
from pytest_infer.stats.rule import Rule, whole_margin
from pytest_infer.stats.runs import Runs, summarise
from pytest_infer.stats.shift import ordinary, session_shift, shift_p
from pytest_infer.stats.spread import GPU, Prior, Spread, estimate_spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_infer.stats.runs import Array
    from pytest_infer.stats.shift import Shift

RULE: Final = Rule()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Standard deviations of runs, of a test's own session effect and of the shift common to a session's tests."""

    run: float
    own: float
    common: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """How the baselines were recorded."""

    sessions: int
    runs: int

    @property
    def code(self) -> NDArray[np.intp]:
        """The session of each run."""
        return np.repeat(np.arange(self.sessions), self.runs)


CELLS: Final = {
    "0.3/0.3/1": Cell(run=0.003, own=0.003, common=0.01),
    "0.5/0.2/1.5": Cell(run=0.005, own=0.002, common=0.015),
    "1/0.5/0": Cell(run=0.01, own=0.005, common=0.0),
    "1/1/2": Cell(run=0.01, own=0.01, common=0.02),
}
RECORDINGS: Final = {
    "1x5": Recording(sessions=1, runs=5),
    "3x5": Recording(sessions=3, runs=5),
    "5x3": Recording(sessions=5, runs=3),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """N devices with T tests each, recorded and measured once more: one screening run and K fresh runs a test.

    Attributes:
        entries: T baselines, y (N, R).
        fresh: (N, T, 1 + K) the runs of the new session, where nothing changed.
        spread: estimated of each device.
    """

    entries: Sequence[Runs]
    fresh: Array
    spread: Spread

    def ratios(self, fresh: Array) -> Array:
        """(N, T) log ratio of each test's screening run."""
        levels = [summarise(without_shifts(runs, self.spread) or runs).mean for runs in self.entries]
        return np.asarray(fresh[..., 0] - np.stack(levels, axis=-1))

    def shift(self, fresh: Array, test: int) -> Shift | None:
        """The session's shift as `test` sees it, tests measured in order."""
        return session_shift(self.ratios(fresh)[:, :test])

    def fires(
        self, slower: Array | float = 0.0, *, relative: bool = True, spread: Spread | None = None
    ) -> NDArray[np.bool_]:
        """(N, T) which tests are called regressed where `slower` (log, (N, T)) happened to them."""
        fresh = self.fresh + np.broadcast_to(slower, self.fresh.shape[:2])[..., None]
        judged = [
            self._judged(runs, fresh[:, test], spread or self.spread, self.shift(fresh, test) if relative else None)
            for test, runs in enumerate(self.entries)
        ]
        return np.stack(judged, axis=-1)

    def _judged(self, runs: Runs, fresh: Array, spread: Spread, shift: Shift | None) -> NDArray[np.bool_]:
        """(N,) one test on each device; a shift that no session of the device has is left aside, as `Gate` does."""
        as_it_is = _regressed(runs, spread, fresh)
        if shift is None:
            return as_it_is
        relative = _regressed(runs, spread, fresh, shift)
        return np.where(ordinary(shift_p(shift, spread, runs.sessions)), relative, as_it_is)

    def some(self, count: int, seed: int) -> NDArray[np.bool_]:
        """(N, T) `count` tests of each device, at random places."""
        order = np.random.default_rng(seed).random(self.fresh.shape[:2]).argsort(axis=-1)
        return order < count


def _regressed(runs: Runs, spread: Spread, fresh: Array, shift: Shift | None = None) -> NDArray[np.bool_]:
    """(N,) against the baseline or, where it has several sessions, its oldest one: either is enough."""
    fired: NDArray[np.bool_] = whole_margin(reference(runs, spread, shift), fresh, RULE) > 0
    if runs.sessions == 1:
        return fired
    return fired | (whole_margin(reference(runs.oldest(), spread, shift), fresh, anchored(RULE)) > 0)


@lru_cache(maxsize=16)
def devices(
    cell: Cell, recording: Recording, *, count: int, tests: int = 20, seed: int = 1, prior: Prior = GPU
) -> Devices:
    """Simulate `count` devices by the model of DESIGN: y = session shift + own session effect + run."""
    random = np.random.default_rng(seed)
    shift = cell.common * random.standard_normal((count, recording.sessions))
    entries = []
    for _ in range(tests):
        own = cell.own * random.standard_normal(shift.shape)
        noise = cell.run * random.standard_normal((count, recording.code.size))
        entries.append(Runs(y=(shift + own)[:, recording.code] + noise, session=recording.code))
    fresh = (
        cell.common * random.standard_normal((count, 1, 1))
        + cell.own * random.standard_normal((count, tests, 1))
        + cell.run * random.standard_normal((count, tests, 1 + RULE.confirm))
    )
    return Devices(entries=entries, fresh=fresh, spread=estimate_spread(entries, prior))


class Simulation:
    """What tests ask of this file, in one fixture: test folders are no packages to import from."""

    devices = staticmethod(devices)
    cells = CELLS
    recordings = RECORDINGS
    rule = RULE


@pytest.fixture(scope="session")
def simulation() -> type[Simulation]:
    """The simulated devices."""
    return Simulation


@pytest.fixture(params=CELLS.values(), ids=list(CELLS))
def cell(request: pytest.FixtureRequest) -> Cell:
    """Each of the noises that the gate is held to."""
    noise: Cell = request.param
    return noise


@pytest.fixture(params=RECORDINGS.values(), ids=list(RECORDINGS))
def recording(request: pytest.FixtureRequest) -> Recording:
    """Each of the ways that baselines are recorded in."""
    way: Recording = request.param
    return way


@pytest.fixture(params=[way for way in RECORDINGS.values() if way.sessions > 1], ids=["3x5", "5x3"])
def firm(request: pytest.FixtureRequest) -> Recording:
    """Recordings of three sessions and more."""
    way: Recording = request.param
    return way
