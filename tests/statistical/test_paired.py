"""Interleaved comparisons, simulated whole: all looks, early passes, and the end of time."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from scipy import special, stats

from pytest_infer.stats.paired import (
    FIRST_LOOK,
    LOOKS,
    TRIM,
    PairedRule,
    allotted,
    average,
    chance,
    decided,
    judge,
    locate,
    looks,
    minimum_detectable_effect,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pytest_infer.stats.paired import Location
    from pytest_infer.stats.runs import Array

    Noise = Callable[[np.random.Generator, tuple[int, int]], Array]

SPREAD: Final = 0.015
"""From round to round, of a shared 2-core machine."""
RULE: Final = PairedRule(rounds=14)
"""Fourteen rounds of four seconds: a minute."""


def _normal(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    return np.asarray(SPREAD * random.standard_normal(shape))


def _t3(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    return np.asarray(SPREAD / math.sqrt(3) * random.standard_t(3, shape))


def _two_modes(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    """One round in ten 20 % off, either way."""
    off = (random.random(shape) < 0.1) * random.choice([-1, 1], shape)
    return np.asarray(_normal(random, shape) + math.log(1.2) * off)


def _one_sided(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    """One round in ten 20 % slower, whichever side is to blame."""
    return np.asarray(_normal(random, shape) + math.log(1.2) * (random.random(shape) < 0.1))


def _contaminated(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Quiet rounds of 0.8 %, one in ten of 9 %: what interleaved sessions on a shared machine looked like."""
    return np.asarray(np.where(random.random(shape) < 0.1, 0.09, 0.008) * random.standard_normal(shape))


