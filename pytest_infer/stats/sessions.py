"""What sessions do: a shift shared by all tests of a session, and a part that is each test's own.

Model: the mean of the n runs of entry e in session s is mu_e + c_s + b_es + w, with var(c) the common and var(b) the
own session variance, var(w) = run variance / n. Both follow from the analysis of variance with entries and sessions
as factors, sessions adjusted for entries, expected mean squares as in Henderson's method 3 (Henderson 1953,
"Estimation of variance and covariance components", Biometrics 9(2), 226-252; Searle, Casella & McCulloch 1992,
"Variance Components", chapter 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_infer.stats.runs import Array, Summary

_ZERO: Final = 1e-9
_FEWEST_TESTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SessionSquares:
    """The mean squares of session means, over all entries of a device.

    Attributes:
        own_ss: (..., E) each entry's sum of squares after entries and sessions are taken out.
        own_df: (E,) their degrees of freedom (fractional: they share those that the session shifts use up).
        common_ms: (...) mean square of the sessions; it expects `tests` * var(c) + var(b) + run variance / n.
        common_df: its degrees of freedom.
        tests: effective number of entries a session shift was seen by.
        runs: harmonic mean of the runs behind a session mean, n.
        sessions: (G,) the session numbers met.
        shifts: (..., G) the shift of each, c_s, around the mean of the sessions it was met with.
    """

    own_ss: Array
    own_df: Array
    common_ms: Array
    common_df: int
    tests: float
    runs: float
    sessions: NDArray[np.intp]
    shifts: Array

    def shifts_of(self, sessions: NDArray[np.intp]) -> Array:
        """(..., S) the shifts of `sessions`; zero where a session was met by no entry of several."""
        met = np.isin(sessions, self.sessions)
        shifts = np.zeros((*self.shifts.shape[:-1], sessions.size))
        shifts[..., met] = self.shifts[..., np.searchsorted(self.sessions, sessions[met])]
        return shifts


def session_squares(summaries: Sequence[Summary]) -> SessionSquares:
    """Take entries and sessions out of the session means of `summaries` (at least one entry)."""
    entry = np.repeat(np.arange(len(summaries)), [summary.sessions.size for summary in summaries])
    sizes = np.concatenate([summary.sizes for summary in summaries])
    sessions, session = np.unique(np.concatenate([summary.sessions for summary in summaries]), return_inverse=True)
    z = np.concatenate([summary.session_means - summary.mean[..., None] for summary in summaries], axis=-1)
    belongs = np.equal.outer(entry, np.arange(len(summaries))).astype(np.float64)
    cells = belongs.sum(axis=0)

    design = np.equal.outer(session, np.arange(session.max() + 1)).astype(np.float64)
    design -= belongs @ (belongs.T @ design / cells[:, None])
    left, singular, right = np.linalg.svd(design, full_matrices=False)
    rank = int(np.sum(singular > _ZERO * max(1.0, singular[0])))
    basis = left[:, :rank]

    shift = z @ basis
    own = z - shift @ basis.T
    free = 1.0 - 1.0 / cells[entry] - np.square(basis).sum(axis=1)
    weight = free if free.sum() > _ZERO else np.ones_like(free)
    return SessionSquares(
        own_ss=np.square(own) @ belongs,
        own_df=np.maximum(free @ belongs, 0.0),
        common_ms=np.square(shift).sum(axis=-1) / max(rank, 1),
        common_df=rank,
        tests=float(np.square(design).sum()) / max(rank, 1) if rank else 1.0,
        runs=float(weight.sum() / (weight / sizes).sum()),
        sessions=sessions,
        shifts=(shift / singular[:rank]) @ right[:rank],
    )


def shared_sessions(summaries: Sequence[Summary]) -> NDArray[np.intp]:
    """The sessions that tests can be compared by: the largest group that is linked by tests which saw several.

    A session counts that at least three tests saw; what it did to all tests can then be told from what it did to one.
    Sessions apart from that group hold baselines whose shift against the others nobody knows.
    """
    numbers, tests = np.unique(
        np.concatenate([np.empty(0, np.intp), *(s.sessions for s in summaries)]), return_counts=True
    )
    kept = set(numbers[tests >= _FEWEST_TESTS].tolist())
    groups: list[tuple[set[int], int]] = []
    for summary in summaries:
        seen = kept.intersection(summary.sessions.tolist())
        linked = [group for group in groups if group[0] & seen]
        groups = [group for group in groups if not group[0] & seen]
        if seen:
            groups.append((seen.union(*(group[0] for group in linked)), 1 + sum(group[1] for group in linked)))
    largest = max(groups, key=lambda group: (group[1], max(group[0])), default=(set[int](), 0))[0]
    return np.array(sorted(largest), dtype=np.intp)
