"""Whole sessions: how the sides' processes live beside each other, and how they end."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.against.conftest import Suite

BESIDE: Final = """
import os
from pathlib import Path

import pytest

@pytest.mark.infer(model=dict)
def test_it(infer_engine):
    with Path(os.environ["RUNS"]).open("a") as runs:
        print("here", file=runs)
    if len(Path(os.environ["RUNS"]).read_text().splitlines()) == 2:
        raise OSError("Address already in use")
    infer_engine()
"""
HEALTHY: Final = """
import os
from pathlib import Path

import pytest

@pytest.fixture(scope="session")
def server():
    yield
    Path(os.environ["ENDED"]).touch()

@pytest.mark.infer(model=dict)
def test_it(infer_engine, server):
    infer_engine()
"""


def test_sides_that_can_not_live_at_once(suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that fails in its first process beside the other side, and passes alone: undecided, and no failure.

    The side that was fine is let to its end: its fixtures are torn down.
    """
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("ENDED", str(tmp_path / "ended"))
    suite.write("test_it.py", HEALTHY)
    suite.commit()
    suite.write("test_it.py", BESIDE)
    done = suite.run("--infer-against=HEAD")
    assert done.returncode == 0, done.stdout + done.stderr
    result = suite.results()["test_it"]
    assert result.outcome == "inconclusive"
    assert result.reasons[0].startswith("it fails here only beside HEAD (")
    assert "OSError: Address already in use" in result.reasons[0]
    assert (tmp_path / "ended").exists()


INTERRUPTED: Final = """
import os
import socket
import time

import pytest

def measured():
    if "PYTEST_INFER_PADDING" in os.environ:
        # Tells the outside that it is being measured on one of the sides, and waits for its answer: it never comes.
        with socket.create_connection(("127.0.0.1", int(os.environ["PORT"]))) as line:
            line.recv(1)

@pytest.mark.infer(model=measured)
def test_endless(infer_engine): pass
"""


@pytest.mark.skipif("sys.platform == 'win32'", reason="signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=["Ctrl-C", "ended", "killed"])
def test_broken_off(suite: Suite, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, sent: signal.Signals) -> None:
    """In the middle of a round: no process is left, no work tree, no file of its processes."""
    suite.write("test_it.py", INTERRUPTED)
    suite.commit()
    before = suite.state()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(120)
        monkeypatch.setenv("PORT", str(server.getsockname()[1]))
        process = suite.start("--infer-against=HEAD")
        line, _ = server.accept()
        with line:
            os.kill(process.pid, sent)
            output, _ = process.communicate(timeout=120)
            line.settimeout(120)
            assert line.recv(1) == b"", "whoever measured is gone"
    assert suite.left() == []
    if sent is signal.SIGINT:
        assert process.returncode == pytest.ExitCode.INTERRUPTED, output
        assert "INTERNALERROR" not in output
    assert suite.state() == before
    assert [path.name for path in elsewhere.glob("pytest-infer-*")] == ["pytest-infer-locks"]
