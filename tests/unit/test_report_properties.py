"""The numbers of a result as `user_properties`, and so in JUnit XML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.metrics import METRICS
from pytest_infer.report.properties import properties

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.measurement import Measurement
    from pytest_infer.result import Result
    from pytest_infer.verdict import Change


def test_outcome_and_numbers_are_there_with_their_units(
    make_result: Callable[..., Result], make_change: Callable[..., Change]
) -> None:
    """Every name begins with infer_ and ends with the unit; every change has its size and what could be seen."""
    assert properties(make_result(changes=(make_change(), make_change(against="anchor", estimate=0.2)))) == [
        ("infer_outcome", "passed"),
        ("infer_latency_ms", 2.0),
        ("infer_p99_latency_ms", 2.5),
        ("infer_throughput_samples_per_s", 500.0),
        ("infer_latency_change", 0.001),
        ("infer_latency_change_low", -0.01),
        ("infer_latency_change_high", 0.012),
        ("infer_latency_detectable", 0.01),
        ("infer_latency_anchor_change", 0.2),
        ("infer_latency_anchor_change_low", -0.01),
        ("infer_latency_anchor_change_high", 0.012),
        ("infer_latency_anchor_detectable", 0.01),
    ]


def test_accuracy_and_ratios_are_there(
    make_result: Callable[..., Result], make_measurement: Callable[..., Measurement]
) -> None:
    """Figures without a unit have their own name; a speed-up is a ratio."""
    measurement = make_measurement(metrics={"speedup_over_fp32": 2.1}, accuracy={"top1": 0.9, "cosine": 0.99})
    assert properties(make_result(measurement=measurement)) == [
        ("infer_outcome", "passed"),
        ("infer_speedup_over_fp32_ratio", 2.1),
        ("infer_cosine", 0.99),
        ("infer_top1", 0.9),
    ]


def test_measurements_of_one_test_don_t_overwrite_each_other(
    make_result: Callable[..., Result], make_measurement: Callable[..., Measurement]
) -> None:
    """Their names are in the properties' names."""
    one, other = (make_result(measurement=make_measurement(name=name)) for name in ("", "second"))
    names = [name for name, _ in (*properties(one), *properties(other))]
    assert len(names) == len(set(names))
    assert "infer_second_latency_ms" in names


def test_a_name_of_any_letters_makes_a_property_s(
    make_result: Callable[..., Result], make_measurement: Callable[..., Measurement]
) -> None:
    """A file's or a lambda's: what XML could not hold is not in it. The device stands beside the outcome."""
    pairs = properties(make_result(measurement=make_measurement(name="<lambda> \0x#2", device="gpu-x")))
    assert pairs[:2] == [("infer__lambda_x#2_outcome", "passed"), ("infer__lambda_x#2_device", "gpu-x")]


def test_what_could_not_be_seen_at_all_has_no_number(
    make_result: Callable[..., Result], make_change: Callable[..., Change]
) -> None:
    """No infinity in somebody's XML."""
    names = [name for name, _ in properties(make_result(changes=(make_change(detectable=None),)))]
    assert "infer_latency_change" in names
    assert "infer_latency_detectable" not in names


def test_every_metric_makes_a_usable_name(
    make_result: Callable[..., Result], make_measurement: Callable[..., Measurement]
) -> None:
    """Lower-case letters, digits and underscores, all different."""
    measurement = make_measurement(metrics=dict.fromkeys(METRICS, 1.0))
    names = [name for name, _ in properties(make_result(measurement=measurement))]
    assert all(name.isidentifier() and name == name.lower() for name in names)
    assert len(names) == len(set(names)) == len(METRICS) + 1
