"""An interleaved comparison on its way through decision, verdict and reports."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

from pytest_infer import two_sides
from pytest_infer.config import Settings
from pytest_infer.decision import Decision
from pytest_infer.device.fingerprint import Device
from pytest_infer.gating import Gate
from pytest_infer.marker import parse
from pytest_infer.report.failure import failure
from pytest_infer.report.terminal import summary
from pytest_infer.result import Compared, RunReport
from pytest_infer.two_sides import TwoSides
from pytest_infer.verdict import Evidence, Outcome, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_infer.measurement import Measurement
    from pytest_infer.result import Result
    from pytest_infer.verdict import Change
    from tests.unit.conftest import MemoryStore

CPU = Device(slug="cpu-x-4c", kind="cpu", name="CPU X")


class Sides:
    """Compares with the other side as it is told, and remembers whether it was asked."""

    def __init__(self, **compared: Compared) -> None:
        """Say this of each measurement."""
        self.asked = False
        self._compared = compared

    def __call__(self) -> Mapping[str, Compared]:
        """Compare."""
        self.asked = True
        return {"": Compared(), **self._compared}


@pytest.fixture
def decide(store: MemoryStore, make_measurement: Callable[..., Measurement]) -> Callable[..., tuple[Result, Sides]]:
    """Decide on one measurement under `--infer-against=main`."""

    def make(compared: Compared, marker: dict[str, Any] | None = None, **given: Any) -> tuple[Result, Sides]:
        options = {key: given.pop(key) for key in ("strict", "baseline_mode") if key in given}
        settings = Settings(root=Path(), against="main", **options)
        decision = Decision("test_net.py::test_0", parse(marker or {}), settings, Gate(settings, CPU, store, {}))
        sides = Sides(**{"": compared})
        (result,) = decision.compare([make_measurement(**given)], lambda _: [], sides)
        return result, sides

    return make


def other(make_change: Callable[..., Change], **given: Any) -> Change:
    """A change against the other side."""
    return make_change(against="other", other="main (abc)", runs=8, sessions=1, **given)


def test_the_comparison_takes_the_baselines_place(
    decide: Callable[..., tuple[Result, Sides]], make_change: Callable[..., Change]
) -> None:
    """Twice as slow as the stored baseline, and as fast as the other side: passed."""
    change = other(make_change)
    result, sides = decide(Compared(changes=(change,), differs=("numpy: 1 → 2",)), metrics={"latency": 2.0})
    assert sides.asked
    assert (result.outcome, result.failed, result.changes) == (Outcome.PASSED, False, (change,))
    assert result.differs == ("numpy: 1 → 2",)
    assert result.against == "main"
    assert result.ratio is None


def test_slower_fails_and_says_what_to_do(
    decide: Callable[..., tuple[Result, Sides]], make_change: Callable[..., Change]
) -> None:
    """With the other side by name, what differs, and the command that shows it again."""
    change = other(make_change, regressed=True, suspected=True, estimate=0.1, p=1e-5)
    result, _ = decide(Compared(changes=(change,), differs=("numpy: 1 → 2",)))
    assert (result.outcome, result.failed) == (Outcome.REGRESSED, True)
    text = failure(result, CPU)
    for part in (
        "10.0% worse than main (abc)'s 2 ms",
        "8 rounds",
        "differs from main:",
        "numpy: 1 → 2",
        "to see it again: pytest test_net.py::test_0 --infer-against=main; to accept it: merge it all the same",
    ):
        assert part in text
    for part in ("baseline", "session"):
        assert part not in text
    same, _ = decide(Compared(changes=(change,)))
    assert "environment: the same on both sides" in failure(same, CPU)


def test_no_decision_is_inconclusive(
    decide: Callable[..., tuple[Result, Sides]], make_change: Callable[..., Change]
) -> None:
    """Too little time, or suspected in too much noise: it passes, and fails under --infer-strict."""
    few, _ = decide(Compared(undecided=("only 3 rounds",)))
    assert (few.outcome, few.failed, few.reasons) == (Outcome.INCONCLUSIVE, False, ("only 3 rounds",))
    strict, _ = decide(Compared(undecided=("only 3 rounds",)), strict=True)
    assert strict.failed
    noisy, _ = decide(Compared(changes=(other(make_change, suspected=True, blind=True, detectable=0.3),)))
    assert noisy.outcome is Outcome.INCONCLUSIVE
    assert noisy.reasons[0].endswith("this comparison can show +30.0% and more")


def test_nothing_to_compare_with_is_told(decide: Callable[..., tuple[Result, Sides]]) -> None:
    """It passes, and its line says why; it fails where a baseline is required."""
    result, _ = decide(Compared(missing=("main has no such test",)))
    assert (result.outcome, result.failed) == (Outcome.NO_BASELINE, False)
    lines = [text for text, _ in summary(_report(result))]
    assert lines[1].endswith("not compared")
    assert lines[2].strip() == "main has no such test", "also without -v"
    required, _ = decide(Compared(missing=("main has no such test",)), baseline_mode="require")
    assert required.failed
    assert failure(required, CPU).endswith("it fails because of --infer-baseline-mode=require")


def test_what_is_wrong_here_needs_no_comparison(decide: Callable[..., tuple[Result, Sides]]) -> None:
    """Over its budget, inaccurate or disturbed with a budget: told at once."""
    for marker, given, outcome in (
        ({"max_latency_ms": 1e-3}, {}, Outcome.OVER_BUDGET),
        ({"min_cosine": 0.9}, {"accuracy": {"cosine": 0.1}}, Outcome.INACCURATE),
        ({"max_latency_ms": 9}, {"disturbed": ("steal",)}, Outcome.INVALID),
    ):
        result, sides = decide(Compared(), marker, **given)
        assert result.outcome is outcome
        assert not sides.asked


def test_a_disturbed_run_without_budgets_does_not_matter(decide: Callable[..., tuple[Result, Sides]]) -> None:
    """Only the rounds count, and they watch for disturbance themselves."""
    result, sides = decide(Compared(), disturbed=("steal",))
    assert sides.asked
    assert result.outcome is Outcome.PASSED
    result, _ = decide(Compared(disturbed=("steal",)))
    assert result.outcome is Outcome.INVALID


def test_reports_speak_of_the_other_side(
    decide: Callable[..., tuple[Result, Sides]], make_change: Callable[..., Change]
) -> None:
    """No advice about baselines: more rounds help a comparison; an improvement needs no recording."""
    blind, _ = decide(Compared(changes=(other(make_change, blind=True),)))
    assert blind.outcome is Outcome.INCONCLUSIVE
    assert "neither slower nor as fast beyond doubt: this comparison can show +1.0% and more" in blind.reasons[0]
    faster, _ = decide(Compared(changes=(other(make_change, improved=True, estimate=-0.1),)))
    told = "\n".join(text for text, _ in summary(_report(blind, faster), verbosity=1))
    assert "allow more rounds (--infer-time-limit)" in told
    assert "10.0% better than main (abc)'s 2 ms" in told
    assert "baseline" not in told


def test_undecided_ranks_with_inconclusive() -> None:
    """Below a regression of another metric, above a missing baseline."""
    assert judge(Evidence(undecided=("u",), no_baseline=("n",)))[0] is Outcome.INCONCLUSIVE
    assert judge(Evidence(undecided=("u",), over_budget=("o",)))[0] is Outcome.OVER_BUDGET


def _report(*results: Result) -> RunReport:
    return RunReport(device={"slug": "cpu-x-4c", "kind": "cpu"}, environment={}, results=results, started="2024")


@pytest.fixture
def session() -> SimpleNamespace:
    """As much of a pytest session as the sides ask for."""
    option = SimpleNamespace(collectonly=False)
    return SimpleNamespace(config=SimpleNamespace(option=option, invocation_params=SimpleNamespace(dir=Path())))


def test_no_room_for_the_other_side(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is told as wrong use, with what helps, and not as a fault of pytest's."""
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(two_sides, "sides", Mock(side_effect=full))
    sides = TwoSides(Settings(root=Path(), against="main"), (), (), pytest.UsageError)
    with pytest.raises(pytest.UsageError, match=r"No space left on device .*TMPDIR"):
        sides.pytest_sessionstart(session)
