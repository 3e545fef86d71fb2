"""The ladder of outcomes, and which of them fail."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.verdict import Evidence, Outcome, fails, judge

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from pytest_infer.verdict import Change

PRECEDENCE = [
    Outcome.INVALID,
    Outcome.INACCURATE,
    Outcome.OVER_BUDGET,
    Outcome.REGRESSED,
    Outcome.INCONCLUSIVE,
    Outcome.NO_BASELINE,
    Outcome.IMPROVED,
    Outcome.PASSED,
]

sentences = st.lists(st.text(min_size=1), max_size=2).map(tuple)
flags = st.fixed_dictionaries(
    {
        "regressed": st.booleans(),
        "improved": st.booleans(),
        "suspected": st.booleans(),
        "blind": st.booleans(),
        "estimate": st.sampled_from([-0.5, 0.001, 0.3]),
        "confirmed": st.sampled_from([0, 3]),
    }
)
evidences = st.builds(
    Evidence,
    disturbed=sentences,
    inaccurate=sentences,
    over_budget=sentences,
    no_baseline=sentences,
    changes=st.just(()),
)


def _holding(evidence: Evidence) -> set[Outcome]:
    """Every outcome that something speaks for."""
    changes = evidence.changes
    spoken = {
        Outcome.INVALID: bool(evidence.disturbed),
        Outcome.INACCURATE: bool(evidence.inaccurate),
        Outcome.OVER_BUDGET: bool(evidence.over_budget),
        Outcome.REGRESSED: any(c.regressed for c in changes),
        Outcome.INCONCLUSIVE: any(
            (c.suspected and c.blind) or (c.confirmed and not c.regressed and c.estimate > (c.detectable or 0))
            for c in changes
        ),
        Outcome.NO_BASELINE: bool(evidence.no_baseline),
        Outcome.IMPROVED: any(c.improved for c in changes),
        Outcome.PASSED: True,
    }
    return {outcome for outcome, holds in spoken.items() if holds}


def test_the_order_of_precedence_is_the_promised_one() -> None:
    """What makes figures worthless first, good news last."""
    assert list(Outcome) == PRECEDENCE


@given(evidences, st.lists(flags, max_size=4))
def test_the_first_outcome_that_holds_wins(
    make_change: Callable[..., Change],
    said: Evidence,
    changed: list[dict[str, bool]],
) -> None:
    """Over all evidence: the outcome is the first in precedence that something speaks for, with a reason each."""
    evidence = replace(said, changes=tuple(make_change(**c) for c in changed))
    outcome, reasons = judge(evidence)
    assert outcome == min(_holding(evidence), key=PRECEDENCE.index)
    assert bool(reasons) == (outcome is not Outcome.PASSED)


@given(evidences, st.lists(flags, max_size=4), evidences, st.lists(flags, max_size=2))
def test_more_evidence_never_makes_a_verdict_milder(
    make_change: Callable[..., Change],
    said: Evidence,
    changed: list[dict[str, bool]],
    more: Evidence,
    also: list[dict[str, bool]],
) -> None:
    """Adding to evidence moves the outcome up the ladder or leaves it."""
    changes = tuple(make_change(**c) for c in changed)
    little, _ = judge(replace(said, changes=changes))
    much, _ = judge(
        Evidence(
            disturbed=said.disturbed + more.disturbed,
            inaccurate=said.inaccurate + more.inaccurate,
            over_budget=said.over_budget + more.over_budget,
            no_baseline=said.no_baseline + more.no_baseline,
            changes=changes + tuple(make_change(**c) for c in also),
        )
    )
    assert PRECEDENCE.index(much) <= PRECEDENCE.index(little)


@given(st.lists(flags, max_size=4), st.randoms())
def test_the_order_of_metrics_does_not_matter(
    make_change: Callable[..., Change], changed: list[dict[str, bool]], random: Random
) -> None:
    """Gated metrics in another order give the same outcome and the same reasons."""
    changes = [make_change(**c) for c in changed]
    outcome, reasons = judge(Evidence(changes=tuple(changes)))
    random.shuffle(changes)
    shuffled, others = judge(Evidence(changes=tuple(changes)))
    assert (outcome, sorted(reasons)) == (shuffled, sorted(others))


@given(evidences)
def test_the_reasons_are_those_of_the_winning_line(said: Evidence) -> None:
    """Sentences of the outcome come out as they went in, none of a lower line."""
    outcome, reasons = judge(said)
    lines = {
        Outcome.INVALID: said.disturbed,
        Outcome.INACCURATE: said.inaccurate,
        Outcome.OVER_BUDGET: said.over_budget,
        Outcome.NO_BASELINE: said.no_baseline,
    }
    assert reasons == lines.get(outcome, ())


def test_only_the_regressed_metrics_are_reasons_of_a_regression(make_change: Callable[..., Change]) -> None:
    """A metric that held is not blamed."""
    slower = make_change(metric="p99_latency", regressed=True, suspected=True, estimate=0.08)
    outcome, reasons = judge(Evidence(changes=(make_change(), slower)))
    assert outcome is Outcome.REGRESSED
    assert len(reasons) == 1
    assert reasons[0].startswith("p99_latency")


def test_a_suspicion_that_could_have_been_seen_passes(make_change: Callable[..., Change]) -> None:
    """Inconclusive is only who was suspected and blind; who could see and saw nothing has passed."""
    assert judge(Evidence(changes=(make_change(suspected=True),)))[0] is Outcome.PASSED
    assert judge(Evidence(changes=(make_change(blind=True),)))[0] is Outcome.PASSED
    outcome, reasons = judge(Evidence(changes=(make_change(suspected=True, blind=True),)))
    assert outcome is Outcome.INCONCLUSIVE
    assert "a run looked slower" in reasons[0]
    assert reasons[0].endswith("this baseline can show +1.0% and more")


@pytest.mark.parametrize(
    ("detectable", "end"),
    [(None, "one run alone proves nothing"), (30.0, "this baseline can show more than tenfold only")],
)
def test_what_a_doubt_could_have_shown_is_a_sentence(
    make_change: Callable[..., Change], detectable: float | None, end: str
) -> None:
    """Also where that is nothing, or next to it."""
    _, reasons = judge(Evidence(changes=(make_change(suspected=True, blind=True, detectable=detectable),)))
    assert reasons[0].endswith(end)


def test_a_green_test_did_not_see_more_than_it_could(make_change: Callable[..., Change]) -> None:
    """Fresh runs that show a change which would have been found, and prove none, leave it open: they disagree."""
    outcome, reasons = judge(Evidence(changes=(make_change(estimate=5.0, high=80.0, detectable=2.0, confirmed=3),)))
    assert outcome is Outcome.INCONCLUSIVE
    assert "-1.0% to x 81, " in reasons[0]
    assert "slower than that by its 3 fresh runs, which lie too far apart to prove it" in reasons[0]
    assert judge(Evidence(changes=(make_change(estimate=1.9, detectable=2.0, confirmed=3),)))[0] is Outcome.PASSED


@pytest.mark.parametrize(("strict", "require"), list(itertools.product([False, True], repeat=2)))
def test_which_outcomes_fail(strict: bool, require: bool) -> None:  # noqa: FBT001 - a truth table
    """Three always; what can't tell only under strict, a missing baseline only under require; good news never."""
    expected = {Outcome.INACCURATE, Outcome.OVER_BUDGET, Outcome.REGRESSED}
    expected |= {Outcome.INCONCLUSIVE, Outcome.INVALID} if strict else set()
    expected |= {Outcome.NO_BASELINE} if require else set()
    assert {outcome for outcome in Outcome if fails(outcome, strict=strict, require=require)} == expected


