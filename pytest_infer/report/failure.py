"""A failing result as the message of its test: someone reads only this in a CI log."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from pytest_infer.metrics import METRICS
from pytest_infer.report.rows import digits
from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    from pytest_infer.device.fingerprint import Device
    from pytest_infer.result import Result


def failure(result: Result, device: Device) -> str:
    """The message of a failing test on a device."""
    return "\n".join([headline(result), *particulars(result, f"{device.name} ({device.slug})")])


def headline(result: Result) -> str:
    """The verdict and whose it is."""
    return f"{result.outcome}: {result.nodeid} {result.measurement.name}".rstrip()


def particulars(result: Result, device: str) -> list[str]:
    """What was measured, what it breaks, on which device, what differs, and how to accept it: indented lines."""
    lines = [f"  {reason}" for reason in result.reasons]
    if "latency" in result.measurement.metrics:
        lines.append(f"  {_which(result)}: {measured(result)}")
    lines.append(f"  device: {device}")
    if result.differs:
        other = result.against or "the baseline's recording"
        lines += [f"  differs from {other}:", *(f"    {line}" for line in result.differs)]
    elif result.outcome is Outcome.REGRESSED:
        same = "the same on both sides" if result.against else "as it was when the baseline was recorded"
        lines.append(f"  environment: {same}")
    return [*lines, f"  {way}"] if (way := _way_out(result)) else lines


def measured(result: Result) -> str:
    """The figures of a measurement on one line."""
    metrics, samples = result.measurement.metrics, result.measurement.samples
    parts = []
    for name in ("latency", "p90_latency", "p99_latency", "throughput"):
        if name in metrics:
            low_high = result.measurement.intervals.get(name)
            interval = f" [{digits(low_high[0])}, {digits(low_high[1])}]" if low_high else ""
            parts.append(f"{name} {digits(metrics[name])} {METRICS[name].unit}{interval}")
    if samples is not None:
        parts.append(f"{samples.count} samples" + ("" if samples.settled else ", never settled"))
    return ", ".join(parts)


def _which(result: Result) -> str:
    """What the figures are of: where more runs made the verdict, they are not the ones that it tells."""
    several = result.recorded or any(change.confirmed for change in result.changes)
    return "first run" if several else "measured"


def _way_out(result: Result) -> str:
    test = shlex.quote(result.nodeid)
    record = f"pytest {test} --infer-update-baselines"
    ways = {
        Outcome.REGRESSED: f"to accept the new speed: {record} --infer-force",
        Outcome.NO_BASELINE: f"to record one: {record}",
        Outcome.IMPROVED: f"the baseline guards an old speed now: {record}=reset",
        Outcome.OVER_BUDGET: "to accept it: raise the budget in the test's marker",
        Outcome.INACCURATE: "to accept it: loosen the accuracy budget in the test's marker",
    }
    if result.measurement.non_finite:
        ways[Outcome.INACCURATE] = "no budget accepts that: look at the model, its precision and its inputs"
    if result.against:
        again = f"to see it again: pytest {test} --infer-against={shlex.quote(result.against)}"
        ways |= {
            Outcome.REGRESSED: f"{again}; to accept it: merge it all the same (what comes later is held against it), "
            "or raise max_regression in the test's marker",
            Outcome.NO_BASELINE: "it fails because of --infer-baseline-mode=require",
            Outcome.IMPROVED: "",
        }
    strict = "it fails because of --infer-strict" if result.failed else ""
    return ways.get(result.outcome, strict)
