"""`compare`: two reports, judged by what is known of how far runs spread."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_infer.result import Result

LATER = {"session": "20240102T000000-bb", "started": "2024-01-02T00:00:00+00:00"}
QUIET = [1.0, 1.002, 0.998, 1.001, 0.999]


@pytest.fixture
def pair(
    project: Path, measured: Callable[..., Result], reported: Callable[..., Path]
) -> Callable[..., tuple[Path, Path]]:
    """Two reports of one run a test, by their latencies in ms."""

    def make(a: dict[str, float], b: dict[str, float], **given: Any) -> tuple[Path, Path]:
        first = reported(project / "a.json", *(measured(test, ms) for test, ms in a.items()))
        second = reported(project / "b.json", *(measured(test, ms, **given) for test, ms in b.items()), **LATER)
        return first, second

    return make


def verdicts(said: Any) -> dict[str, str]:
    """The verdict of each measurement, by test."""
    return {row["nodeid"].partition("::")[2]: row["verdict"] for row in said.json["results"]}


def test_one_run_a_side_shows_large_changes_only(
    pair: Callable[..., tuple[Path, Path]], call: Callable[..., Any]
) -> None:
    """Nine times slower is slower; 20 % is within what runs of such a device spread, and that is said."""
    before = {"test_a": 1.0, "test_b": 1.0, "test_c": 9.0}
    said = call("compare", *pair(before, {"test_a": 9.0, "test_b": 1.2, "test_c": 1.0}))
    assert said.status == 1
    lines = said.out.splitlines()
    assert lines[0] == "cpu-x-4c"
    rows = {line.split()[0].partition("::")[2]: line for line in lines if "::" in line}
    assert rows["test_a"].rstrip().endswith("slower")
    assert "1 → 9" in rows["test_a"]
    assert "+800.0%" in rows["test_a"]
    assert rows["test_b"].rstrip().endswith("within the spread")
    assert rows["test_c"].rstrip().endswith("faster")
    assert "one run of a test is little" in said.out
    assert "and a declaration: there are no baselines of it here" in said.out


def test_the_same_report_is_no_regression(pair: Callable[..., tuple[Path, Path]], call: Callable[..., Any]) -> None:
    """Status 0, no change."""
    a, _ = pair({"test_a": 1.0}, {"test_a": 1.0})
    said = call("compare", a, a, "--json")
    assert said.status == 0
    (row,) = said.json["results"]
    assert (row["verdict"], row["metrics"]["latency"]) == ("within the spread", {"a": 1.0, "b": 1.0, "worse_by": 0.0})
    assert row["within_runs"] == pytest.approx([-0.0198, 0.0202], abs=1e-3)


def test_a_hard_limit(pair: Callable[..., tuple[Path, Path]], call: Callable[..., Any]) -> None:
    """For those who want one, whatever the spread; in percent or as a fraction."""
    reports = pair({"test_a": 1.0, "test_b": 1.0}, {"test_a": 1.2, "test_b": 1.05})
    assert call("compare", *reports).status == 0
    for limit in ("10%", "0.1"):
        said = call("compare", *reports, "--fail-over", limit, "--json")
        assert said.status == 1
        assert verdicts(said) == {"test_a": "over the limit", "test_b": "within the spread"}
    assert call("compare", *reports, "--fail-over", "30%").status == 0
    for wrong in ("much", "-1%", "nan", "inf", "10"):
        assert call("compare", *reports, "--fail-over", wrong).status == 2


def test_what_is_missing_is_status_one(pair: Callable[..., tuple[Path, Path]], call: Callable[..., Any]) -> None:
    """A test that is no longer measured must not pass for a fast one; one that is new is fine."""
    reports = pair({"test_a": 1.0}, {"test_a": 1.0, "test_b": 2.0})
    said = call("compare", *reports, "--json")
    assert (said.status, verdicts(said)) == (0, {"test_a": "within the spread", "test_b": "new"})
    said = call("compare", *reversed(reports))
    assert said.status == 1
    assert "1 measurement(s) of the first report are missing from the second" in said.out


def test_what_can_t_be_compared_is_told(
    project: Path, call: Callable[..., Any], measured: Callable[..., Result], reported: Callable[..., Path]
) -> None:
    """Another batch is another measurement; a disturbed run is none."""
    a = reported(project / "a.json", measured("test_a", 1.0), measured("test_b", 1.0))
    b = reported(
        project / "b.json",
        measured("test_a", 9.0, digest="another"),
        measured("test_b", 9.0, outcome=Outcome.INVALID),
    )
    said = call("compare", a, b, "--json")
    assert (said.status, verdicts(said)) == (1, {"test_a": "another workload", "test_b": "invalid"})


def test_different_devices(pair: Callable[..., tuple[Path, Path]], call: Callable[..., Any]) -> None:
    """Are refused by name; on request their figures are shown, and no verdict."""
    reports = pair({"test_a": 1.0}, {"test_a": 3.0}, device="gpu-y")
    said = call("compare", *reports)
    assert said.status == 2
    assert "cpu-x-4c and gpu-y" in said.err
    said = call("compare", *reports, "--any-device")
    assert said.status == 0
    assert "+200.0%" in said.out
    assert "not judged" in said.out
    assert "no verdict on the code" in said.out


def test_recordings_show_smaller_changes(
    project: Path, call: Callable[..., Any], measured: Callable[..., Result], reported: Callable[..., Path]
) -> None:
    """Of quiet runs, beside tests that stayed as they were, twice as slow shows."""
    names = [f"test_{number}" for number in range(10)]
    a = reported(project / "a.json", *(measured(name, *QUIET, recorded=True) for name in names))
    b = reported(
        project / "b.json",
        *(measured(name, *(ms * (2.0 if name == "test_3" else 1.0) for ms in QUIET), recorded=True) for name in names),
        **LATER,
    )
    said = call("compare", a, b, "--json")
    assert said.status == 1
    assert [name for name, verdict in verdicts(said).items() if verdict == "slower"] == ["test_3"]
    assert not any("one run" in note for note in said.json["notes"])


def test_a_run_that_was_disturbed_accuses_nobody(
    project: Path, call: Callable[..., Any], measured: Callable[..., Result], reported: Callable[..., Path]
) -> None:
    """Other processes took the CPU as they did not in the first report: that may be all there is to it."""
    a = reported(project / "a.json", measured("test_a", 1.0))
    b = reported(project / "b.json", measured("test_a", 9.0, contention={"others": 0.6}), **LATER)
    said = call("compare", a, b, "--json")
    assert (said.status, verdicts(said)) == (0, {"test_a": "disturbed"})
    assert "other processes took 60%" in said.json["results"][0]["disturbed"][0]
    assert "test_a: other processes took 60%" in call("compare", a, b).out
    assert call("compare", a, b, "--fail-over", "10%").status == 1


def test_baselines_tell_how_far_a_device_spreads(
    project: Path,
    call: Callable[..., Any],
    store: Callable[..., Path],
    measured: Callable[..., Result],
    reported: Callable[..., Path],
) -> None:
    """On a device whose runs are known to differ by a factor, a run that is four times as slow says nothing."""
    names = [f"test_{number}" for number in range(3)]
    a = reported(project / "a.json", *(measured(name, 1.0) for name in names))
    b = reported(project / "b.json", measured(names[0], 4.0), *(measured(name, 1.0) for name in names[1:]), **LATER)
    assert verdicts(call("compare", a, b, "--json"))["test_0"] == "slower"
    wild = {f"2023010{day}T000000-aa": [4.0 ** ((day * 7 + run) % 3 - 1) for run in range(5)] for day in range(1, 5)}
    store(project / "baselines", dict.fromkeys(names, wild))
    said = call("compare", a, b, "--json")
    assert verdicts(said)["test_0"] == "within the spread"
    assert any("3 entries of its baselines" in note for note in said.json["notes"])
    assert verdicts(call("compare", a, b, "--json", "--baselines", project / "none"))["test_0"] == "slower"


def test_baselines_that_are_elsewhere_are_not_needed(
    project: Path, pair: Callable[..., tuple[Path, Path]], call: Callable[..., Any]
) -> None:
    """Two reports can be compared wherever they are."""
    (project / "pytest.ini").write_text("[pytest]\ninfer_baselines = s3://bucket\n")
    said = call("compare", *pair({"test_a": 1.0}, {"test_a": 1.0}))
    assert said.status == 0
    assert "baselines are not looked at" in said.err


@pytest.mark.parametrize("text", [b"", b"{", b'{"schema": 99}', b"[]"])
def test_what_is_no_report_is_wrong_use(
    project: Path, pair: Callable[..., tuple[Path, Path]], call: Callable[..., Any], text: bytes
) -> None:
    """Status 2, so that nobody takes it for a regression."""
    a, _ = pair({"test_a": 1.0}, {})
    (project / "c.json").write_bytes(text)
    said = call("compare", a, project / "c.json")
    assert said.status == 2
    assert "c.json" in said.err


def test_reports_of_nothing(pair: Callable[..., tuple[Path, Path]], call: Callable[..., Any]) -> None:
    """Nothing was compared: that is not fine."""
    assert call("compare", *pair({}, {})).status == 1


def test_what_differs_is_told(
    project: Path, call: Callable[..., Any], measured: Callable[..., Result], reported: Callable[..., Path]
) -> None:
    """Versions and drivers, beside the figures."""
    a = reported(project / "a.json", measured("test_a", 1.0))
    b = reported(project / "b.json", measured("test_a", 1.0), environment={"driver": "2"}, **LATER)
    assert "differs: driver: 1 → 2" in call("compare", a, b).out.splitlines()
    assert json.loads(call("compare", a, b, "--json").out)["differs"] == ["driver: 1 → 2"]
