"""What fresh runs are held against: a baseline, the device's spread, and the session's shift where it applies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.stats.moderation import Variance
from pytest_infer.stats.runs import Array, Runs, Summary, slowest, summarise

if TYPE_CHECKING:
    from pytest_infer.stats.shift import Shift
    from pytest_infer.stats.spread import Spread


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """One test's baseline as it is judged.

    Attributes:
        baseline: the runs, summarised; relative to a shift, without the shifts of their own sessions.
        spread: the device's.
        shift: the session's; None where there is none or the baseline shares no sessions with the tests behind it.
        scatter: variance of the test's own session means, from its own sessions alone.
    """

    baseline: Summary
    spread: Spread
    shift: Shift | None
    scatter: Variance

    @property
    def level(self) -> Array:
        """(...) where fresh runs would lie where nothing changed."""
        return self.baseline.mean if self.shift is None else self.baseline.mean + self.shift.value

    @property
    def bound(self) -> Array:
        """(...) what every fresh run must lie above: the baseline's slowest runs."""
        bound = slowest(self.baseline.y)
        return bound if self.shift is None else bound + self.shift.value

    def mirrored(self) -> Reference:
        """The same with better and worse exchanged."""
        shift = None if self.shift is None else self.shift.mirrored()
        return replace(self, baseline=self.baseline.mirrored(), shift=shift)


def reference(runs: Runs, spread: Spread, shift: Shift | None = None) -> Reference:
    """Prepare a baseline to be held against, relative to `shift` where its sessions allow that."""
    alone = without_shifts(runs, spread)
    if alone is None:
        return Reference(baseline=summarise(runs), spread=spread, shift=None, scatter=Variance(value=0.0, df=0.0))
    summary = summarise(alone)
    count = summary.sizes.size
    # The shifts were estimated from the same session means: that uses up one test's worth of each.
    df = (count - 1) * (1.0 - 1.0 / spread.session_tests)
    scatter = Variance(value=summary.session_means.var(axis=-1) * count / max(df, 1.0 / count), df=max(df, 0.0))
    baseline = summarise(runs) if shift is None else summary
    return Reference(baseline=baseline, spread=spread, shift=shift, scatter=scatter)


def without_shifts(runs: Runs, spread: Spread) -> Runs | None:
    """The runs less the shift of their session: those of sessions whose shift is known; None where there are none."""
    known = np.isin(runs.session, spread.sessions)
    if not known.any():
        return None
    session = runs.session[known]
    return Runs(y=runs.y[..., known] - spread.shifts[..., np.searchsorted(spread.sessions, session)], session=session)


def log_ratio(runs: Runs, y_new: float) -> float:
    """One run's log ratio to its baseline, as it is."""
    return y_new - float(summarise(runs).mean)


def shift_ratio(runs: Runs, spread: Spread, y_new: float) -> float | None:
    """One run's log ratio as `session_shift` takes it: to the baseline less the shifts of its own sessions.

    None where the baseline shares no session with the device's other tests: it can't tell this session's shift.
    """
    alone = without_shifts(runs, spread)
    return None if alone is None else log_ratio(alone, y_new)
