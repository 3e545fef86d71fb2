"""The accepted runs of one baseline entry, and what the gate needs to know of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Real: TypeAlias = float | Array  # one number for one device; an array where simulations carry many

MANY_RUNS: Final = 10
MANY_RUNS_SHARE: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Runs:
    """The accepted runs of one baseline entry, of one metric.

    Attributes:
        y: (..., R) logarithm of each run's value, signed so that larger is worse; leading axes are simulations.
        session: (R,) the session of each run: numbers that rise with time and mean the same session in every entry
            of the device (the shift that all tests of a session share is told apart by them).

    Raises:
        ValueError: no run, shapes that don't fit, or a value that is not finite.
    """

    y: Array
    session: NDArray[np.intp]

    def __post_init__(self) -> None:
        """Refuse what no baseline can hold."""
        if self.session.ndim != 1 or self.session.size == 0:
            raise ValueError(f"a baseline entry needs one session number a run, got shape {self.session.shape}")
        if self.y.shape[-1:] != self.session.shape:
            raise ValueError(f"{self.session.size} session numbers for runs of shape {self.y.shape}")
        if not np.isfinite(self.y).all():
            raise ValueError("the logarithm of a run is not finite: was a measured value zero or negative?")

    @property
    def count(self) -> int:
        """How many runs: R."""
        return self.session.size

    @property
    def sessions(self) -> int:
        """How many sessions: S."""
        return np.unique(self.session).size

    def oldest(self) -> Runs:
        """The runs of the oldest accepted session: the anchor that slow drift is held against."""
        first = self.session == self.session.min()
        return Runs(y=self.y[..., first], session=self.session[first])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Summary:
    """What one entry's runs come down to.

    Attributes:
        sessions: (S,) the session numbers.
        sizes: (S,) runs of each session.
        session_means: (..., S) mean of each session.
        mean: (...) mean of the session means: sessions count alike, however many runs each holds.
        within_ss: (...) sum of squares of the runs around their session's mean.
        within_df: its degrees of freedom, R - S.
        code: (R,) which of `sessions` each run belongs to.
        y: (..., R) the runs themselves.
    """

    sessions: NDArray[np.intp]
    code: NDArray[np.intp]
    y: Array
    sizes: NDArray[np.intp]
    session_means: Array
    mean: Array
    within_ss: Array
    within_df: int

    def mirrored(self) -> Summary:
        """The same with better and worse exchanged."""
        return replace(self, y=-self.y, session_means=-self.session_means, mean=-self.mean)

    @property
    def run_weight(self) -> float:
        """Variance of `mean` in units of the run variance: 1/R where sessions are equally large."""
        return float(np.sum(1.0 / self.sizes)) / self.sizes.size**2

    @property
    def session_weight(self) -> float:
        """Variance of (a new session's mean - `mean`) in units of the session variance: 1 + 1/S."""
        return 1.0 + 1.0 / self.sizes.size


def summarise(runs: Runs) -> Summary:
    """Session means, their mean and the spread inside sessions; lone outliers among many runs are reined in."""
    sessions, code, sizes = np.unique(runs.session, return_inverse=True, return_counts=True)
    y = _reined_in(runs.y, code, sessions.size) if runs.count >= MANY_RUNS else runs.y
    session_means = y @ (np.equal.outer(code, np.arange(sessions.size)) / sizes)
    return Summary(
        sessions=sessions,
        code=code,
        y=runs.y,
        sizes=sizes,
        session_means=session_means,
        mean=session_means.mean(axis=-1),
        within_ss=np.square(y - session_means[..., code]).sum(axis=-1),
        within_df=runs.count - sessions.size,
    )


def _reined_in(y: Array, code: NDArray[np.intp], sessions: int) -> Array:
    """Runs beyond the rank bound come no further from it than it lies from the middle, on either side.

    One run in ten may be anything at all without moving the baseline or hiding a change behind a huge spread; of
    normal runs about one in a hundred is touched. Distances are from the median of a run's session.
    """
    middle = np.stack([np.median(y[..., code == number], axis=-1) for number in range(sessions)], axis=-1)[..., code]
    distance = y - middle
    upper = 2.0 * np.maximum(slowest(distance), 0.0)[..., None]
    lower = 2.0 * np.maximum(slowest(-distance), 0.0)[..., None]
    return middle + np.clip(distance, -lower, upper)


def slowest(y: Array) -> Array:
    """The rank bound: the slowest of R runs; from ten on the ceil(0.9 R)-th, so that one bad run hides nothing.

    Args:
        y: (..., R) runs, larger is worse.
    """
    count = y.shape[-1]
    rank = count if count < MANY_RUNS else math.ceil(MANY_RUNS_SHARE * count)
    bound: Array = np.partition(y, rank - 1, axis=-1)[..., rank - 1]
    return bound
