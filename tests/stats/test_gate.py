"""Screening and confirming one test."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pytest_infer.stats.gate import confirm, log_ratio, screen, shift_ratio
from pytest_infer.stats.moderation import Variance
from pytest_infer.stats.rule import Rule
from pytest_infer.stats.runs import Runs
from pytest_infer.stats.shift import Shift
from pytest_infer.stats.spread import GPU, Spread, estimate_spread

SPREAD = Spread(
    run=Variance(value=0.01**2, df=20.0),
    session=Variance(value=0.005**2, df=8.0),
    common=Variance(value=0.01**2, df=8.0),
    sessions=np.arange(3),
    shifts=np.zeros(3),
    session_tests=20.0,
)
RULE = Rule()
SHIFT = Shift(value=0.02, spread=0.012, count=19)
seeds = st.integers(0, 2**32 - 1)


def baseline(seed: int = 1, sessions: int = 3, runs: int = 5) -> Runs:
    """A baseline of the device above."""
    random = np.random.default_rng(seed)
    code = np.repeat(np.arange(sessions), runs)
    return Runs(y=0.01 * random.standard_normal(code.size), session=code)


def test_p_is_students() -> None:
    """Runs alone, sessions that never differ: the two-sample t test, its variance pooled with the device's."""
    quiet = Spread(
        run=SPREAD.run,
        session=Variance(value=1e-20, df=8.0),
        common=Variance(value=1e-20, df=8.0),
    )
    runs, fresh = baseline(sessions=1), np.array([0.02, 0.03, 0.025])
    change = confirm(runs, quiet, fresh, RULE)
    squares = 20 * 0.01**2 + np.var(runs.y) * 5 + np.var(fresh) * 3
    df = 20 + 4 + 2
    se = np.sqrt(squares / df * (1 / 5 + 1 / 3))
    assert change.df == pytest.approx(df)
    assert change.se == pytest.approx(se)
    assert change.estimate == pytest.approx(fresh.mean() - runs.y.mean())
    assert change.p == pytest.approx(stats.t.sf(change.estimate / se, df))
    assert change.high - change.low == pytest.approx(2 * stats.t.ppf(0.975, df) * se)


def test_sessions_widen_the_error_by_the_design_formula() -> None:
    """se^2 = s_w^2 (1/R + 1/K) + (s_b^2 + s_c^2) (1/S + 1), with the session spreads known by themselves."""
    known = Spread(
        run=Variance(value=0.01**2, df=1e9),
        session=Variance(value=0.005**2, df=1e9),
        common=Variance(value=0.02**2, df=1e9),
    )
    change = confirm(baseline(), known, np.zeros(3), RULE)
    assert change.se**2 == pytest.approx(0.01**2 * (1 / 15 + 1 / 3) + (0.005**2 + 0.02**2) * (1 / 3 + 1), rel=1e-6)


@settings(deadline=None, max_examples=30)
@given(seeds, st.floats(-5, 5))
def test_only_ratios_matter(seed: int, level: float) -> None:
    """The unit of the metric, a constant in logarithms, changes nothing."""
    runs, fresh = baseline(seed), 0.03 + baseline(seed + 1).y[:3]
    here = confirm(runs, SPREAD, fresh, RULE)
    there = confirm(Runs(y=runs.y + level, session=runs.session), SPREAD, fresh + level, RULE)
    assert there.estimate == pytest.approx(here.estimate, abs=1e-9)
    assert there.p == pytest.approx(here.p, rel=1e-6)
    assert there.regressed == here.regressed
    assert there.mde == pytest.approx(here.mde, rel=1e-6)


@settings(deadline=None, max_examples=30)
@given(seeds, st.floats(-0.3, 0.3), st.booleans())
def test_improved_is_the_mirror_of_regressed(seed: int, change: float, relative: bool) -> None:  # noqa: FBT001 - drawn
    """What is called regressed is called improved with the signs exchanged, shift and baseline sessions included."""
    runs, fresh = baseline(seed), change + baseline(seed + 1).y[:3]
    shift = SHIFT if relative else None
    here = confirm(runs, SPREAD, fresh, RULE, shift=shift)
    mirror = Runs(y=-runs.y, session=runs.session)
    there = confirm(mirror, SPREAD, -fresh, RULE, shift=None if shift is None else shift.mirrored())
    assert (there.regressed, there.improved) == (here.improved, here.regressed)
    assert there.estimate == pytest.approx(-here.estimate)
    assert not (here.regressed and here.improved)


@settings(deadline=None, max_examples=30)
@given(seeds, st.floats(0, 0.3), st.floats(0, 0.3))
def test_slower_is_never_less_suspect(seed: int, a: float, b: float) -> None:
    """The slower the fresh runs, the smaller p; what regressed still does when slower yet."""
    runs, fresh = baseline(seed), baseline(seed + 1).y[:3]
    little, much = (confirm(runs, SPREAD, fresh + change, RULE) for change in sorted((a, b)))
    assert much.p <= little.p
    assert much.regressed >= little.regressed
    assert screen(runs, SPREAD, max(a, b)) <= screen(runs, SPREAD, min(a, b))


