"""The metrics that users can name."""

from __future__ import annotations

from pytest_infer.metrics import LATENCY, METRICS, PERCENTILES, Better


def test_the_names_are_the_promised_ones() -> None:
    """`gate=(...)` takes exactly these words."""
    assert set(METRICS) == {
        *("latency", "p90_latency", "p95_latency", "p99_latency", "device", "throughput", "build", "load"),
        *("device_memory", "host_memory", "engine_size", "power", "energy"),
    }
    assert all(metric.name == name for name, metric in METRICS.items())


def test_only_throughput_is_better_when_higher() -> None:
    """The direction belongs to the metric: a wrong one makes a gate pass slowdowns as improvements."""
    assert [name for name, metric in METRICS.items() if metric.better is Better.HIGHER] == ["throughput"]


def test_every_metric_has_a_unit() -> None:
    """No number is shown bare."""
    assert all(metric.unit for metric in METRICS.values())


def test_percentiles_ask_for_enough_samples() -> None:
    """The counts are the promised ones, and the largest sample lies above the percentile in 998 of 1000 cases."""
    assert {m.name: m.min_samples for m in PERCENTILES[1:]} == {
        "p90_latency": 64,
        "p95_latency": 130,
        "p99_latency": 662,
    }
    for metric in PERCENTILES[1:]:
        assert metric.quantile is not None
        assert 1 - metric.quantile**metric.min_samples >= 0.998


def test_latency_is_the_median() -> None:
    """What `max_latency_ms` holds is p50."""
    assert LATENCY.quantile == 0.5
    assert PERCENTILES[0] is LATENCY
