"""Add sessions of tests/benchmarks/against.py up."""

from __future__ import annotations

import collections
import math
import statistics
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

Z: Final = 1.96
RULES: Final[dict[str, tuple[str, float]]] = {
    "mean:5%": ("mean", 1.05),
    "median:5%": ("median", 1.05),
    "median:2%": ("median", 1.02),
}
"""pytest-benchmark's --benchmark-compare-fail: the figure and the ratio from which on it fails. A limit of 5 % finds
half of changes by 5 %, by construction; 2 % is our own floor."""


def breaks(benchmark: dict[str, dict[str, float]], rule: tuple[str, float]) -> bool:
    """Whether pytest-benchmark would fail the change."""
    figure, ratio = rule
    return benchmark["current"][figure] > benchmark["base"][figure] * ratio


def added_up(lines: list[dict[str, Any]]) -> str:
    """What sessions of the same amount of work come to."""
    compared = [line for line in lines if line["estimate"] is not None]
    apart = collections.Counter(line["outcome"] for line in lines if line["estimate"] is None)
    parts = [f"{len(compared)} sessions"]
    parts += [f"{count} {word} without an estimate" for word, count in sorted(apart.items())]
    if not compared:
        return "; ".join(parts)
    outcomes = collections.Counter(line["outcome"] for line in compared)
    parts.append(f"regressed {rate(outcomes['regressed'], len(compared))}")
    parts += [f"{word} {count}" for word, count in sorted(outcomes.items()) if word != "regressed"]
    parts += _missed([line for line in compared if line["more"]])
    ratios = _centred((line["test"], math.log1p(line["estimate"])) for line in compared)
    raw = _centred((line["test"], math.log(line["raw_ms"])) for line in compared if line["raw_ms"])
    for name, values in (("ratio", ratios), ("raw median", raw)):
        if len(values) > 1:
            parts.append(f"{name} spreads by {statistics.stdev(values):.2%} (robust {_robust(values):.2%})")
    parts += [f"detectable {statistics.median(_detectable(line) for line in compared):+.1%}"]
    seconds = [line["seconds"] for line in lines]
    parts.append(f"{statistics.median(seconds):.0f} s (at most {max(seconds):.0f})")
    for name, rule in RULES.items():
        found = sum(breaks(line["benchmark"], rule) for line in compared)
        parts.append(f"pytest-benchmark {name} {rate(found, len(compared))}")
    return "; ".join(parts)


def _missed(slower: list[dict[str, Any]]) -> list[str]:
    """Of sessions with more work: those that did not find it, and what they said instead."""
    true = {
        test: statistics.median(line["estimate"] for line in slower if line["test"] == test)
        for test in {line["test"] for line in slower}
    }
    missed = [line for line in slower if line["outcome"] != "regressed"]
    if not missed:
        return []
    told = sum(line["outcome"] == "inconclusive" for line in missed)
    honest = sum(_detectable(line) >= true[line["test"]] for line in missed)
    return [f"of {len(missed)} missed {told} inconclusive, {honest} with a detectable change of the true one or more"]


def _detectable(line: dict[str, Any]) -> float:
    return math.inf if line["detectable"] is None else float(line["detectable"])


def _centred(values: Iterable[tuple[str, float]]) -> list[float]:
    """Values less the mean of their test: networks differ, and that is no spread."""
    by_test = collections.defaultdict(list)
    for test, value in values:
        by_test[test].append(value)
    return [value - statistics.mean(mine) for mine in by_test.values() for value in mine]


def _robust(values: list[float]) -> float:
    middle = statistics.median(values)
    return 1.4826 * statistics.median(abs(value - middle) for value in values)


def rate(count: int, of: int) -> str:
    """A rate with its 95 % interval (Wilson 1927, JASA 22, 209-212)."""
    share, scale = count / of, 1 + Z**2 / of
    middle = (share + Z**2 / (2 * of)) / scale
    half = Z / scale * math.sqrt(share * (1 - share) / of + Z**2 / (4 * of**2))
    return f"{count}/{of} = {share:.0%} [{max(0.0, middle - half):.0%}, {min(1.0, middle + half):.0%}]"
