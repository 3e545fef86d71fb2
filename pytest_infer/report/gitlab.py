"""OpenMetrics text, which GitLab takes as a metrics report (`artifacts:reports:metrics`) and Prometheus reads.

GitLab tells which metrics of a merge request differ from those of its target branch, and compares them as strings:
values have six digits. Its reader is a simple one, see `label` in `escaping.py`.
"""

from __future__ import annotations

import collections
import itertools
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_infer.metrics import METRICS
from pytest_infer.report.escaping import label
from pytest_infer.report.rows import device_of
from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.result import Result, RunReport

_UNITS: Final = {
    "ms": ("seconds", 1e-3),
    "s": ("seconds", 1.0),
    "samples/s": ("samples_per_second", 1.0),
    "MB": ("bytes", 1e6),
    "W": ("watts", 1.0),
    "mJ": ("joules", 1e-3),
}
"""The format asks for base units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    family: str
    unit: str
    help: str
    labels: tuple[tuple[str, str], ...]
    value: float


def encode(report: RunReport) -> bytes:
    """The report's text, all of it gauges: of each measurement its figures, of the run how often each outcome came.

    And how many tests failed without one.
    """
    families: dict[str, list[_Sample]] = {}
    figures = (sample for result in report.results for sample in _samples(result, report))
    for sample in itertools.chain(_outcomes(report), _errors(report), figures):
        families.setdefault(sample.family, []).append(sample)
    lines: list[str] = []
    for family, samples in families.items():
        lines.append(f"# TYPE {family} gauge")
        if samples[0].unit:
            lines.append(f"# UNIT {family} {samples[0].unit}")
        lines.append(f"# HELP {family} {samples[0].help}")
        lines += [_line(sample) for sample in samples]
    return "\n".join([*lines, "# EOF", ""]).encode()


def _outcomes(report: RunReport) -> Iterator[_Sample]:
    counts = collections.Counter(result.outcome for result in report.results)
    for outcome in Outcome:
        yield _Sample(
            family="infer_results",
            unit="",
            help="Measurements by outcome.",
            labels=(("outcome", str(outcome)),),
            value=counts[outcome],
        )


def _errors(report: RunReport) -> Iterator[_Sample]:
    counts = collections.Counter(error.phase for error in report.errors)
    for phase in ("setup", "call", "teardown"):
        yield _Sample(
            family="infer_errors",
            unit="",
            help="Tests that failed without a verdict.",
            labels=(("phase", phase),),
            value=counts[phase],
        )


def _samples(result: Result, report: RunReport) -> Iterator[_Sample]:
    measured = result.measurement
    labels = [("test", result.nodeid), ("measurement", measured.name), ("device", device_of(result, report))]
    whose = tuple((name, value) for name, value in labels if value)
    for name, value in measured.metrics.items():
        unit, factor = _UNITS[METRICS[name].unit] if name in METRICS else ("ratio", 1.0)
        yield _Sample(
            family=_name(name, unit), unit=unit, help=f"Metric {name} of a test.", labels=whose, value=value * factor
        )
    for name, value in measured.accuracy.items():
        told = f"Accuracy figure {name} of a test."
        yield _Sample(family=_name(f"accuracy_{name}"), unit="", help=told, labels=whose, value=value)
    for change in result.changes:
        of = (*whose, ("metric", change.metric), ("against", change.against))
        told = "Relative change of a metric; larger is worse."
        yield _Sample(family=_name("change", "ratio"), unit="ratio", help=told, labels=of, value=change.estimate)
        if change.detectable is not None:
            told = "Relative change that could have been seen in 80 % of runs."
            yield _Sample(
                family=_name("detectable_change", "ratio"), unit="ratio", help=told, labels=of, value=change.detectable
            )


def _name(metric: str, unit: str = "") -> str:
    """A family's name; it ends in its unit."""
    return re.sub(r"\W", "_", "_".join(filter(None, ("infer", metric, unit))), flags=re.ASCII)


def _line(sample: _Sample) -> str:
    labels = ",".join(f'{name}="{label(value)}"' for name, value in sample.labels)
    return f"{sample.family}{{{labels}}} {_value(sample.value)}"


def _value(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'+' if value > 0 else '-'}Inf"
    return f"{value:.6g}"