def _modes_of_processes(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Each process is fast or 4 % slower for all of its life, as it happens: lighter-tailed than anything normal."""
    slow = random.integers(0, 2, (2, *shape))
    return np.asarray(0.003 * random.standard_normal(shape) + math.log(1.04) * (slow[0] - slow[1]))


def _uniform(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    return np.asarray(SPREAD * math.sqrt(3) * random.uniform(-1, 1, shape))


NOISES: Final[dict[str, Noise]] = {
    "normal": _normal, "t3": _t3, "two modes": _two_modes, "contaminated": _contaminated
}  # fmt: skip


def compare(y: Array, rule: PairedRule) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """(N,) whether comparisons of (N, rounds) call it regressed, and how many rounds each took.

    As `Comparison` does it: look when planned and at the end, stop when it is settled.
    """
    regressed = np.zeros(len(y), bool)
    rounds = np.full(len(y), rule.rounds)
    going = np.ones(len(y), bool)
    for look, count in enumerate(looks(rule.rounds), 1):
        fires, passes = (going & found for found in decided(y[:, :count], look, rule))
        rounds[fires | passes] = count
        regressed |= fires
        going &= ~(fires | passes)
    return regressed, rounds


@pytest.mark.parametrize("slower", [0.0, 0.02, 0.03])
def test_what_is_simulated_here_is_what_ships(slower: float) -> None:
    """Round by round, as `Comparison` asks: the same verdict after the same number of rounds."""
    y = _normal(np.random.default_rng(9), (40, RULE.rounds)) + math.log1p(slower)
    regressed, rounds = compare(y, RULE)
    for one, red, took in zip(y, regressed, rounds, strict=True):
        asked = next(n for n in looks(RULE.rounds) if n == RULE.rounds or judge(one[:n], RULE).settled)
        assert (judge(one[:asked], RULE).regressed, asked) == (red, took)


def test_chance_and_floor_are_held_to_at_the_same_look() -> None:
    """Eight quiet rounds below the floor, and then some far above it that are mere noise: no regression."""
    quiet = math.log1p(0.019) + 1e-4 * np.array([1, -1, 2, -2, 1, -1, 2, -2])
    later = judge(np.append(quiet, [0.3, -0.2, 0.3]), RULE)
    assert later.p < RULE.alpha, "the first look's"
    assert not later.regressed


@pytest.mark.parametrize("noise", [*NOISES.values(), _one_sided], ids=[*NOISES, "one-sided"])
@pytest.mark.parametrize("rounds", [8, 14, 32])
def test_unchanged_code_is_called_regressed_in_less_than_alpha(noise: Noise, rounds: int) -> None:
    """All looks together, for every noise; the floor makes it rarer still, and where one side alone is spoilt."""
    y = noise(np.random.default_rng(1), (40_000, rounds))
    assert compare(y, PairedRule(rounds=rounds))[0].mean() <= 0.0005


@pytest.mark.parametrize("noise", [_modes_of_processes, _uniform])
@pytest.mark.parametrize("rounds", [8, 14, 32])
def test_noise_with_lighter_tails_than_any_normal_keeps_to_alpha(noise: Noise, rounds: int) -> None:
    """What Student's t promises nothing for: bounded noise."""
    y = noise(np.random.default_rng(1), (40_000, rounds))
    assert compare(y, PairedRule(rounds=rounds))[0].mean() <= RULE.alpha


@pytest.mark.parametrize("noise", NOISES.values(), ids=list(NOISES))
@pytest.mark.parametrize("alpha", [0.001, 0.01])
def test_the_level_holds_without_a_floor_and_without_early_passes(noise: Noise, alpha: float) -> None:
    """What the looks alone promise: no more than alpha, whatever the scale of the noise."""
    y = noise(np.random.default_rng(2), (60_000, 24))
    fired = np.zeros(len(y), bool)
    for look, count in enumerate(looks(24), 1):
        fired |= chance(y[:, :count]) < allotted(alpha, look)
    assert fired.mean() <= alpha + 2 * math.sqrt(alpha / len(y))


@pytest.mark.parametrize("count", LOOKS[:5])
def test_the_tail_of_the_trimmed_mean_is_as_thin_as_promised(count: int) -> None:
    """Far out, where the gate lives: a p of 0.1 % and less happens no more often than that."""
    random = np.random.default_rng(count)
    p = np.concatenate([locate(random.standard_normal((100_000, count))).p for _ in range(4)])
    p = np.concatenate([p, 1.0 - p])  # the mirror is as good
    for level in (0.05, 0.005, 0.0005):
        share = float(np.mean(p < level))
        assert share <= level + 3 * math.sqrt(level / p.size)
        assert share >= level / 3, "nor much less, which would cost power"


@pytest.mark.parametrize(("slower", "found"), [(0.05, 0.90), (0.10, 0.98)])
@pytest.mark.parametrize("noise", NOISES.values(), ids=list(NOISES))
def test_what_is_slower_is_found(noise: Noise, slower: float, found: float) -> None:
    """+5 % in nine cases of ten, +10 % nearly always, where rounds spread by 1.5 % and a minute is allowed."""
    if noise is _two_modes:
        found -= 0.03  # one round in ten 20 % off is noise of 6.5 %, four times as much
    y = noise(np.random.default_rng(3), (20_000, RULE.rounds)) + math.log1p(slower)
    assert compare(y, RULE)[0].mean() >= found


def test_most_comparisons_end_at_the_first_look() -> None:
    """Unchanged code, and code that got 10 % slower: 8 rounds say enough."""
    y = _normal(np.random.default_rng(4), (10_000, RULE.rounds))
    for slower in (0.0, math.log1p(0.10)):
        assert compare(y + slower, RULE)[1].mean() < 9.5


def test_three_rounds_would_not_do() -> None:
    """Why eight: a t test of three rounds finds +5 % in about 6 % of cases, of eight in nearly all."""
    found = {}
    for count in (3, FIRST_LOOK):
        shift = math.log1p(0.05) / (SPREAD / math.sqrt(count))
        found[count] = stats.nct.sf(special.stdtrit(count - 1, 1 - 0.001), count - 1, shift)
    assert 0.03 < found[3] < 0.10
    assert found[FIRST_LOOK] > 0.98


@pytest.mark.parametrize("rounds", [8, 14, 24])
@pytest.mark.parametrize(("spread", "floor"), [(0.005, 0.0), (0.015, 0.0), (0.05, 0.02)])
def test_the_stated_detectable_change_is_true(rounds: int, spread: float, floor: float) -> None:
    """Stated from one comparison's rounds, and tried on another one of that machine: found in 75 to 85 %."""
    random = np.random.default_rng(5)
    rule = PairedRule(rounds=rounds, max_regression=floor)
    fired = []
    for _ in range(150):
        seen = spread * random.standard_normal(FIRST_LOOK)
        stated = minimum_detectable_effect(seen, rule, seed=int(random.integers(1 << 30)))
        y = spread * random.standard_normal((60, rounds)) + math.log1p(stated)
        fired.append(compare(y, rule)[0].mean())
    assert 0.75 <= np.mean(fired) <= 0.85


@pytest.mark.parametrize("noise", [_two_modes, _contaminated, _t3])
def test_it_never_promises_much_too_much(noise: Noise) -> None:
    """Where rounds are not normal: found in at least 70 % all the same."""
    random = np.random.default_rng(6)
    fired = []
    for _ in range(150):
        stated = minimum_detectable_effect(noise(random, (1, FIRST_LOOK))[0], RULE)
        fired.append(compare(noise(random, (60, RULE.rounds)) + math.log1p(stated), RULE)[0].mean())
    assert np.mean(fired) >= 0.70


def _one_statistic(y: Array, of: Callable[[Array], Location], rule: PairedRule) -> float:
    """The power of one statistic that has the looks' whole level."""
    fired = np.zeros(len(y), bool)
    for look, count in enumerate(looks(rule.rounds), 1):
        place = of(y[:, :count])
        fired |= (place.p < allotted(rule.alpha, look)) & (place.estimate > rule.tolerance)
    return float(fired.mean())


def test_trimming_is_what_saves_a_spoilt_machine() -> None:
    """A plain t test at the same looks finds +5 % there half as often."""
    y = _two_modes(np.random.default_rng(7), (20_000, RULE.rounds)) + math.log1p(0.05)
    assert _one_statistic(y, average, RULE) < 0.6 * compare(y, RULE)[0].mean()
    assert TRIM == 6


def test_the_plain_mean_is_what_sees_with_few_rounds() -> None:
    """Twelve rounds of twice the spread: +5 % in nine cases of ten, which the trimmed mean alone finds in eight."""
    rule = PairedRule(rounds=12)
    y = 0.02 / SPREAD * _normal(np.random.default_rng(10), (20_000, 12)) + math.log1p(0.05)
    assert _one_statistic(y, locate, rule) < 0.82
    assert compare(y, rule)[0].mean() > 0.92


def test_the_same_code_is_never_called_regressed() -> None:
    """Real medians of processes that were not even interleaved, up to five times apart: paired as they came."""
    with np.load(Path(__file__).parents[1] / "data" / "same_code_shared_2core.npz") as stored:
        medians = [np.log(np.median(stored[network], axis=1)) for network in stored.files]
    random = np.random.default_rng(8)
    pairs = np.concatenate([y[0::2] - y[1::2] for y in medians])
    chosen = random.choice(pairs, (20_000, 24)) * random.choice([-1, 1], (20_000, 24))
    in_order = np.stack([sign * (y[0::2] - y[1::2])[:24] for y in medians for sign in (1, -1)])
    rule = PairedRule(rounds=24)
    assert not compare(in_order, rule)[0].any()
    assert compare(chosen, rule)[0].mean() <= rule.alpha
