"""How far runs and sessions of one device spread, estimated over all of its entries.

Three spreads, each in log units (0.01 is one percent): of runs inside a session, of a test's own session effect, and of
the shift that a session gives all tests at once. Each is a variance with degrees of freedom: the data's, moderated
by a declared prior whose weight fades as data come in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from pytest_infer.stats.moderation import Variance, common_variance, faded
from pytest_infer.stats.runs import Array, Real, Runs, Summary, summarise
from pytest_infer.stats.sessions import SessionSquares, session_squares, shared_sessions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """What is believed of a device before it has shown anything; standard deviations in log units.

    Attributes:
        run_sd: spread of runs inside a session.
        session_sd: a test's own session spread; never taken below the run spread that the device shows.
        common_sd: spread of the shift that a session gives all tests; never below the run spread either.
        df: degrees of freedom that the declaration is worth on its own; beside data it fades (`moderation.faded`).

    Raises:
        ValueError: a spread or weight that is not positive: it would make every difference significant.
    """

    run_sd: float = 0.01
    session_sd: float = 0.01
    common_sd: float = 0.02
    df: float = 6.0

    def __post_init__(self) -> None:
        """Refuse what is no spread."""
        if min(self.run_sd, self.session_sd, self.common_sd, self.df) <= 0:
            raise ValueError("a prior's spreads and degrees of freedom must be positive")


GPU_LOCKED: Final = Prior(run_sd=0.005, session_sd=0.005, common_sd=0.01)
GPU: Final = Prior()
CPU: Final = Prior(run_sd=0.02, session_sd=0.02, common_sd=0.04)
# Most CPUs are shared, and what their sessions do has to be seen: on two virtual cores the same code was 1.4 to 2.1
# times as slow in another session, of one test (20 us to 0.2 ms a call) or of all. With CPU alone, and one session to
# lean on, three of 240 unchanged tests were called slower there; with 5 % for a test's own, one of 520 (by 43 %).
CPU_UNSEEN: Final = Prior(run_sd=0.02, session_sd=0.08, common_sd=0.1)
SIZE: Final = Prior(run_sd=0.001, session_sd=0.002, common_sd=0.002)  # of files and memory: no clock moves them

# What is known of a device's spread is yesterday's: it never counts for more than this many degrees of freedom,
# so that the runs at hand keep a say.
RUN_DF_CAP: Final = 20.0
SESSION_DF_CAP: Final = 8.0
FIRM_SESSIONS: Final = 3  # from so many on, verdicts are no longer provisional
APART_S: Final = 3600.0  # sessions nearer to each other share clocks and neighbours: they show too little
_HARDLY_ANY: Final = 0.5  # degrees of freedom of a test whose sessions nearly no other test shared


def declared(kind: str, sessions: int, *, locked: bool = False) -> Prior:
    """What is believed of a device of that kind (`cpu`, `gpu`) after so many sessions; `locked`: its clocks are.

    Count sessions that lie apart.
    """
    if locked:
        return GPU_LOCKED
    if kind == "cpu":
        return CPU if sessions >= FIRM_SESSIONS else CPU_UNSEEN
    return GPU


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spread:
    """The spreads of one device, in squared log units. Floats; arrays where simulations carry many devices.

    Attributes:
        run: variance of runs inside a session, for a typical entry.
        session: variance of the mean of `session_runs` runs from session to session, the test's own part: its own
            session variance + run variance / session_runs. Estimated as a whole, so never negative.
        common: variance of the shift shared by all tests of a session.
        session_measured: `session` from data alone; no degrees of freedom where one session is all there is.
        common_measured: `common` from data alone.
        session_runs: runs behind a session mean; inf: `session` is the session variance itself.
        session_tests: effective number of tests that the shifts below were seen by.
        sessions: (G,) the sessions that enough tests shared, linked with each other by tests that saw several.
        shifts: (..., G) what each of them did to all tests, relative to each other.
    """

    run: Variance
    session: Variance
    common: Variance
    session_measured: Variance = field(default=Variance(value=0.0, df=0.0))
    common_measured: Variance = field(default=Variance(value=0.0, df=0.0))
    session_runs: float = math.inf
    session_tests: float = 1.0
    sessions: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    shifts: Array = field(default_factory=lambda: np.empty(0))

    @property
    def run_sd(self) -> Real:
        """Spread of runs inside a session."""
        return cast("Real", np.sqrt(self.run.value))

    @property
    def session_sd(self) -> Real:
        """A test's own session spread, without the runs' part."""
        return cast("Real", np.sqrt(np.maximum(self.session.value - self.run.value / self.session_runs, 0.0)))

    @property
    def common_sd(self) -> Real:
        """Spread of the shift shared by all tests of a session."""
        return cast("Real", np.sqrt(self.common.value))


def estimate_spread(entries: Sequence[Runs], prior: Prior) -> Spread:
    """Estimate the spreads of a device from all of its entries (one metric); with none, the prior speaks.

    Runs: empirical Bayes over the entries' own variances (Smyth 2004, see `moderation`). Sessions: mean squares of
    the two-way analysis (see `sessions`), the own part with degrees of freedom that Smyth's fit limits where
    entries differ. The prior enters each as degrees of freedom at its declared variance (`moderation.faded`).
    """
    summaries = [summarise(runs) for runs in entries]
    run = _run_variance(summaries, prior)
    session_believed = np.maximum(prior.session_sd**2, run.value)
    common_believed = np.maximum(prior.common_sd**2, run.value)
    several = [summary for summary in summaries if summary.sessions.size > 1]
    shared = shared_sessions(summaries)
    if not several:
        return Spread(
            run=run.plain(),
            session=Variance(value=session_believed, df=prior.df).plain(),
            common=Variance(value=common_believed, df=prior.df).plain(),
            sessions=shared,
            shifts=np.zeros((*np.shape(run.value), shared.size)),
        )
    squares = session_squares(several)
    session_measured, limit = _own_variance(squares, prior)
    session = _with_prior(session_measured, session_believed + run.value / squares.runs, prior).at_most(limit)
    # A session's mean over the tests carries their own parts too: the common variance is what lies above that noise.
    noise = session.value / squares.tests
    common_measured = Variance(value=squares.common_ms / squares.tests, df=squares.common_df)
    common = _with_prior(common_measured, common_believed + noise, prior).at_most(SESSION_DF_CAP)
    return Spread(
        run=run.plain(),
        session=session.plain(),
        common=_above(common, noise),
        session_measured=session_measured.at_most(limit).plain(),
        common_measured=_above(common_measured, session_measured.value / squares.tests),
        session_runs=squares.runs,
        session_tests=squares.tests,
        sessions=shared,
        shifts=squares.shifts_of(shared),
    )


def as_wide_as(prior: Prior, spread: Spread) -> Spread:
    """What sessions less than `APART_S` apart show: they may widen what is declared of sessions, and not narrow it.

    They share their weather, and tell nothing of other days.
    """
    run = spread.run.value
    own, common = max(prior.session_sd**2, run) + run / spread.session_runs, max(prior.common_sd**2, run)
    return replace(
        spread,
        session=replace(spread.session, value=max(spread.session.value, own)),
        common=replace(spread.common, value=max(spread.common.value, common)),
    )


def apart(times_s: Iterable[float]) -> int:
    """How many of the sessions that began then are at least `APART_S` behind the one counted before."""
    count, last = 0, -math.inf
    for time_s in sorted(times_s):
        if time_s - last >= APART_S:
            count, last = count + 1, time_s
    return count


def _run_variance(summaries: Sequence[Summary], prior: Prior) -> Variance:
    measured = [summary for summary in summaries if summary.within_df > 0]
    if not measured:
        return Variance(value=prior.run_sd**2, df=prior.df)
    df = np.array([summary.within_df for summary in measured], dtype=np.float64)
    fit = common_variance(np.stack([summary.within_ss for summary in measured], axis=-1) / df, df)
    # The entry that is judged brings its own runs again: only the others' count as evidence.
    others = float(df.sum()) * (1.0 - 1.0 / df.size)
    pooled = _with_prior(Variance(value=fit.value, df=others), prior.run_sd**2, prior)
    return pooled.at_most(fit.df).at_most(RUN_DF_CAP)


def _own_variance(squares: SessionSquares, prior: Prior) -> tuple[Variance, Array]:
    """The tests' own part from data alone, and how many degrees of freedom their differences leave it."""
    seen = squares.own_df > _HARDLY_ANY
    df = squares.own_df[seen]
    if not df.size:
        return Variance(value=np.zeros(squares.common_ms.shape), df=0.0), np.asarray(SESSION_DF_CAP)
    ss = squares.own_ss[..., seen]
    # Two degrees of freedom a test tell little of how much tests differ: the fit may not fall below the declaration.
    limit = np.clip(np.asarray(common_variance(ss / df, df).df), prior.df, SESSION_DF_CAP)
    return Variance(value=ss.sum(axis=-1) / df.sum(), df=float(df.sum())), limit


def _with_prior(measured: Variance, believed: Real, prior: Prior) -> Variance:
    return measured.joined(Variance(value=believed, df=faded(prior.df, float(measured.df))))


def _above(total: Variance, noise: Real) -> Variance:
    return Variance(value=np.maximum(total.value - noise, 0.0), df=total.df).plain()
