"""`baselines list` and `show`, and what all commands have in common."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TESTS = {"test_a[fp32]": {"s1": [1.0, 1.2], "s2": [1.1]}, "test_b": {"s1": [2.0]}}


def test_a_line_an_entry(project: Path, call: Callable[..., Any], store: Callable[..., Path]) -> None:
    """Device, test, runs, sessions, median latency; a study beside the folders is no baseline."""
    store(project / "baselines", TESTS)
    (project / "baselines" / "cpu-x-4c.json").write_text("{}")
    said = call("baselines", "list")
    assert (said.status, said.err) == (0, "")
    assert [line.split("\t") for line in said.out.splitlines()] == [
        ["cpu-x-4c", "tests/test_net.py::test_a[fp32] 0123456789ab", "3 runs", "2 sessions", "1.1 ms"],
        ["cpu-x-4c", "tests/test_net.py::test_b 0123456789ab", "1 runs", "1 sessions", "2 ms"],
    ]
    first, _ = call("baselines", "list", "--json").json["entries"]
    assert (first["device"], first["runs"], first["median"]["latency"], first["newest"]) == ("cpu-x-4c", 3, 1.1, "s2")


def test_every_run_of_a_test(project: Path, call: Callable[..., Any], store: Callable[..., Path]) -> None:
    """By any part of its id."""
    store(project / "baselines", TESTS)
    said = call("baselines", "show", "test_net.py::test_a")
    assert said.status == 0
    assert [line.strip() for line in said.out.splitlines()][:3] == [
        "tests/test_net.py::test_a[fp32] 0123456789ab",
        "on cpu-x-4c",
        "s1  latency 1 ms, throughput 1000 samples/s",
    ]
    (entry,) = call("baselines", "show", "test_a", "--json").json["entries"]
    assert [run["metrics"]["latency"] for run in entry["runs"]] == [1.0, 1.2, 1.1]
    assert entry["sessions"]["s1"]["recorded"] == "s1"


def test_what_is_not_there_is_status_one(project: Path, call: Callable[..., Any], store: Callable[..., Path]) -> None:
    """With what to do."""
    said = call("baselines", "list")
    assert said.status == 1
    assert "record some: pytest --infer-update-baselines" in said.err
    store(project / "baselines", TESTS)
    said = call("baselines", "show", "test_z")
    assert said.status == 1
    assert "no entry of" in said.err


@pytest.mark.parametrize("text", [b"{", b'{"schema": 99}', b"{}", b"\xff"])
def test_a_broken_file_is_named(project: Path, call: Callable[..., Any], text: bytes) -> None:
    """One line, status 1: nothing is told of what can't be read."""
    path = project / "baselines" / "cpu-x-4c" / "test_net.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(text)
    said = call("baselines", "list")
    assert said.status == 1
    assert "test_net.json" in said.err
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("baselines", "nonsense"),
        ("baselines", "show"),
        ("baselines", "accept"),
        ("baselines", "accept", "absent.json"),
        ("baselines", "merge", "a.json", "b.json"),
        ("baselines", "diff", "absent"),
        ("compare", "absent.json", "absent.json"),
        ("completion", "tcsh"),
        ("devices", "--nonsense"),
    ],
)
def test_wrong_use_is_status_two(project: Path, call: Callable[..., Any], arguments: tuple[str, ...]) -> None:
    """With a word on what would be right."""
    said = call(*arguments)
    assert said.status == 2
    assert "Usage: " in said.err
    assert list(project.iterdir()) == [project / "pytest.ini"]


def test_every_command_can_speak_json() -> None:
    """All but the one whose output is a script."""
    commands = {**main.commands, **main.commands["baselines"].commands}  # type: ignore[attr-defined]
    without = {
        name for name, command in commands.items() if not any(option.name == "as_json" for option in command.params)
    }
    assert without == {"baselines", "completion"}


def test_looking_is_quick() -> None:
    """Help and listings load neither numpy nor an inference library."""
    code = "import sys, pytest_infer.cli; print({'numpy', 'scipy', 'onnxruntime', 'pytest'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(call: Callable[..., Any], shell: str) -> None:
    """A script for the shell, by the variable that click answers to."""
    said = call("completion", shell)
    assert said.status == 0
    assert "_PYTEST_INFER_COMPLETE" in said.out
    assert "pytest-infer" in said.out