def test_a_change_reads_as_a_sentence(make_change: Callable[..., Change]) -> None:
    """Both values with units, size and direction, interval, p, what could have been seen, and the baseline's size."""
    text = str(make_change(estimate=0.05, low=0.03, high=0.07, current=2.1, p=0.0004, detectable=0.02))
    for part in ("latency 2.1 ms", "5.0% worse than the baseline's 2 ms", "+3.0% to +7.0%", "p = 0.0004",
                 "detectable +2.0%", "15 runs of 3 session(s)"):  # fmt: skip
        assert part in text
    assert "provisional" not in text


def test_a_change_says_which_way_what_against_and_how_firm(make_change: Callable[..., Change]) -> None:
    """Better is said as better, the anchor is named, a young baseline is called provisional."""
    text = str(make_change(estimate=-0.05, against="anchor", provisional=True))
    assert "5.0% better than the oldest accepted session's" in text
    assert "provisional" in text


@pytest.mark.parametrize(("detectable", "text"), [(0.034, "+3.4%"), (20.0, "more than tenfold"), (None, "nothing")])
def test_what_could_have_been_seen_is_told_in_words(
    make_change: Callable[..., Change], detectable: float | None, text: str
) -> None:
    """A share as long as that means something."""
    assert f"detectable {text}" in str(make_change(detectable=detectable))
