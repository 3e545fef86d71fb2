"""What we measured as rows of pytest-benchmark's table, and so of its JSON, its histograms and its storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pytest_infer.benchmark.names import Row, put
from pytest_infer.benchmark.source import NAME
from pytest_infer.result import Result
from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    import pytest

_OURS: Final = "_infer"
"""How the names of our own parameters begin."""
_OPTIONS: Final = {"timer": "perf_counter_ns", "disable_gc": True, "warmup": True}
"""How our loop measures, in pytest-benchmark's words."""


def label(item: pytest.Item) -> dict[str, Any]:
    """How a table calls a test, in plain values."""
    parameters = getattr(item, "callspec", None)
    marker = item.get_closest_marker("benchmark")
    params = {} if parameters is None else parameters.params
    return {
        "name": item.name,
        "group": None if marker is None else marker.kwargs.get("group"),
        "param": None if parameters is None else parameters.id,
        "params": {name: _plain(value) for name, value in params.items() if not name.startswith(_OURS)},
    }


def enter(config: pytest.Config, results: list[dict[str, Any]], labelled: dict[str, Any]) -> None:
    """Put the results of one test, plain values as its report brought them, into the table of this session."""
    for content in results:
        result = msgspec.convert(content, Result)
        if result.measurement.rounds_ns:
            _enter(config, result, labelled)


def _enter(config: pytest.Config, result: Result, labelled: dict[str, Any]) -> None:
    measurement = result.measurement
    told = measurement.name not in {"", NAME}
    suffix = f" {measurement.name}" if told else ""
    identity = {key: measurement.workload.get(key) for key in ("backend", "precision", "batch")}
    row = Row(
        name=labelled["name"] + suffix,
        fullname=result.nodeid + suffix,
        group=labelled["group"],
        param=labelled["param"],
        params=labelled["params"] | identity,
        extra_info={"infer": _extra(result)},
        has_error=result.outcome is Outcome.INVALID,
    )
    options = {} if measurement.name == NAME else _OPTIONS
    put(config, row, [time / 1e9 for time in measurement.rounds_ns], measurement.round_calls, options)


def _extra(result: Result) -> dict[str, Any]:
    """What pytest-benchmark has no words for."""
    measurement, samples = result.measurement, result.measurement.samples
    return {
        "outcome": str(result.outcome),
        "backend": measurement.workload.get("backend"),
        "precision": measurement.workload.get("precision"),
        "batch": measurement.workload.get("batch"),
        "device": measurement.device,
        "metrics": measurement.metrics,
        "samples": None if samples is None else samples.count,
        "block_medians_ns": [] if samples is None else list(samples.block_medians_ns),
        "changes": [
            {
                "metric": change.metric,
                "against": change.against,
                "change": change.estimate,
                "interval": [change.low, change.high],
                "detectable": change.detectable,
            }
            for change in result.changes
        ],
    }


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
