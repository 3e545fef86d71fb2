"""`baselines diff`: what a review of baselines wants to know."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUIET = [1.0, 1.002, 0.998, 1.001, 0.999]
SESSIONS = {f"2024010{day}T000000-aa": [ms * (1 + day / 1000) for ms in QUIET] for day in (1, 2, 3)}


def times(factor: float) -> list[float]:
    """The runs of a session that much slower."""
    return [ms * factor for ms in QUIET]


@pytest.fixture
def folders(project: Path, store: Callable[..., Path]) -> Path:
    """`old` and `new`: what stayed, came, went, got slower, faster, neither."""
    names = ("same", "slower", "faster", "noise", "gone")
    store(project / "old", dict.fromkeys((f"test_{name}" for name in names), SESSIONS), environment={"driver": "1"})
    new = {
        "test_same": SESSIONS,
        "test_slower": {**SESSIONS, "20240201T000000-bb": times(1.5)},
        "test_faster": {**SESSIONS, "20240201T000000-bb": times(0.6)},
        "test_noise": {**SESSIONS, "20240201T000000-bb": times(1.003)},
        "test_came": {"20240201T000000-bb": times(2.0)},
    }
    store(project / "new", new, environment={"driver": "2"})
    return project


def verdicts(said: Any) -> dict[str, str]:
    """The verdict of each entry that changed, by test."""
    return {row["key"].split()[0]: row["verdict"] for row in said.json["entries"]}


EXPECTED = {
    "test_slower": "slower",
    "test_faster": "faster",
    "test_noise": "within the spread",
    "test_came": "new",
    "test_gone": "gone",
}


def test_two_folders(folders: Path, call: Callable[..., Any]) -> None:
    """Each entry that changed, its medians, the change, whether it is beyond the spread; status 1 as one got slower."""
    said = call("baselines", "diff", folders / "old", folders / "new", "--json")
    assert said.status == 1
    assert verdicts(said) == EXPECTED
    row = next(row for row in said.json["entries"] if row["verdict"] == "slower")
    assert row["new"] == 1.5
    assert row["old"] == pytest.approx(1.0, abs=0.01)
    assert row["change"]["estimate"] == pytest.approx(0.5, abs=0.01)
    assert row["differs"] == ["driver: 1 → 2"]


def test_a_table(folders: Path, call: Callable[..., Any]) -> None:
    """The same for people: a line an entry, and what differs once."""
    said = call("baselines", "diff", folders / "old", folders / "new")
    assert said.status == 1
    lines = said.out.splitlines()
    assert lines[0] == "cpu-x-4c"
    (slower,) = (line for line in lines if "test_slower" in line)
    assert slower.split()[-4:] == ["15", "→", "20", "slower"]
    assert "1.5 ms" in slower
    assert lines[-1] == "  differs for 3 of them: driver: 1 → 2"


def test_nothing_changed(folders: Path, call: Callable[..., Any]) -> None:
    """Is said, with status 0."""
    said = call("baselines", "diff", folders / "old", folders / "old")
    assert (said.status, said.out) == (0, "no entry changed\n")


def test_against_a_revision(folders: Path, call: Callable[..., Any], store: Callable[..., Path]) -> None:
    """HEAD by default, or any other; from whichever folder of the repository; nothing is checked out."""

    def git(*arguments: str) -> None:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        subprocess.run(["git", *who, *arguments], cwd=folders, check=True, capture_output=True)  # noqa: S607

    baselines = folders / "baselines"
    git("init", "-q")
    (folders / "old").rename(baselines)
    (baselines / "cpu-other.json").write_text("{}")  # a study, which is no baseline
    git("add", "-A")
    git("commit", "-q", "-m", "first")
    git("tag", "first")
    assert call("baselines", "diff").out == "no entry changed\n"
    store(baselines, {"test_other": SESSIONS}, module="tests/test_other.py")
    git("add", "-A")
    git("commit", "-q", "-m", "second")
    for path in (folders / "new").rglob("*.json"):
        path.replace(baselines / path.relative_to(folders / "new"))
    assert verdicts(call("baselines", "diff", "--json")) == EXPECTED
    assert verdicts(call("baselines", "diff", "--against", "first", "--json")) == {**EXPECTED, "test_other": "new"}
    said = call("baselines", "diff", "--against", "nonsense")
    assert said.status == 2
    assert "no revision 'nonsense' in this repository" in said.err


def test_wrong_use(folders: Path, call: Callable[..., Any]) -> None:
    """Two old sides, no repository, nothing on either side."""
    assert call("baselines", "diff", folders / "old", "--against", "HEAD").status == 2
    assert "git" in call("baselines", "diff").err
    (folders / "empty").mkdir()
    said = call("baselines", "diff", folders / "empty", folders / "empty")
    assert said.status == 1
    assert "no baselines on either side" in said.err


def test_a_new_device_is_shown(folders: Path, call: Callable[..., Any], store: Callable[..., Path]) -> None:
    """After a change of hardware: what was recorded there, and beside it what the nearest device has."""
    store(folders / "both", {"test_same": SESSIONS}, slug="cpu-x-4c")
    store(folders / "both", {"test_same": {"20240201T000000-bb": times(0.5)}}, slug="cpu-z-8c")
    store(folders / "one", {"test_same": SESSIONS}, slug="cpu-x-4c")
    said = call("baselines", "diff", folders / "one", folders / "both")
    assert said.status == 0
    device, _, entry, near = said.out.splitlines()
    assert device == "cpu-z-8c"
    assert entry.rstrip().endswith("new (1.002 ms on cpu-x-4c)")
    assert near == "  nearest device: cpu-x-4c"
