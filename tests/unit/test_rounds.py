"""Times as rounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.measure.rounds import MOST_ROUNDS, in_rounds

TIMES = st.lists(st.integers(0, 10**12), max_size=3 * MOST_ROUNDS)


@given(times=TIMES, calls=st.integers(1, 5))
def test_rounds_are_few_and_lose_less_than_one(times: list[int], calls: int) -> None:
    """At most so many, in order, of equally many calls; what is left out at the end is less than a round."""
    rounds, together = in_rounds(times, calls)
    each = together // calls
    assert together == each * calls
    assert len(rounds) <= MOST_ROUNDS
    assert 0 <= len(times) - each * len(rounds) < each
    assert sum(rounds) == sum(times[: each * len(rounds)])


@given(times=TIMES.filter(lambda times: len(times) <= MOST_ROUNDS))
def test_few_times_stay_as_they_are(times: list[int]) -> None:
    """A call a round, nothing lost."""
    assert in_rounds(times) == (tuple(times), 1)
