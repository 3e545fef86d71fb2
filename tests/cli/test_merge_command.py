"""`baselines merge`: two branches' files become one, by git itself where it is told so."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_infer.baselines.codec import decode
from tests.cli.conftest import SLUG, tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OLD = {"test_a": {"20240101T000000-aa": [1.0, 1.1]}}
OURS = {
    "test_a": {"20240101T000000-aa": [1.0, 1.1], "20240102T000000-bb": [1.2]},
    "test_b": {"20240102T000000-bb": [2.0]},
}
THEIRS = {"test_a": {"20240101T000000-aa": [1.0, 1.1], "20240103T000000-cc": [1.3]}}
MODULE = f"{SLUG}/tests/test_net.json"


def latencies(path: Path) -> dict[str, list[float]]:
    """What a file holds, by test."""
    file = decode(path.read_bytes(), path)
    return {key.split()[0]: [run.metrics["latency"] for run in entry.runs] for key, entry in file.entries.items()}


def test_two_files_become_one(project: Path, call: Callable[..., Any], store: Callable[..., Path]) -> None:
    """The union, whoever is first; an empty ancestor is none, as git gives it where both added the file."""
    ours, theirs, base = (store(project / name, t) for name, t in (("o", OURS), ("t", THEIRS), ("b", OLD)))
    (project / "empty").touch()
    for number, arguments in enumerate([(ours, theirs), (theirs, ours, base), (ours, theirs, project / "empty")]):
        said = call("baselines", "merge", *arguments, "-o", project / f"{number}.json")
        assert (said.status, said.err) == (0, "")
    assert latencies(project / "0.json") == {"test_a": [1.0, 1.1, 1.2, 1.3], "test_b": [2.0]}
    assert len({(project / f"{number}.json").read_bytes() for number in range(3)}) == 1
    said = call("baselines", "merge", ours, theirs, "-o", ours, "--json")
    assert said.json == {"output": str(ours), "entries": 2, "runs": 5}
    assert latencies(ours) == latencies(project / "0.json")


@pytest.mark.parametrize("which", [0, 1, 2])
@given(text=st.one_of(st.binary(min_size=1, max_size=30), st.just(b'{"schema": 99}'), st.just(b'{"schema": 1}')))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_broken_file_changes_no_byte(
    project: Path, call: Callable[..., Any], store: Callable[..., Path], which: int, text: bytes
) -> None:
    """Ours, theirs or the ancestor: git takes the status for a conflict, and nothing is written."""
    paths = [store(project / name, OLD) for name in ("o", "t", "b")]
    paths[which].write_bytes(text)
    before = tree(project)
    said = call("baselines", "merge", *paths, "-o", paths[0])
    assert said.status == 1
    assert str(paths[which]) in said.err
    assert tree(project) == before


def test_what_is_not_there_is_named(project: Path, call: Callable[..., Any], store: Callable[..., Path]) -> None:
    """And nothing is made of the other alone."""
    said = call("baselines", "merge", store(project / "o", OLD), project / "absent.json", "-o", project / "out.json")
    assert said.status == 1
    assert "absent.json: there is no such file" in said.err
    assert not (project / "out.json").exists()


def test_git_merges_by_itself(project: Path, store: Callable[..., Path]) -> None:
    """Two branches record the same test; with the two lines of configuration, merging them is no conflict."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *arguments],  # noqa: S607 - as the shell finds it
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def commit(branch: str, tests: dict[str, Any]) -> None:
        git("checkout", "-q", "-b", branch, *(["main"] if branch != "main" else []))
        store(project / "baselines", tests)
        git("add", "-A")
        git("commit", "-q", "-m", branch)

    program = f"'{sys.executable}' -c 'from pytest_infer.cli import main; main()'"
    git("init", "-q")
    git("config", "merge.pytest-infer.driver", f"{program} baselines merge %A %B %O -o %A")
    (project / ".gitattributes").write_text("baselines/*/** merge=pytest-infer\n")
    commit("main", OLD)
    commit("ours", OURS)
    commit("theirs", THEIRS)
    git("merge", "-q", "-m", "both", "ours")
    assert latencies(project / "baselines" / MODULE) == {"test_a": [1.0, 1.1, 1.2, 1.3], "test_b": [2.0]}
