"""Replay real same-code noise through gates: what each would have called a regression.

    python tests/benchmarks/replay.py

Every stretch of five rows is a baseline, the next rows are the runs that come after it: one that screens, three that
confirm. Our gate takes its spread from the rows before the stretch alone, as sessions of five rows, of both networks;
before there are any, and beside them as long as they are few, the declared prior of a CPU speaks. The other rules keep
one run and compare the next with it, as their tools do: the last row of the stretch and the screening row.

A factor above 1 multiplies the rows after the stretch: code that got slower by that much. `inconclusive`: suspected by
the screening run, not called regressed, and the change that this gate could have seen is larger than the tolerance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from scipy import stats

from pytest_infer.stats.gate import confirm, screen
from pytest_infer.stats.rule import Rule
from pytest_infer.stats.runs import Array, Runs
from pytest_infer.stats.spread import CPU, Prior, Spread, estimate_spread

if TYPE_CHECKING:
    from collections.abc import Iterator

NOISE: Final = Path(__file__).parents[1] / "data" / "same_code_shared_2core.npz"
STRETCH: Final = 5
FACTORS: Final = (1.0, 1.05, 1.1, 1.25, 2.0, 5.0)
RULE: Final = Rule()

OtherRule: TypeAlias = Callable[[Array, Array], bool]  # samples of the stored run and of the new one: slower?


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place of the replay.

    Attributes:
        network: which rows.
        start: first row of the baseline.
        runs: the baseline as the gate knows it.
        spread: of the rows before it.
    """

    network: str
    start: int
    runs: Runs
    spread: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Shares of all places: called regressed, and inconclusive; and the median of the stated detectable changes."""

    regressed: float
    inconclusive: float
    detectable: float


def load() -> dict[str, Array]:
    """The rows of each network, (60, 300) nanoseconds."""
    with np.load(NOISE) as stored:
        return {network: stored[network].astype(np.float64) for network in stored.files}


def places(rows: dict[str, Array], prior: Prior = CPU) -> Iterator[Place]:
    """Every stretch of five rows that has enough rows after it, of both networks."""
    y = {network: np.log(np.median(samples, axis=1)) for network, samples in rows.items()}
    count = len(next(iter(y.values())))
    for start in range(count - STRETCH - RULE.confirm):
        sessions = start // STRETCH
        code = np.repeat(np.arange(sessions), STRETCH)
        past = [Runs(y=one[start - code.size : start], session=code) for one in y.values() if sessions]
        spread = estimate_spread(past, prior)
        baseline = np.full(STRETCH, sessions)
        for network, one in y.items():
            runs = Runs(y=one[start : start + STRETCH], session=baseline)
            yield Place(network=network, start=start, runs=runs, spread=spread)


def gate(rows: dict[str, Array], factor: float = 1.0, prior: Prior = CPU) -> Tally:
    """Our gate over all places."""
    regressed, inconclusive, detectable = [], [], []
    for place in places(rows, prior):
        after = place.start + STRETCH
        y = np.log(factor * np.median(rows[place.network][after : after + 1 + RULE.confirm], axis=1))
        change = confirm(place.runs, place.spread, y[1:], RULE)
        suspected = screen(place.runs, place.spread, float(y[0])) <= RULE.screen_p
        regressed.append(suspected and change.regressed)
        inconclusive.append(suspected and not change.regressed and change.mde > RULE.max_regression)
        detectable.append(change.mde)
    return Tally(
        regressed=float(np.mean(regressed)),
        inconclusive=float(np.mean(inconclusive)),
        detectable=float(np.median(detectable)),
    )


def other(rule: OtherRule, rows: dict[str, Array], factor: float = 1.0) -> float:
    """The share of the same places at which another rule calls the new run slower."""
    count = len(next(iter(rows.values())))
    called = [
        rule(samples[start + STRETCH - 1], factor * samples[start + STRETCH])
        for samples in rows.values()
        for start in range(count - STRETCH - RULE.confirm)
    ]
    return float(np.mean(called))


def mean_5_percent(old: Array, new: Array) -> bool:
    """pytest-benchmark, --benchmark-compare-fail=mean:5%."""
    return bool(new.mean() > 1.05 * old.mean())


def median_10_percent(old: Array, new: Array) -> bool:
    """pytest-benchmark, --benchmark-compare-fail=median:10%."""
    return bool(np.median(new) > 1.10 * np.median(old))


def rank_test(old: Array, new: Array) -> bool:
    """A rank test (Mann-Whitney) on the iterations, one-sided at 5 %."""
    return bool(stats.mannwhitneyu(new, old, alternative="greater").pvalue < 0.05)


def asv(old: Array, new: Array) -> bool:
    """Apply asv compare: a rank test at p < 0.002 (asv/statistics.py, is_different) and medians by a factor of 1.1."""
    different = stats.mannwhitneyu(new, old).pvalue < 0.002
    return bool(different and np.median(new) > 1.1 * np.median(old))


def criterion(old: Array, new: Array) -> bool:
    """criterion.rs: bootstrap t-test at p < 0.05, and the 95 % interval of the mean's change beyond 1 % of noise."""
    random = np.random.default_rng(0)
    draws = 1000

    def welch(a: Array, b: Array) -> Array:
        error = np.sqrt(a.var(axis=-1, ddof=1) / a.shape[-1] + b.var(axis=-1, ddof=1) / b.shape[-1])
        return np.asarray((a.mean(axis=-1) - b.mean(axis=-1)) / error)

    pooled = np.concatenate([new, old])
    mixed = random.choice(pooled, (draws, pooled.size))
    p = np.mean(np.abs(welch(mixed[:, : new.size], mixed[:, new.size :])) >= np.abs(welch(new, old)))
    means = (random.choice(new, (draws, new.size)).mean(axis=1), random.choice(old, (draws, old.size)).mean(axis=1))
    low = np.quantile(means[0] / means[1] - 1.0, 0.025)
    return bool(p < 0.05 and low > 0.01)


OTHERS: Final[dict[str, OtherRule]] = {
    "pytest-benchmark mean:5%": mean_5_percent,
    "pytest-benchmark median:10%": median_10_percent,
    "rank test, 5 %": rank_test,
    "asv compare, factor 1.1": asv,
    "criterion": criterion,
}


def main() -> None:
    """Print the table: the share of places called slower, for each rule and factor."""
    rows = load()
    tallies = [gate(rows, factor) for factor in FACTORS]
    columns = ["same code", *(f"x {factor:g}" for factor in FACTORS[1:])]
    print(f"| called slower, share of {len(list(places(rows)))} places | {' | '.join(columns)} |")
    print("|---|" + "---:|" * len(columns))
    print(_line("pytest-infer", [tally.regressed for tally in tallies]))
    print(_line("pytest-infer: inconclusive", [tally.inconclusive for tally in tallies]))
    for name, rule in OTHERS.items():
        print(_line(name, [other(rule, rows, factor) for factor in FACTORS]))
    print(
        f"\npytest-infer states with each verdict what it could see; here, in the median: {tallies[0].detectable:+.0%}"
    )


def _line(name: str, shares: list[float]) -> str:
    return f"| {name} | {' | '.join(f'{share:.1%}' for share in shares)} |"


if __name__ == "__main__":
    main()
