"""`calibrate`: what the study found, for people and as plain values, kept beside the baselines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.baselines.schema import BaselineRun, Entry
from pytest_infer.device.cpu import cpu_device
from pytest_infer.stats.spread import CPU_UNSEEN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def studied(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A study whose runs are made up; what was asked of it."""
    asked: list[Any] = []

    def record(study: Any, *_: Any) -> dict[str, Entry]:
        asked.append(study)
        runs = tuple(
            BaselineRun(session=f"s{session}", metrics={"latency": 1.0 + run / 100 + session / 50})
            for session in range(study.sessions)
            for run in range(study.runs)
        )
        return {f"test_{number}": Entry(workload={}, runs=runs) for number in range(3)}

    monkeypatch.setattr("pytest_infer.calibrate.record", record)
    return asked


def test_it_is_told_and_kept(project: Path, call: Callable[..., Any], studied: list[Any]) -> None:
    """Beside the baselines, where pytest finds it; pytest's own arguments go through."""
    (project / "pytest.ini").write_text("[pytest]\ninfer_baselines = perf\n")
    said = call("calibrate", "--sessions", "2", "tests", "-k", "net")
    assert said.status == 0
    assert studied[0].arguments == ("tests", "-k", "net")
    assert f"{cpu_device().slug}: 3 tests, 2 session(s) of 5 runs" in said.out
    assert "detectable with 6 session(s)" in said.out
    kept = json.loads((project / "perf" / f"{cpu_device().slug}.json").read_text())
    assert (kept["tests"], kept["sessions"], kept["runs"]) == (3, 2, 5)


@pytest.mark.usefixtures("studied")
def test_plain_values(project: Path, call: Callable[..., Any]) -> None:
    """The same, with the advice."""
    found = call("calibrate", "--json", "--runs", "3", "--baselines", project / "perf").json
    assert found["device"] == cpu_device().slug
    assert found["calibration"] == json.loads((project / "perf" / f"{cpu_device().slug}.json").read_text())
    assert found["detectable"].keys() == {"1", "3", "6"}
    assert 0 <= found["false_alarms"] <= 1
    assert found["advice"]


@pytest.mark.usefixtures("studied")
def test_one_session_tells_nothing_of_sessions(project: Path, call: Callable[..., Any]) -> None:
    """What a shared CPU does between sessions is still believed of it: such a study must not narrow the gate."""
    found = call("calibrate", "--json", "--sessions", "1", "--baselines", project / "perf").json
    assert found["calibration"]["session_sd"] == pytest.approx(CPU_UNSEEN.session_sd)
    assert found["calibration"]["common_sd"] == pytest.approx(CPU_UNSEEN.common_sd)
