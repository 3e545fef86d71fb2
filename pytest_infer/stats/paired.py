"""Interleaved A/B: rounds of two sides measured in turn, looked at again and again until they say enough.

Model: y_r = delta + e_r, one log ratio a round, positive where the current side is slower; rounds are independent and
their spread is unknown. Process layout biases a round as a whole, so rounds are the unit of replication, however many
blocks each holds.

The mean is trimmed by a sixth of the rounds at each end, its error is the winsorised one (Tukey & McLaughlin 1963,
"Less vulnerable confidence and significance procedures for location based on a single sample", Sankhya A 25, 331-352):
one round in ten that a neighbour spoils costs a plain t test half its power. Its own t approximation is too bold far
out; so are 1e-3 and less, where a gate lives. `DF_SHARE` of the degrees of freedom holds there (Patel, Mudholkar &
Fernando 1988, "Student's t approximations for three simple robust estimators", JASA 83, 1203-1210, correct them alike);
tests/statistical/test_paired.py checks it.

Looks are paid for by allotting the level among them (Slud & Wei 1982, "Two-sample repeated significance tests based on
the modified Wilcoxon statistic", JASA 77, 862-868): look k gets alpha / (k (k + 1)). These add up to alpha, the first
look takes half, and no last look has to be known beforehand. The sum of the looks' levels bounds the level of all
(Boole), whatever their dependence: no approximation enters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_infer.stats.runs import Array

LOOKS: Final = (8, 11, 14, 18, 24, 32, 42, 56, 75, 100)
"""After how many rounds is looked; once more when time is over. Where rounds spread by 1.5 %, 3 of them would find +5 %
in one case of fifteen at a level of 0.001, 8 nearly always."""
FIRST_LOOK: Final = LOOKS[0]
TRIM: Final = 6
"""One round in this many is trimmed at each end."""
DF_SHARE: Final = 0.85
SUSPECTED_P: Final = 0.05
POWER: Final = 0.8
_DRAWS: Final = 4000
_TAIL_OF_95: Final = 0.025
_BEYOND: Final = 50.0  # log units: a change of e^50 and one beyond it are the same news, and both are finite


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedRule:
    """What is asked of a comparison.

    Attributes:
        alpha: significance level of one test, all looks together.
        max_regression: the practical floor as a fraction: a smaller change never fails.
        rounds: for how many there is time.

    Raises:
        ValueError: a level that is no probability, a negative floor, or no time for the first look.
    """

    alpha: float = 0.001
    max_regression: float = 0.02
    rounds: int = FIRST_LOOK

    def __post_init__(self) -> None:
        """Refuse what no comparison can be held to."""
        if not 0 < self.alpha < 1:
            raise ValueError("alpha is a probability between 0 and 1")
        if self.max_regression < 0 or self.rounds < FIRST_LOOK:
            raise ValueError(f"max_regression can't be negative, and the first look is after {FIRST_LOOK} rounds")

    @property
    def tolerance(self) -> float:
        """`max_regression` in log units."""
        return math.log1p(self.max_regression)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """What the rounds say; log ratios, positive is slower.

    Attributes:
        estimate: the trimmed mean; `low` to `high` is its 95 % confidence interval, at this look alone.
        p: one-sided p value of "not slower", all looks paid for: below alpha where `regressed`.
        mde: smallest change, as a fraction, that the whole comparison would find in 80 % of cases.
        suspected: this look alone would call it slower at 5 %.
        blind: undecided, and noise hides a change of the tolerance's size.
        regressed: slower beyond chance and by more than the floor, both at this look; `improved`: the mirror of it.
        settled: more rounds change nothing that matters: regressed, improved, or no slower than the tolerance allows.
    """

    estimate: float
    low: float
    high: float
    p: float
    mde: float
    suspected: bool
    blind: bool
    regressed: bool
    improved: bool
    settled: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Location:
    """(...) trimmed means of rounds, their standard errors and the degrees of freedom of these."""

    estimate: Array
    se: Array
    df: float

    @property
    def p(self) -> Array:
        """(...) probability of such an estimate or a slower one where nothing changed."""
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(self.se > 0, self.estimate / self.se, np.sign(self.estimate) * np.inf)
        return np.asarray(special.stdtr(self.df, -np.where(np.isnan(t), 0.0, t)))

    def critical(self, p: float) -> Array:
        """(...) the estimate from which on `p` is less."""
        return np.asarray(special.stdtrit(self.df, 1.0 - p) * self.se)


def locate(y: Array) -> Location:
    """The location of (..., n) rounds, n >= 3."""
    count = y.shape[-1]
    cut = count // TRIM
    kept = count - 2 * cut
    ordered = np.sort(y, axis=-1)
    middle = ordered[..., cut : count - cut]
    winsorised = np.clip(ordered, middle[..., :1], middle[..., -1:])
    scale = math.sqrt((count - 1) / (kept * (kept - 1)))
    return Location(
        estimate=middle.mean(axis=-1),
        se=np.asarray(winsorised.std(axis=-1, ddof=1) * scale),
        df=DF_SHARE * (kept - 1) if cut else count - 1,
    )


def looks(rounds: int) -> tuple[int, ...]:
    """After which of so many rounds was looked: as planned, and at the end."""
    planned = tuple(n for n in LOOKS if n <= rounds)
    return planned if planned and planned[-1] == rounds else (*planned, rounds)


def allotted(alpha: float, look: int) -> float:
    """The level of one look, counted from 1."""
    return alpha / (look * (look + 1))


def decided(place: Location, look: int, rule: PairedRule) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(...) whether a look, counted from 1, finds them slower beyond chance and floor; whether it lets them pass."""
    slower = (place.p < allotted(rule.alpha, look)) & (place.estimate > rule.tolerance)
    return slower, place.estimate + place.critical(_TAIL_OF_95) < rule.tolerance