@settings(deadline=None, max_examples=30)
@given(seeds, st.permutations(range(5)))
def test_the_order_of_runs_in_a_session_does_not_matter(seed: int, order: list[int]) -> None:
    """A session is a set of runs."""
    runs = baseline(seed, sessions=1)
    here = confirm(runs, SPREAD, np.full(3, 0.05), RULE)
    there = confirm(Runs(y=runs.y[order], session=runs.session), SPREAD, np.full(3, 0.05), RULE)
    assert there.p == pytest.approx(here.p)
    assert there.ranked == here.ranked


def test_the_floor_forgives_what_is_certain_but_small() -> None:
    """1 % slower beyond all doubt is no regression where 2 % is tolerated; where nothing is, it is one."""
    sure = Spread(
        run=Variance(value=1e-8, df=20.0), session=Variance(value=1e-8, df=8.0), common=Variance(value=1e-8, df=8.0)
    )
    runs = Runs(y=np.zeros(15), session=np.repeat(np.arange(3), 5))
    assert not confirm(runs, sure, np.full(3, 0.01), RULE).regressed
    assert confirm(runs, sure, np.full(3, 0.01), Rule(max_regression=0.0)).regressed
    assert confirm(runs, sure, np.full(3, 0.03), RULE).regressed


def test_one_fresh_run_as_fast_as_before_saves_the_test() -> None:
    """Every fresh run must lie above the baseline's slowest: two slow ones and a fast one may be the machine."""
    runs = Runs(y=np.zeros(9), session=np.repeat(np.arange(3), 3))
    change = confirm(runs, SPREAD, np.array([0.5, 0.5, -0.001]), Rule(alpha=0.4))
    assert not change.ranked
    assert not change.regressed
    assert confirm(runs, SPREAD, np.array([0.5, 0.5, 0.4]), Rule(alpha=0.4)).regressed


def test_less_than_three_sessions_are_provisional() -> None:
    """Their session spread leans on a declaration; the verdict says so."""
    assert [confirm(baseline(sessions=s), SPREAD, np.zeros(3), RULE).provisional for s in (1, 2, 3)] == [
        True,
        True,
        False,
    ]


def test_the_shift_is_taken_out_where_the_sessions_are_shared() -> None:
    """A session 2 % slower throughout blames no test; a baseline from elsewhere is judged as it stands."""
    fresh = np.full(3, 0.02)
    relative = confirm(baseline(), SPREAD, fresh, RULE, shift=SHIFT)
    plain = confirm(baseline(), SPREAD, fresh, RULE)
    assert relative.relative
    assert relative.estimate == pytest.approx(plain.estimate - 0.02)
    alone = Runs(y=baseline().y, session=baseline().session + 100)
    assert not confirm(alone, SPREAD, fresh, RULE, shift=SHIFT).relative
    assert shift_ratio(alone, SPREAD, 0.02) is None


def test_baseline_sessions_lose_their_own_shifts() -> None:
    """Relative to a shift, a baseline that was recorded in a slow session is no excuse."""
    slow = Spread(
        run=SPREAD.run,
        session=SPREAD.session,
        common=SPREAD.common,
        sessions=np.arange(2),
        shifts=np.array([0.0, 0.06]),
    )
    runs = Runs(y=np.array([0.0, 0.001, 0.06, 0.061]), session=np.array([0, 0, 1, 1]))
    assert shift_ratio(runs, slow, 0.0) == pytest.approx(-0.0005)
    assert log_ratio(runs, 0.0) == pytest.approx(-0.0305)
    assert confirm(runs, slow, np.full(3, 0.05), RULE, shift=Shift(value=0.0, spread=0.01, count=19)).ranked


def test_a_metric_that_never_moves_is_judged_too() -> None:
    """An engine's size has no spread at all; the declared one stands in, nothing divides by zero."""
    runs = Runs(y=np.full(15, 3.0), session=np.repeat(np.arange(3), 5))
    spread = estimate_spread([runs, runs, runs], GPU)
    assert not confirm(runs, spread, np.full(3, 3.0), RULE).regressed
    assert np.isfinite(confirm(runs, spread, np.full(3, 3.0), RULE).p)
    assert confirm(runs, spread, np.full(3, 3.5), RULE).regressed


@pytest.mark.parametrize(
    "wrong", [{"alpha": 0.0}, {"alpha": 1.0}, {"screen_p": 2.0}, {"max_regression": -0.1}, {"confirm": 0}]
)
def test_impossible_rules_are_refused(wrong: dict[str, float]) -> None:
    """A level that is no probability, a negative floor, a test without runs."""
    with pytest.raises(ValueError, match=r"alpha and screen_p|max_regression"):
        Rule(**wrong)  # type: ignore[arg-type]
