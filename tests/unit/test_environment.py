"""What is recorded beside a run, and what differs later."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.device.environment import differences, environment

if TYPE_CHECKING:
    from pathlib import Path

facts = st.dictionaries(st.sampled_from(["python", "numpy", "torch", "commit"]), st.sampled_from(["1", "2", "3"]))


@given(facts)
def test_the_same_surroundings_differ_in_nothing(now: dict[str, str]) -> None:
    """No line, whatever the facts."""
    assert differences(now, now) == ()


@given(facts, facts)
def test_each_differing_fact_has_a_line_but_the_commit(then: dict[str, str], now: dict[str, str]) -> None:
    """Both values stand in it, in the order of names; the commit is meant to differ."""
    expected = sorted(key for key in {*then, *now} - {"commit"} if then.get(key) != now.get(key))
    told = differences(then, now)
    assert [line.partition(":")[0] for line in told] == expected
    for key, line in zip(expected, told, strict=True):
        assert line == f"{key}: {then.get(key, 'absent')} → {now.get(key, 'absent')}"


def test_versions_and_system_are_told(tmp_path: Path) -> None:
    """Python, the operating system, the packages that are installed; what isn't, isn't."""
    told = environment(tmp_path)
    assert told["python"].split()[0] in {"CPython", "PyPy"}
    assert told["system"]
    assert told["numpy"]
    assert "commit" not in told
    assert all(isinstance(value, str) and value for value in told.values())


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_commit_is_told_and_whether_it_is_dirty(tmp_path: Path) -> None:
    """Of the repository that holds the tests."""

    def git(*args: str) -> None:
        who = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *args], cwd=tmp_path, check=True, capture_output=True)  # noqa: S607 - from PATH

    git("init")
    (tmp_path / "file").write_text("1")
    git("add", ".")
    git("commit", "-m", "one")
    commit = environment(tmp_path)["commit"]
    assert len(commit) == 12
    (tmp_path / "file").write_text("2")
    assert environment(tmp_path)["commit"] == f"{commit}-dirty"


@pytest.mark.parametrize("trouble", [FileNotFoundError("git"), subprocess.TimeoutExpired("git", 10)])
def test_no_git_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception) -> None:
    """Without git, or with one that hangs, there is no commit and no error."""

    def run(*_args: Any, **_kwargs: Any) -> None:
        raise trouble

    monkeypatch.setattr(subprocess, "run", run)
    assert "commit" not in environment(tmp_path)
