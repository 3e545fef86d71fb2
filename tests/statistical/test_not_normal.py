"""Noise that is not normal, judged with spreads taken from a quiet device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from pytest_infer.stats.comparison import compare
from pytest_infer.stats.moderation import Variance
from pytest_infer.stats.reference import reference
from pytest_infer.stats.repeats import stands_out
from pytest_infer.stats.rule import FASTEST_SHARE, Rule, hold, whole_margin
from pytest_infer.stats.runs import Runs
from pytest_infer.stats.shift import session_shift
from pytest_infer.stats.spread import Spread, declared, estimate_spread

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.stats.runs import Array
    from tests.statistical.conftest import Recording, Simulation

TESTS: Final = 40_000
RUN_SD, SESSION_SD = 0.01, 0.003


def heavy_tails(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Student t with three degrees of freedom, scaled by the quiet device's spread."""
    return RUN_SD * random.standard_t(3, shape)


def one_in_ten(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """One run in ten 20 % slower."""
    return np.asarray(RUN_SD * random.standard_normal(shape) + np.log(1.2) * (random.random(shape) < 0.1))


def every_other(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Every other run 10 % slower, at random."""
    return np.asarray(RUN_SD * random.standard_normal(shape) + np.log(1.1) * (random.random(shape) < 0.5))


@pytest.mark.parametrize(
    ("noise", "limit"),
    [(heavy_tails, 0.001), (one_in_ten, 0.005), (every_other, 0.015)],
    ids=["heavy tails", "one in ten", "every other"],
)
@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
def test_odd_noise_fails_few(
    simulation: Simulation,
    recording: Recording,
    noise: Callable[[np.random.Generator, tuple[int, ...]], Array],
    limit: float,
    *,
    relative: bool,
) -> None:
    """Judged with a spread that is well known and far too small, unchanged tests fail this rarely."""
    random = np.random.default_rng(11)
    code = recording.code
    sessions = SESSION_SD * random.standard_normal((TESTS, recording.sessions))
    baseline = Runs(y=sessions[:, code] + noise(random, (TESTS, code.size)), session=code)
    fresh = SESSION_SD * random.standard_normal((TESTS, 1)) + noise(random, (TESTS, 1 + simulation.rule.confirm))
    others = np.hypot(RUN_SD, SESSION_SD) * random.standard_normal((TESTS, 19))
    shift = session_shift(others) if relative else None
    held = reference(baseline, _quiet(recording), shift)
    assert np.mean(whole_margin(held, fresh, simulation.rule) > 0) <= limit


@pytest.mark.parametrize(
    ("noise", "limit"),
    [(heavy_tails, 0.001), (one_in_ten, 0.005), (every_other, 0.015)],
    ids=["heavy tails", "one in ten", "every other"],
)
def test_making_slow_runs_again_fails_no_more(
    simulation: Simulation,
    recording: Recording,
    noise: Callable[[np.random.Generator, tuple[int, ...]], Array],
    limit: float,
) -> None:
    """Runs that stand out are made again, recorded and fresh ones: the same limits hold, more of a change is found."""
    random = np.random.default_rng(13)
    code = recording.code
    sessions = SESSION_SD * random.standard_normal((TESTS, recording.sessions))
    baseline = Runs(y=sessions[:, code] + _recorded(random, noise, recording), session=code)
    effect = SESSION_SD * random.standard_normal((TESTS, 1))
    once = effect + noise(random, (TESTS, 1 + simulation.rule.confirm))
    again = once.copy()
    for _ in range(2):
        out = stands_out(again[:, 1:], RUN_SD, slow_only=True)
        again[:, 1:] = np.where(out, effect + noise(random, out.shape), again[:, 1:])
    held = reference(baseline, _quiet(recording))
    assert np.mean(whole_margin(held, again, simulation.rule) > 0) <= limit
    slower = np.log(1.5)
    found, found_once = (np.mean(whole_margin(held, slower + y, simulation.rule) > 0) for y in (again, once))
    assert found >= found_once - 3 * np.sqrt(found_once * (1 - found_once) / TESTS)


@pytest.mark.parametrize("slow", [1.2, 2.0], ids=["20 %", "twice"])
@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
def test_one_slow_outlier_hides_no_change(simulation: Simulation, slow: float, *, relative: bool) -> None:
    """One slow run among twenty: +15 % is still found in 95 % of cases and more."""
    random = np.random.default_rng(12)
    recording = type(simulation.recordings["3x5"])(sessions=4, runs=5)
    count = 5000
    sessions = SESSION_SD * random.standard_normal((count, recording.sessions))
    y = sessions[:, recording.code] + RUN_SD * random.standard_normal((count, recording.code.size))
    y[np.arange(count), random.integers(0, y.shape[1], count)] += np.log(slow)
    effect = SESSION_SD * random.standard_normal((count, 1))
    fresh = np.log(1.15) + effect + RUN_SD * random.standard_normal((count, 1 + simulation.rule.confirm))
    shift = session_shift(np.hypot(RUN_SD, SESSION_SD) * random.standard_normal((count, 19))) if relative else None
    held = reference(Runs(y=y, session=recording.code), _quiet(recording), shift)
    assert np.mean(whole_margin(held, fresh, simulation.rule) > 0) >= 0.95


@pytest.mark.parametrize("run_sd", [0.01, 0.03])
def test_slower_code_that_spreads_further_is_found(simulation: Simulation, run_sd: float) -> None:
    """On the first day, six times as slow and then some: each run waits on top, which its baseline's runs did not.

    The mean alone, its noise as wide as such runs make it, finds one in five of these.
    """
    random = np.random.default_rng(14)
    code = np.zeros(5, np.intp)
    baseline = Runs(y=run_sd * random.standard_normal((TESTS // 4, 5)), session=code)
    held = reference(baseline, estimate_spread([baseline], declared("cpu", 1, locked=False)))
    shape = (TESTS // 4, 1 + simulation.rule.confirm)
    fresh = np.log(6.0) + run_sd * random.standard_normal(shape) + random.exponential(0.5, shape)
    assert np.mean(whole_margin(held, fresh, simulation.rule) > 0) >= 0.95
    assert np.mean(compare(held, fresh[:, 1:]).p < simulation.rule.alpha) <= 0.25


@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
def test_the_fastest_run_adds_a_tenth_of_alpha_at_most(recording: Recording, *, relative: bool) -> None:
    """Where nothing changed and a session's effect is all that runs share; at a level that 40,000 tests can count."""
    random = np.random.default_rng(15)
    rule = Rule(alpha=0.05)
    sessions = SESSION_SD * random.standard_normal((TESTS, recording.sessions))
    runs = sessions[:, recording.code] + RUN_SD * random.standard_normal((TESTS, recording.code.size))
    others = np.hypot(RUN_SD, SESSION_SD) * random.standard_normal((TESTS, 19))
    shift = session_shift(others) if relative else None
    held = reference(Runs(y=runs, session=recording.code), _quiet(recording), shift)
    fresh = SESSION_SD * random.standard_normal((TESTS, 1)) + RUN_SD * random.standard_normal((TESTS, rule.confirm))
    both, mean = hold(held, fresh).p < rule.alpha, compare(held, fresh).p < rule.alpha
    assert 0 <= np.mean(both) - np.mean(mean) <= FASTEST_SHARE * rule.alpha
    assert np.mean(both) <= rule.alpha


def _recorded(
    random: np.random.Generator, noise: Callable[[np.random.Generator, tuple[int, ...]], Array], recording: Recording
) -> Array:
    """(TESTS, R) the noise of recordings, in which runs that stand out in their session are made again, once."""
    y = noise(random, (TESTS, recording.sessions, recording.runs))
    return np.where(stands_out(y, RUN_SD), noise(random, y.shape), y).reshape(TESTS, -1)


def _quiet(recording: Recording) -> Spread:
    """A device known to spread by 1 % a run and 0.3 % a session, as well as any device can be known."""
    return Spread(
        run=Variance(value=RUN_SD**2, df=20.0),
        session=Variance(value=SESSION_SD**2 + RUN_SD**2 / recording.runs, df=8.0),
        common=Variance(value=SESSION_SD**2, df=8.0),
        session_runs=float(recording.runs),
        session_tests=20.0,
        sessions=np.arange(recording.sessions),
        shifts=np.zeros(recording.sessions),
    )
