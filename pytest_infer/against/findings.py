"""From rounds to what is said of each measurement: pure."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pytest_infer.against.differences import between, other_workload
from pytest_infer.against.rounds import round_ratio
from pytest_infer.gating import worse
from pytest_infer.metrics import METRICS
from pytest_infer.result import Compared
from pytest_infer.stats.paired import judge
from pytest_infer.verdict import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_infer.against.rounds import Round
    from pytest_infer.against.side import Side
    from pytest_infer.measure.protocol import Answer
    from pytest_infer.stats.paired import Paired, PairedRule

OTHER: Final = "other"
"""Of a `Change`: it is against the other side."""
_LARGEST: Final = 50.0
"""Log units: nobody asks for a larger figure, and its exponential is finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One measurement as the rounds show it so far, and whether more of them would change that."""

    compared: Compared
    settled: bool


def find(name: str, rounds: Sequence[Round], gate: Sequence[str], rule: PairedRule, side: Side) -> Finding:
    """Judge one measurement by its rounds, at least as many as the first look needs if the sides met there.

    Args:
        name: which of the test's measurements.
        rounds: all of them, the first one first.
        gate: the metrics to judge.
        rule: what is asked.
        side: the other one.
    """
    if name not in rounds[0].points:
        return Finding(compared=Compared(missing=(_not_met(name, rounds[0], side),)), settled=True)
    here, there = rounds[0].points[name]
    if told := other_workload(here, there):
        return Finding(compared=Compared(missing=(f"{side.label} measures another workload ({told})",)), settled=True)
    changes, missing, shown, settled = [], [], {}, True
    for metric in gate:
        ratios = _ratios(name, metric, rounds)
        if ratios is None:
            missing.append(f"{metric} can't be compared: a side has none, or too few samples for it (--infer-time)")
            continue
        paired = judge(ratios, rule)
        changes.append(_change(metric, paired, rule, _other_value(name, metric, rounds), side, ratios.size))
        shown[metric] = tuple(_fraction(float(ratio)) for ratio in ratios)
        settled = settled and paired.settled
    single = [f"{side.label} also measures {text or 'the engine'}" for text in rounds[0].single]
    return Finding(
        compared=Compared(
            changes=tuple(changes),
            missing=tuple(missing),
            differs=(*between(here, there), *side.notes, *single),
            rounds=shown,
        ),
        settled=settled,
    )


def _not_met(name: str, played: Round, side: Side) -> str:
    if _value(played.current, name, "latency") and _value(played.other, name, "latency"):
        return (
            f"this checkout and {side.label} did not meet at this measurement: measure in the same order on both, and "
            "with infer_engine or infer.measure: pytest-benchmark runs its rounds in one piece"
        )
    return f"{side.label} measures nothing of this name"


def _ratios(name: str, metric: str, rounds: Sequence[Round]) -> NDArray[np.float64] | None:
    """One log ratio a round, positive where the current side is worse; None where a round has none.

    What blocks tell is taken of the blocks; what a process tells once, of the two processes.
    """
    found = []
    for played in rounds:
        if metric == "latency" and (ratios := played.ratios.get(name)):
            found.append(round_ratio(ratios))
            continue
        mine, theirs = (_value(answer, name, metric) for answer in (played.current, played.other))
        if mine is None or theirs is None:
            return None
        found.append(worse(metric, mine) - worse(metric, theirs))
    return np.array(found)


def _value(answer: Answer, name: str, metric: str) -> float | None:
    value = next((m.metrics.get(metric, 0.0) for m in answer.measurements if m.name == name), 0.0)
    return value if value > 0 else None


def _other_value(name: str, metric: str, rounds: Sequence[Round]) -> float:
    """The metric on the other side, the geometric mean of the rounds."""
    values = [value for played in rounds if (value := _value(played.other, name, metric)) is not None]
    return statistics.geometric_mean(values) if values else math.nan


def _change(metric: str, paired: Paired, rule: PairedRule, other: float, side: Side, rounds: int) -> Change:
    sign = worse(metric, math.e)
    return Change(
        metric=metric,
        unit=METRICS[metric].unit,
        estimate=_fraction(paired.estimate),
        low=_fraction(paired.low),
        high=_fraction(paired.high),
        p=paired.p,
        detectable=paired.mde if math.isfinite(paired.mde) else None,
        tolerance=rule.max_regression,
        regressed=paired.regressed,
        improved=paired.improved,
        suspected=paired.suspected,
        provisional=False,
        baseline=other,
        current=other * math.exp(sign * paired.estimate),
        runs=rounds,
        sessions=1,
        confirmed=rounds,
        blind=paired.blind,
        against=OTHER,
        other=side.label,
    )


def _fraction(log_ratio: float) -> float:
    return math.expm1(min(log_ratio, _LARGEST))
