"""What a recording says of the machine that it was made on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_infer.recording import crowd_notes
from pytest_infer.result import Result
from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.measurement import Measurement


@pytest.mark.parametrize(("others", "told"), [([0.02, 0.1], False), ([0.02, 0.4], True), ([], False)])
def test_a_recording_beside_other_work_is_told(
    make_measurement: Callable[..., Measurement], others: list[float], *, told: bool
) -> None:
    """One crowded run is enough to say so, with the share; what only was compared is not asked."""
    runs = tuple(make_measurement(contention={"others": share}) for share in others)
    result = Result(
        nodeid="test_it.py::test_net",
        outcome=Outcome.PASSED,
        failed=False,
        reasons=(),
        measurement=make_measurement(contention={"others": 0.9}),
        recorded=runs,
    )
    notes = crowd_notes([result])
    assert bool(notes) == told
    assert all("1 result(s) were recorded while other processes took up to 40%" in note for note in notes)
