"""Interleaved A/B: rounds of two sides measured in turn, looked at again and again until they say enough.

Model: y_r = delta + e_r, one log ratio a round, positive where the current side is slower; rounds are independent and
their spread is unknown. Process layout biases a round as a whole, so rounds are the unit of replication, however many
blocks each holds.

Two statistics look at the rounds. One round in ten that a neighbour spoils costs Student's t half its power, so the
one is a mean trimmed by a sixth of the rounds at each end, its error the winsorised one (Tukey & McLaughlin 1963,
"Less vulnerable confidence and significance procedures for location based on a single sample", Sankhya A 25,
331-352): the estimate, and its interval. Its own t approximation is too bold far out, at 1e-3 and less, where a gate
lives. `DF_SHARE` of the degrees of freedom holds there (Patel, Mudholkar & Fernando 1988, "Student's t approximations
for three simple robust estimators", JASA 83, 1203-1210, correct them alike). That leaves few of eight rounds, which
costs more than it saves where none is spoilt; so the other statistic is the plain mean with Student's t. Two sides of
one code differ symmetrically, and there its level holds for all but tails lighter than normal ones (Efron 1969,
"Student's t-test under symmetry conditions", JASA 64, 1278-1302). They share each look's level, a third of it for the
plain one (Bonferroni): with 2 % of spread and 12 rounds +5 % is found in 94 % of cases, by the trimmed mean alone in
80 %. tests/statistical/test_paired.py holds level and power.

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

LOOKS: Final = (8, 12, 18, 27, 40, 60, 100)
"""After how many rounds is looked; once more when time is over. Where rounds spread by 1.5 %, 3 of them would find +5 %
in one case of fifteen at a level of 0.001, 8 nearly always."""
FIRST_LOOK: Final = LOOKS[0]
TRIM: Final = 6
"""One round in this many is trimmed at each end."""
DF_SHARE: Final = 0.85
MEAN_SHARE: Final = 1 / 3
"""Of a look's level: the plain mean's; the trimmed one has the rest."""
SUSPECTED_P: Final = 0.05
SPOILT_P: Final = 0.05
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
        p: one-sided p value of "not slower", where it improved of "not faster", all looks paid for: below alpha where
            `regressed` or `improved`.
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
    """(...) means of rounds, their standard errors and the degrees of freedom of these."""

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


def average(y: Array) -> Location:
    """The plain means of (..., n) rounds, n >= 2."""
    count = y.shape[-1]
    return Location(estimate=y.mean(axis=-1), se=y.std(axis=-1, ddof=1) / math.sqrt(count), df=count - 1)


def locate(y: Array) -> Location:
    """The trimmed means of (..., n) rounds, n >= 3: the location that is told."""
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


def chance(y: Array) -> Array:
    """(...) the p value of both statistics together of (..., n) rounds, for one look."""
    return np.minimum(locate(y).p / (1.0 - MEAN_SHARE), average(y).p / MEAN_SHARE)


def decided(y: Array, look: int, rule: PairedRule) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(...) whether a look, counted from 1, finds (..., n) rounds slower beyond chance and floor; lets them pass."""
    place = locate(y)
    slower = (chance(y) < allotted(rule.alpha, look)) & (place.estimate > rule.tolerance)
    return slower, place.estimate + place.critical(_TAIL_OF_95) < rule.tolerance


def judge(y: Array, rule: PairedRule) -> Paired:
    """What `rule` says of rounds, (n,) log ratios; called at planned looks, and once at the end.

    Raises:
        ValueError: fewer rounds than the first look needs.
    """
    if y.size < FIRST_LOOK:
        raise ValueError(f"the first look is after {FIRST_LOOK} rounds, there are {y.size}")
    counts = looks(y.size)
    now = locate(y)
    estimate, half = float(now.estimate), float(now.critical(_TAIL_OF_95))
    regressed, passed = map(bool, decided(y, len(counts), rule))
    improved = bool(decided(-y, len(counts), rule)[0])
    settled = regressed or improved or passed
    claimed = -y if improved else y
    rule = replace(rule, rounds=max(rule.rounds, y.size))
    return Paired(
        estimate=estimate,
        low=estimate - half,
        high=estimate + half,
        p=min(1.0, *(float(chance(claimed[:n])) / allotted(1.0, look) for look, n in enumerate(counts, 1))),
        mde=minimum_detectable_effect(y, rule),
        suspected=float(chance(y)) <= SUSPECTED_P,
        blind=not settled and minimum_detectable_effect(y, rule, floor=False) > rule.max_regression,
        regressed=regressed,
        improved=improved,
        settled=settled,
    )


def minimum_detectable_effect(seen: Array, rule: PairedRule, *, floor: bool = True, seed: int = 0) -> float:
    """The smallest change, as a fraction, that a comparison by `rule` finds in 80 % of cases on this machine.

    Comparisons of `rule.rounds` rounds are drawn in which nothing changed, their spread as uncertain as the trimmed
    mean of those that were seen leaves it; where some of these were spoilt, the plain mean's is as wide as they make
    it. A change moves every threshold one to one, so each draw fires from a change of its own on: the least, over the
    looks, at which that look fires and none before it has let the test pass. The answer is the 80 % quantile of
    those.

    Args:
        seen: (n,) the rounds that there are.
        rule: what is asked.
        floor: without it, smaller changes than `max_regression` count as found, too.
        seed: of the draws; the same seed gives the same answer.
    """
    random = np.random.default_rng(seed)
    known, y = random.standard_normal((_DRAWS, seen.size)), random.standard_normal((_DRAWS, rule.rounds))
    spread, wider = (np.minimum(of(seen).se / of(known).se, _BEYOND) for of in (locate, average))
    spoilt = np.mean(wider < spread) < SPOILT_P  # so much wider than the trimmed one's no fluke makes the plain one's
    trimmed, plain = spread[:, None] * y, (np.maximum(spread, wider) if spoilt else spread)[:, None] * y
    fires, passed = np.full(_DRAWS, np.inf), np.full(_DRAWS, -np.inf)
    for look, count in enumerate(looks(rule.rounds), 1):
        level = allotted(rule.alpha, look)
        place, mean = locate(trimmed[:, :count]), average(plain[:, :count])
        needed = np.minimum(
            place.critical(level * (1.0 - MEAN_SHARE)) - place.estimate,
            mean.critical(level * MEAN_SHARE) - mean.estimate,
        )
        if floor:
            needed = np.maximum(needed, rule.tolerance - place.estimate)
        fires = np.minimum(fires, np.maximum(needed, passed))
        passed = np.maximum(passed, rule.tolerance - place.critical(_TAIL_OF_95) - place.estimate)
    return float(np.expm1(min(np.quantile(fires, POWER), _BEYOND)))
