"""GitLab's metrics report: OpenMetrics text, read by Prometheus' strict parser and as GitLab reads it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from pytest_infer.metrics import METRICS
from pytest_infer.report.gitlab import encode
from tests.report_told.conftest import TRACER, VERDICTS, report_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.measurement import Measurement
    from pytest_infer.result import Result
    from pytest_infer.verdict import Change
    from tests.integration.conftest import Suite


def families(text: str) -> dict[str, Any]:
    """Prometheus' reading, by name."""
    return {family.name: family for family in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]


def values(text: str) -> dict[tuple[str, ...], float]:
    """Every sample by its name and labels; each is there once."""
    samples = [s for family in families(text).values() for s in family.samples]
    found = {(s.name, *(f"{k}={v}" for k, v in s.labels.items())): s.value for s in samples}
    assert len(found) == len(samples)
    return found


def as_gitlab(text: str) -> dict[str, str]:
    """GitLab's reading: of each line what stands before a #, as a shell's words: a name and a value."""
    lines = [shlex.split(line.partition("#")[0]) for line in text.splitlines()]
    return {words[0]: words[1] for words in lines if len(words) > 1}


def test_a_run(suite: Suite) -> None:
    """Every measurement's figures in base units, by test and device, and how often each outcome came."""
    suite.conftest(TRACER)
    suite.write(VERDICTS)
    suite.run("--infer-isolate=never", "--infer-report=metrics.txt")
    text = (suite.path / "metrics.txt").read_text()
    found = values(text)
    results = suite.results()
    assert found["infer_results", "outcome=over_budget"] == 5
    assert found["infer_results", "outcome=regressed"] == 0
    slow = results["test_slow"]
    whose = (f"test={slow.nodeid}", f"device={slow.device}")
    assert found["infer_latency_seconds", *whose] == pytest.approx(slow.metrics["latency"] / 1e3, rel=1e-5)
    assert found["infer_throughput_samples_per_second", *whose] == pytest.approx(slow.metrics["throughput"], rel=1e-5)
    assert families(text)["infer_latency_seconds"].unit == "seconds"
    assert len(families(text)["infer_latency_seconds"].samples) == len(results) == 7
    assert len(as_gitlab(text)) == len(found)
    assert any("test_odd[50%, `c`: <b>]" in name for name in as_gitlab(text))
    assert any("test_odd[%231 @me]" in name for name in as_gitlab(text))


def test_every_metric_has_its_unit(
    make_result: Callable[..., Result],
    make_measurement: Callable[..., Measurement],
    make_change: Callable[..., Change],
) -> None:
    """Seconds, bytes, watts and joules; ratios and accuracy without; changes by metric and by what they are against."""
    measurement = make_measurement(
        name="second#2",
        metrics={**dict.fromkeys(METRICS, 2.0), "speedup_over_fp32": 1.5},
        accuracy={"cosine": 0.99996, "max_rel_error": float("inf")},
    )
    changes = (make_change(), make_change(against="anchor", estimate=0.2, detectable=None))
    text = encode(report_of(make_result(measurement=measurement, changes=changes))).decode()
    found = {name[0]: value for name, value in values(text).items()}
    assert {name: value for name, value in found.items() if name not in {"infer_results", "infer_errors"}} == {
        "infer_latency_seconds": 0.002, "infer_p90_latency_seconds": 0.002, "infer_p95_latency_seconds": 0.002,
        "infer_p99_latency_seconds": 0.002, "infer_device_seconds": 0.002, "infer_load_seconds": 0.002,
        "infer_build_seconds": 2.0, "infer_throughput_samples_per_second": 2.0, "infer_device_memory_bytes": 2e6,
        "infer_host_memory_bytes": 2e6, "infer_engine_size_bytes": 2e6, "infer_power_watts": 2.0,
        "infer_energy_joules": 0.002, "infer_speedup_over_fp32_ratio": 1.5, "infer_accuracy_cosine": 0.99996,
        "infer_accuracy_max_rel_error": float("inf"), "infer_change_ratio": 0.2, "infer_detectable_change_ratio": 0.01,
    }  # fmt: skip
    whose = ("test=tests/test_net.py::test_net[fp32-b1]", "measurement=second%232", "device=cpu-x-4c", "metric=latency")
    assert values(text)["infer_change_ratio", *whose, "against=baseline"] == 0.001


def test_nothing_ran() -> None:
    """It is a file all the same."""
    assert set(values(encode(report_of()).decode()).values()) == {0.0}