def judge(y: Array, rule: PairedRule) -> Paired:
    """What `rule` says of rounds, (n,) log ratios; called at planned looks, and once at the end.

    Raises:
        ValueError: fewer rounds than the first look needs.
    """
    if y.size < FIRST_LOOK:
        raise ValueError(f"the first look is after {FIRST_LOOK} rounds, there are {y.size}")
    places = [locate(y[:n]) for n in looks(y.size)]
    now = places[-1]
    estimate, half = float(now.estimate), float(now.critical(_TAIL_OF_95))
    regressed, passed = map(bool, decided(now, len(places), rule))
    mirrored = Location(estimate=-now.estimate, se=now.se, df=now.df)
    improved = bool(decided(mirrored, len(places), rule)[0])
    settled = regressed or improved or passed
    rule = replace(rule, rounds=max(rule.rounds, y.size))
    se = float(now.se)
    return Paired(
        estimate=estimate,
        low=estimate - half,
        high=estimate + half,
        p=min(1.0, *(float(place.p) / allotted(1.0, look) for look, place in enumerate(places, 1))),
        mde=minimum_detectable_effect(se, y.size, rule),
        suspected=float(now.p) <= SUSPECTED_P,
        blind=not settled and minimum_detectable_effect(se, y.size, rule, floor=False) > rule.max_regression,
        regressed=regressed,
        improved=improved,
        settled=settled,
    )


def minimum_detectable_effect(se: float, seen: int, rule: PairedRule, *, floor: bool = True, seed: int = 0) -> float:
    """The smallest change, as a fraction, that a comparison by `rule` finds in 80 % of cases on this machine.

    Comparisons of `rule.rounds` rounds are drawn in which nothing changed, their spread as uncertain as `seen` rounds
    with the standard error `se` leave it. A change moves every threshold one to one, so each draw fires from a change
    of its own on: the least, over the looks, at which that look fires and none before it has let the test pass. The
    answer is the 80 % quantile of those.

    Args:
        se: standard error of the location of `seen` rounds.
        seen: how many there were.
        rule: what is asked.
        floor: without it, smaller changes than `max_regression` count as found, too.
        seed: of the draws; the same seed gives the same answer.
    """
    random = np.random.default_rng(seed)
    known = locate(random.standard_normal((_DRAWS, seen))).se
    spread = np.minimum(se / known, _BEYOND)
    y = spread[:, None] * random.standard_normal((_DRAWS, rule.rounds))
    fires, passed = np.full(_DRAWS, np.inf), np.full(_DRAWS, -np.inf)
    for look, count in enumerate(looks(rule.rounds), 1):
        place = locate(y[:, :count])
        needed = place.critical(allotted(rule.alpha, look))
        if floor:
            needed = np.maximum(needed, rule.tolerance)
        fires = np.minimum(fires, np.maximum(needed - place.estimate, passed))
        passed = np.maximum(passed, rule.tolerance - place.critical(_TAIL_OF_95) - place.estimate)
    return float(np.expm1(min(np.quantile(fires, POWER), _BEYOND)))
