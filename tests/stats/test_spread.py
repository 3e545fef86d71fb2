"""The spreads of a device."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_infer.stats.runs import Runs
from pytest_infer.stats.spread import CPU, GPU, RUN_DF_CAP, SESSION_DF_CAP, Prior, estimate_spread


def record(
    sessions: int,
    runs: int,
    *,
    tests: int = 20,
    run: float = 0.01,
    own: float = 0.02,
    common: float = 0.03,
    seed: int = 1,
) -> list[Runs]:
    """The baselines of one device."""
    random = np.random.default_rng(seed)
    code = np.repeat(np.arange(sessions), runs)
    shift = common * random.standard_normal(sessions)
    return [
        Runs(
            y=(shift + own * random.standard_normal(sessions))[code] + run * random.standard_normal(code.size),
            session=code,
        )
        for _ in range(tests)
    ]


def test_without_entries_the_declaration_speaks() -> None:
    """No baseline at all: the prior, with the prior's weight."""
    spread = estimate_spread([], GPU)
    assert spread.run_sd == pytest.approx(GPU.run_sd)
    assert spread.session_sd == pytest.approx(GPU.session_sd)
    assert spread.common_sd == pytest.approx(GPU.common_sd)
    assert (spread.run.df, spread.session.df, spread.common.df) == (GPU.df, GPU.df, GPU.df)
    assert spread.sessions.size == 0


def test_the_spreads_are_recovered() -> None:
    """Many sessions: all three spreads come out near the truth, the declaration hardly matters."""
    for prior in (GPU, CPU):
        spread = estimate_spread(record(40, 5), prior)
        assert spread.run_sd == pytest.approx(0.01, rel=0.05)
        assert spread.session_sd == pytest.approx(0.02, rel=0.08)
        assert spread.common_sd == pytest.approx(0.03, rel=0.25)


def test_one_session_leaves_sessions_to_the_declaration() -> None:
    """Runs are measured, sessions are not; the declared session spreads are never below the runs' own."""
    quiet = estimate_spread(record(1, 5), GPU)
    assert quiet.run_sd == pytest.approx(0.01, rel=0.2)
    assert quiet.session_sd == pytest.approx(GPU.session_sd, rel=0.1)
    assert quiet.session_measured.df == 0
    noisy = estimate_spread(record(1, 5, run=0.3), GPU)
    assert noisy.session_sd == pytest.approx(noisy.run_sd)
    assert noisy.common_sd == pytest.approx(noisy.run_sd)


def test_a_lone_test_does_not_testify_for_itself() -> None:
    """One entry: its runs moderate it when it is judged, so they are not counted as the device's as well."""
    spread = estimate_spread(record(1, 5, tests=1, run=0.2), GPU)
    assert spread.run_sd == pytest.approx(GPU.run_sd)
    assert spread.run.df == GPU.df


def test_a_lone_tests_sessions_count_as_common() -> None:
    """One entry of many sessions: its own part and the shift of all can't be told apart; together they are seen."""
    spread = estimate_spread(record(40, 5, tests=1, own=0.02, common=0.03), GPU)
    assert np.hypot(spread.session_sd, spread.common_sd) == pytest.approx(np.hypot(0.02, 0.03), rel=0.25)
    assert spread.session_measured.df == 0


def test_entries_of_one_run_a_session_say_nothing_of_runs() -> None:
    """Run and session spread can't be told apart there: the run spread is the declared one."""
    spread = estimate_spread(record(4, 1), GPU)
    assert spread.run_sd == pytest.approx(GPU.run_sd)
    assert spread.session_sd > 0.01


def test_yesterdays_knowledge_is_capped() -> None:
    """However many runs were recorded, the device's spread outweighs no test's own runs altogether."""
    spread = estimate_spread(record(40, 5, tests=50), GPU)
    assert spread.run.df <= RUN_DF_CAP
    assert spread.session.df <= SESSION_DF_CAP
    assert spread.common.df <= SESSION_DF_CAP


def test_tests_that_differ_lower_the_weight_of_what_is_common() -> None:
    """Half the tests ten times noisier: the device's run spread is worth few degrees of freedom."""
    alike = estimate_spread(record(3, 5, tests=20), GPU)
    mixed = estimate_spread(record(3, 5, tests=10) + record(3, 5, tests=10, run=0.1, seed=2), GPU)
    assert mixed.run.df < 3 < alike.run.df


def test_many_devices_at_once_are_each_estimated_alone() -> None:
    """Leading axes are simulations: the numbers are those of each device on its own."""
    devices = [record(3, 5, seed=seed) for seed in range(3)]
    stacked = [
        Runs(y=np.stack([entries[test].y for entries in devices]), session=devices[0][test].session)
        for test in range(20)
    ]
    together = estimate_spread(stacked, GPU)
    for device, entries in enumerate(devices):
        alone = estimate_spread(entries, GPU)
        for part in ("run", "session", "common", "session_measured", "common_measured"):
            many, one = getattr(together, part), getattr(alone, part)
            assert np.broadcast_to(many.value, 3)[device] == pytest.approx(one.value)
            assert np.broadcast_to(many.df, 3)[device] == pytest.approx(one.df)
        assert together.shifts[device] == pytest.approx(alone.shifts)


def test_a_test_that_shared_no_session_is_left_out_of_the_shifts() -> None:
    """Its session's effect on all tests is unknown: nobody else was there."""
    entries = record(3, 5)
    spread = estimate_spread([*entries, replace(entries[0], session=entries[0].session + 10)], GPU)
    assert spread.sessions.tolist() == [0, 1, 2]


@pytest.mark.parametrize("wrong", [{"run_sd": 0.0}, {"session_sd": -1.0}, {"common_sd": 0.0}, {"df": 0.0}])
def test_a_prior_without_spread_is_refused(wrong: dict[str, float]) -> None:
    """Nothing spreads by nothing: every difference would be significant."""
    with pytest.raises(ValueError, match="must be positive"):
        Prior(**wrong)
