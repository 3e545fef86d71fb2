"""`calibrate`: what the study found, for people and as plain values, kept beside the baselines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.baselines.schema import BaselineRun, Calibration, Entry
from pytest_infer.calibrate import Finding, advice
from pytest_infer.device.cpu import cpu_device
from pytest_infer.stats.spread import declared

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
            BaselineRun(session=f"s{session}", metrics={"latency": 1.0 + run / 1000 + session / 1000})
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
@pytest.mark.parametrize(
    ("sessions", "pause", "narrower"), [(1, 3600, False), (4, 0, False), (4, 3600, True)], ids=["one", "row", "apart"]
)
def test_sessions_in_a_row_tell_nothing_of_other_days(
    project: Path,
    call: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    sessions: int,
    pause: int,
    *,
    narrower: bool,
) -> None:
    """What is declared of sessions is narrowed by those that lie apart alone, where they agree."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    arguments = ("--sessions", sessions, "--pause", pause, "--baselines", project / "perf")
    found = call("calibrate", "--json", *arguments).json["calibration"]
    prior = declared("cpu", sessions)
    assert (found["session_sd"] < 0.999 * prior.session_sd) == narrower
    assert (found["common_sd"] < 0.999 * prior.common_sd) == narrower


@pytest.mark.parametrize(
    ("detectable", "told"),
    [
        ({1: 0.01, 3: 0.01, 6: 0.01}, "with a single recorded session"),
        ({1: 0.4, 3: 0.1, 6: 0.02}, "Record up to 6 sessions"),
        ({1: 0.4, 3: 0.2, 6: 0.071}, "raise max_regression to about 0.08, measure longer"),
        ({1: 9.0, 3: 5.0, 6: 2.0}, "even with 6 sessions: measure longer"),
    ],
)
def test_what_to_do(detectable: dict[int, float], told: str) -> None:
    """The advice fits what was found; a tolerance is advised as the marker takes it, and none that it refuses."""
    calibration = Calibration(
        schema=1, run_sd=0.1, session_sd=0.1, common_sd=0.1, df=6.0, tests=3, sessions=2, runs=5, recorded="2026-01-01"
    )
    finding = Finding(calibration=calibration, false_alarms=0.0, detectable=detectable)
    assert told in advice(finding, 0.02)
