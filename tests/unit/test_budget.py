"""Budgets: which side is allowed, and what breaks them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.budget import ACCURACY, SPEED_AND_COST, Budget, Limit

numbers = st.floats(allow_nan=False)


@given(numbers, numbers)
def test_an_upper_bound_mirrors_a_lower_one(bound: float, value: float) -> None:
    """`max_` allows what `min_` allows with every sign turned."""
    upper = Limit(key="max_latency_ms", name="latency", bound=bound)
    lower = Limit(key="min_throughput", name="throughput", bound=-bound)
    assert upper.allows(value) == lower.allows(-value)
    assert upper.allows(value) == (value <= bound)


@given(numbers)
def test_the_bound_itself_is_allowed(bound: float) -> None:
    """A budget of 5 ms is kept by 5 ms, a throughput of 100 by 100."""
    assert Limit(key="max_latency_ms", name="latency", bound=bound).allows(bound)
    assert Limit(key="min_throughput", name="throughput", bound=bound).allows(bound)


@given(numbers, numbers, numbers)
def test_what_is_better_than_something_allowed_is_allowed(bound: float, one: float, other: float) -> None:
    """Allowing keeps the order."""
    better, worse = sorted((one, other))
    limit = Limit(key="max_latency_ms", name="latency", bound=bound)
    assert limit.allows(better) or not limit.allows(worse)


@pytest.mark.parametrize("key", ["max_abs_error", "min_cosine"])
def test_what_is_no_number_keeps_no_budget(key: str) -> None:
    """NaN is on neither allowed side."""
    assert not Limit(key=key, name="x", bound=0.5).allows(math.nan)


def test_the_prefix_of_each_key_says_its_side() -> None:
    """Every key of the marker begins with max_ or min_, and only throughput, cosine and top-k are floors."""
    keys = {*SPEED_AND_COST, *ACCURACY}
    assert all(key.startswith(("max_", "min_")) for key in keys)
    floors = {key for key in keys if not Limit(key=key, name="x", bound=1).at_most}
    assert floors == {"min_throughput", "min_cosine", "min_top1", "min_top5"}


def test_a_broken_budget_says_what_is_beyond_what() -> None:
    """The sentence has the metric, its value, the side and the budget as the marker writes it."""
    upper = Limit(key="max_p99_latency_ms", name="p99_latency", bound=5)
    assert upper.broken_by(6.25) == "p99_latency 6.25 ms is above the budget max_p99_latency_ms=5"
    lower = Limit(key="min_throughput", name="throughput", bound=100)
    assert lower.broken_by(99.5) == "throughput 99.5 samples/s is below the budget min_throughput=100"


@given(st.sampled_from(["max_latency_ms", "min_throughput"]), st.floats(0.01, 100), st.floats(1.001, 1000))
def test_how_far_a_budget_is_exceeded_is_the_same_on_both_sides(key: str, bound: float, times: float) -> None:
    """Three times the time and a third of the throughput are 2, three times as much; what is allowed is below 0."""
    limit = Limit(key=key, name=SPEED_AND_COST[key], bound=bound)
    beyond, within = (bound * times, bound / times) if limit.at_most else (bound / times, bound * times)
    assert limit.exceeded(beyond) == pytest.approx(times - 1)
    assert limit.exceeded(within) < 0


def test_no_throughput_at_all_exceeds_any_bound() -> None:
    """Nothing is divided by it."""
    assert Limit(key="min_throughput", name="throughput", bound=1).exceeded(0.0) == math.inf


def test_arguments_are_split_by_what_they_need() -> None:
    """Times and costs on one side, accuracy on the other, speed-ups as floors; other arguments are none."""
    budget = Budget.from_arguments({"max_latency_ms": 5, "min_top1": 0.9, "batch": 8}, {"fp32": 2.0})
    assert budget.cost == (
        Limit(key="max_latency_ms", name="latency", bound=5),
        Limit(key="min_speedup_over[fp32]", name="speedup_over_fp32", bound=2.0),
    )
    assert budget.accuracy == (Limit(key="min_top1", name="top1", bound=0.9),)
    assert not budget.cost[1].at_most


def test_no_argument_is_no_budget() -> None:
    """Nothing is held against anything."""
    assert Budget.from_arguments({}, {}) == Budget()
    assert Budget().inaccuracies({"cosine": math.nan}) == ()


def test_each_broken_accuracy_budget_is_named() -> None:
    """Those that hold are not; a figure that is no number breaks its budget."""
    budget = Budget.from_arguments({"min_cosine": 0.99, "max_abs_error": 0.1, "max_top1_drop": 0.01}, {})
    told = budget.inaccuracies({"cosine": 0.9, "max_abs_error": 0.05, "top1_drop": math.nan})
    assert [text.split()[0] for text in told] == ["cosine", "top1_drop"]


@given(st.dictionaries(st.sampled_from(sorted(ACCURACY)), st.floats(0, 1)), st.floats(-1, 2))
def test_accuracy_is_broken_exactly_where_a_limit_forbids(arguments: dict[str, float], value: float) -> None:
    """One sentence a forbidding limit, in the marker's order."""
    budget = Budget.from_arguments(arguments, {})
    told = budget.inaccuracies(dict.fromkeys(ACCURACY.values(), value))
    assert list(told) == [limit.broken_by(value) for limit in budget.accuracy if not limit.allows(value)]
