"""What is said of work that takes long, before it begins."""

from __future__ import annotations

import pytest

from pytest_infer.progress import outlook


@pytest.mark.parametrize(
    ("tests", "runs", "time_s", "told"),
    [
        (1, 1, 1.0, "1 fresh process for 1 test, at least 2 s"),
        (1, 5, 1.0, "5 fresh processes for 1 test, at least 10 s"),
        (3, 1, 0.01, "1 fresh process for each of 3 tests, at least 3.03 s"),
        (8, 5, 1.0, "5 fresh processes for each of 8 tests, at least 80 s"),
        (25, 5, 1.0, "5 fresh processes for each of 25 tests, at least 4 min"),
    ],
)
def test_a_recording_promises_no_more_than_it_keeps(tests: int, runs: int, time_s: float, told: str) -> None:
    """At least what --infer-time asks of each process: what they cost beside that nobody knows beforehand."""
    assert outlook(tests, runs, time_s) == told
