"""What sessions do to all tests, and to each."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_infer.stats.runs import Runs, summarise
from pytest_infer.stats.sessions import session_squares, shared_sessions


def entry(level: list[float], sessions: list[int], size: int = 2) -> Runs:
    """An entry whose sessions lie exactly at `level`."""
    return Runs(y=np.repeat(level, size), session=np.repeat(np.array(sessions, dtype=np.intp), size))


def test_balanced_sessions_give_the_textbook_mean_squares() -> None:
    """T tests x S sessions: the two-way analysis of variance without replication, by its formulas."""
    random = np.random.default_rng(3)
    table = random.standard_normal((6, 4))  # tests x sessions
    squares = session_squares([summarise(entry(list(row), [0, 1, 2, 3])) for row in table])
    centred = table - table.mean(axis=1, keepdims=True)
    effect = centred.mean(axis=0)
    residual = centred - effect
    assert squares.common_df == 3
    assert squares.tests == pytest.approx(6)
    assert squares.common_ms == pytest.approx(6 * np.square(effect).sum() / 3)
    assert squares.own_ss == pytest.approx(np.square(residual).sum(axis=1))
    assert squares.own_df == pytest.approx(np.full(6, 3 * 5 / 6))
    assert squares.shifts == pytest.approx(effect)
    assert squares.runs == pytest.approx(2)


def test_shifts_are_told_where_tests_saw_different_sessions() -> None:
    """Shifts without noise come back exactly, though no test saw all sessions."""
    shift = {0: 0.0, 1: 0.5, 2: -0.25, 3: 0.1}
    seen = [[0, 1], [1, 2], [2, 3], [0, 3]]
    squares = session_squares(
        [summarise(entry([level + shift[s] for s in sessions], sessions)) for level, sessions in enumerate(seen)]
    )
    assert squares.shifts - squares.shifts[0] == pytest.approx([shift[s] for s in range(4)])
    assert squares.own_ss == pytest.approx(np.zeros(4), abs=1e-12)
    assert squares.shifts_of(np.array([3, 9])) == pytest.approx([squares.shifts[3], 0.0])


def test_one_test_has_no_own_part() -> None:
    """With one test nothing tells its own session effect from the shift of all tests."""
    squares = session_squares([summarise(entry([0.0, 1.0, 2.0], [0, 1, 2]))])
    assert squares.own_df == pytest.approx([0.0])
    assert squares.common_df == 2
    assert squares.common_ms == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("seen", "shared"),
    [
        ([], []),
        ([[0], [0]], []),
        ([[0], [0], [0]], [0]),
        ([[0]] * 3 + [[1]] * 4, [1]),
        ([[0, 1]] * 3 + [[1, 2]] * 3 + [[7]] * 5, [0, 1, 2]),
        ([[0, 1]] * 3 + [[1, 2]], [0, 1]),
        ([[0]] * 3 + [[1]] * 3, [1]),
    ],
    ids=["nothing", "too few", "one session", "the larger", "linked", "seen by one", "a tie: the newer"],
)
def test_tests_are_compared_by_the_sessions_they_share(seen: list[list[int]], shared: list[int]) -> None:
    """The largest group of sessions that tests link, each seen by three tests at least."""
    summaries = [summarise(entry([0.0] * len(sessions), sessions)) for sessions in seen]
    assert shared_sessions(summaries).tolist() == shared
