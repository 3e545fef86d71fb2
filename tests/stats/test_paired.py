"""The rule of interleaved comparisons on rounds that leave no doubt, and what its parts promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.stats.paired import (
    FIRST_LOOK,
    LOOKS,
    PairedRule,
    allotted,
    average,
    chance,
    judge,
    locate,
    looks,
    minimum_detectable_effect,
)

WOBBLE = np.array([0.004, -0.004, 0.002, -0.002, 0.001, -0.001, 0.003, -0.003])
RULE = PairedRule()


def test_slower_beyond_doubt_is_regressed() -> None:
    """Eight rounds that all say +10 %: regressed, with the interval around it."""
    found = judge(math.log(1.1) + WOBBLE, RULE)
    assert found.regressed
    assert found.settled
    assert not found.improved
    assert found.low < math.log(1.1) < found.high
    assert found.p < RULE.alpha


def test_faster_is_its_mirror() -> None:
    """The same rounds with their sign turned: improved."""
    found = judge(-math.log(1.1) - WOBBLE, RULE)
    assert found.improved
    assert not found.regressed
    assert found.p == judge(math.log(1.1) + WOBBLE, RULE).p


def test_the_same_speed_passes_at_the_first_look() -> None:
    """Rounds around zero whose interval lies below the tolerance: settled, and nothing is suspected."""
    found = judge(WOBBLE, RULE)
    assert found.settled
    assert not any((found.regressed, found.improved, found.suspected, found.blind))


def test_less_than_the_floor_never_fails() -> None:
    """+1.5 % beyond all doubt, with 2 % allowed."""
    found = judge(math.log(1.015) + WOBBLE / 10, RULE)
    assert found.p < RULE.alpha
    assert not found.regressed
    assert found.settled


def test_one_spoilt_round_does_not_hide_a_regression() -> None:
    """A neighbour that made one round of eight 60 % faster: the trimmed mean still says +10 %."""
    rounds = math.log(1.1) + WOBBLE
    rounds[3] = -0.6
    assert judge(rounds, RULE).regressed
    assert not judge(np.where(np.arange(8) == 3, 0.6, WOBBLE), RULE).regressed


def test_noise_that_hides_the_tolerance_is_said() -> None:
    """Rounds that spread by tens of percent decide nothing: blind, and what could have been seen is large."""
    found = judge(WOBBLE * 50, RULE)
    assert found.blind
    assert not found.settled
    assert found.mde > 0.2


def test_rounds_without_any_spread() -> None:
    """A size is the same in every process: no spread to test against, and none needed."""
    assert judge(np.zeros(8), RULE).settled
    assert not judge(np.zeros(8), RULE).regressed
    slower = judge(np.full(8, 0.1), RULE)
    assert slower.regressed
    assert slower.mde == pytest.approx(RULE.max_regression)


def test_looks_are_as_planned_and_one_at_the_end() -> None:
    """The last look may come whenever time is over."""
    assert looks(8) == (8,)
    assert looks(13) == (8, 12, 13)
    assert looks(LOOKS[-1]) == LOOKS


def test_all_looks_together_get_the_level() -> None:
    """However many: half at the first one, and never more than alpha in all."""
    levels = [allotted(0.001, look) for look in range(1, 10_000)]
    assert levels[0] == 0.0005
    assert 0.00099 < sum(levels) <= 0.001


def test_every_look_is_paid_for_in_p() -> None:
    """What the second look says costs more than the same would at the first."""
    rounds = np.tile(WOBBLE, 2)[:11] + 0.01
    found = judge(rounds, RULE)
    assert found.p == pytest.approx(min(6 * float(chance(rounds)), 2 * float(chance(rounds[:8]))))


def test_both_statistics_are_paid_for_in_p() -> None:
    """Whichever sees more, it sees at its own share of the level."""
    quiet, spoilt = 0.02 + WOBBLE, np.append(0.02 + WOBBLE[:7], 0.4)
    assert chance(quiet) == pytest.approx(3 * average(quiet).p)
    assert chance(spoilt) == pytest.approx(1.5 * locate(spoilt).p)


def test_before_the_first_look_nothing_is_said() -> None:
    """Seven rounds, or a rule that has no time for eight, are refused."""
    with pytest.raises(ValueError, match="first look is after 8 rounds, there are 7"):
        judge(WOBBLE[:7], RULE)
    with pytest.raises(ValueError, match="first look is after 8 rounds"):
        PairedRule(rounds=7)


@pytest.mark.parametrize("asked", [{"alpha": 0.0}, {"alpha": 1.0}, {"max_regression": -0.1}])
def test_impossible_rules_are_refused(asked: dict[str, float]) -> None:
    """A level that is no probability, a floor below zero."""
    with pytest.raises(ValueError, match=r"alpha|max_regression"):
        PairedRule(**asked)  # type: ignore[arg-type]


@given(
    st.lists(st.floats(-2, 2), min_size=FIRST_LOOK, max_size=20),
    st.floats(-1, 1),
    st.sampled_from([1e-6, 0.001, 0.05]),
)
def test_a_slower_current_side_never_looks_better(rounds: list[float], slower: float, alpha: float) -> None:
    """Adding a slowdown to every round moves estimate and interval by it, and never lowers the doubt.

    (Of an improvement p says how sure that is, and so nothing of slowness.)
    """
    rule = PairedRule(alpha=alpha)
    y = np.array(rounds)
    one, other = judge(y, rule), judge(y + abs(slower), rule)
    assert other.estimate == pytest.approx(one.estimate + abs(slower), abs=1e-9)
    assert one.improved or other.p <= one.p + 1e-12
    assert one.low <= one.estimate <= one.high
    assert other.regressed >= one.regressed
    assert one.mde >= rule.max_regression - 1e-12


def test_more_time_sees_more() -> None:
    """The detectable change shrinks with the rounds that there is time for, and with the machine's noise."""
    eight = minimum_detectable_effect(4 * WOBBLE, RULE)
    assert minimum_detectable_effect(4 * WOBBLE, PairedRule(rounds=24)) < eight
    assert minimum_detectable_effect(2 * WOBBLE, RULE) < eight
    assert minimum_detectable_effect(0 * WOBBLE, RULE) == pytest.approx(RULE.max_regression)


def test_a_spoilt_round_is_no_reason_to_promise_less() -> None:
    """What the trimmed mean can see is seen, whatever the plain one makes of such a round; nor is more promised."""
    spoilt = np.append(WOBBLE[:7], 0.4)
    assert minimum_detectable_effect(spoilt, RULE) < 1.5 * minimum_detectable_effect(2 * WOBBLE, RULE)
    assert minimum_detectable_effect(spoilt, RULE) > minimum_detectable_effect(WOBBLE, RULE)


def test_the_detectable_change_is_the_same_again() -> None:
    """Seeded: the same rounds give the same figure."""
    assert minimum_detectable_effect(WOBBLE, RULE) == minimum_detectable_effect(WOBBLE, RULE)
