"""A user's suite in a git repository of its own, run by real pytest processes."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.report.json_report import JsonResult

MARK: Final = "PYTEST_INFER_TEST"
"""The environment variable by which a suite's processes, and theirs, are found again."""

SHORT: Final = """
from pytest_infer.against import rounds, station
from pytest_infer.device import cpu_state

# The shortest rounds: no verdict of these tests depends on a few percent.
rounds.BLOCK_NS = station.WARMUP_NS = 2_000_000
# The machine that runs these tests is shared: what its neighbours do must not change a verdict.
rounds.read_cpu_state = cpu_state.read_cpu_state = lambda *_: cpu_state.CpuState()
"""
ARGUMENTS: Final = (
    *("-p", "pytest_infer.plugin", "-p", "no:cacheprovider", "--infer-report=report.json"),
    *("--infer-time=0.01", "--infer-max-time=0.3", "--infer-confirm=2", "--infer-time-limit=600"),
)


class Checkout:
    """A git repository with its work tree."""

    def __init__(self, path: Path) -> None:
        """Begin one at `path`."""
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")
        for key, value in {"user.name": "t", "user.email": "t@example.com", "protocol.file.allow": "always"}.items():
            self.git("config", key, value)

    def git(self, *arguments: str) -> str:
        """Run git here; what it says."""
        command = ["git", "-C", str(self.path), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def write(self, name: str, content: str) -> Path:
        """Write a file."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def commit(self, message: str = "more") -> str:
        """Commit everything; the commit's name."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self.git("rev-parse", "HEAD")

    def state(self) -> tuple[str, ...]:
        """All that a comparison must leave alone: work tree, index, branches, stash, work trees, configuration."""
        asked = ("status --short", "ls-files --stage", "show-ref --head", "stash list", "worktree list")
        return (*(self.git(*line.split()) for line in asked), (self.path / ".git" / "config").read_text())


class Suite(Checkout):
    """A user's tests in a repository, and what came of running them."""

    def __init__(self, path: Path, mark: str) -> None:
        """Begin one at `path`; its processes carry `mark`."""
        super().__init__(path)
        self._mark = mark
        self.write("conftest.py", SHORT)
        self.write("pytest.ini", "[pytest]\npythonpath = src\n")
        self.write(".gitignore", "__pycache__/\n/report.json\n")

    def run(self, *arguments: str, cwd: Path | None = None, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run pytest in a process of its own."""
        return self.run_bare(*ARGUMENTS, *arguments, cwd=cwd, timeout=timeout)

    def run_bare(
        self, *arguments: str, cwd: Path | None = None, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run pytest in a process of its own with these arguments alone."""
        return subprocess.run(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=cwd or self.path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the same and don't wait for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *ARGUMENTS, *arguments],
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def results(self) -> dict[str, JsonResult]:
        """The results of the last run by test (and name, where a test measured by one)."""
        from pytest_infer.report.json_report import read

        report = read(self.path / "report.json")
        return {f"{r.nodeid.partition('::')[2]} {r.name}".rstrip(): r for r in report.results}

    def left(self) -> list[str]:
        """The suite's processes that are still there (those that were killed may take a moment to go)."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (
                    int(folder.name) == os.getpid()
                    or f"{MARK}={self._mark}".encode() not in (folder / "environ").read_bytes()
                ):
                    continue
                if not _gone(int(folder.name)):
                    found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        return found


def _gone(pid: int) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 5)[0])
    finally:
        os.close(descriptor)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files: device locks and work trees lie there, and nobody else's."""
    with tempfile.TemporaryDirectory(prefix="i-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@pytest.fixture
def suite(tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """A suite in a repository of its own, nothing committed yet."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    monkeypatch.setenv("XDG_CACHE_HOME", str(elsewhere / "cache"))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv(
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1"
    )  # every side starts dozens of times: others cost time only
    return Suite(tmp_path / "project", mark)


@pytest.fixture
def checkout(tmp_path: Path, elsewhere: Path) -> Checkout:  # noqa: ARG001 - work trees go there
    """A repository with one commit: `code.py` says 1."""
    made = Checkout(tmp_path / "project")
    made.write("code.py", "ONE = 1\n")
    made.commit()
    return made
