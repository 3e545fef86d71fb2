"""Ctrl-C in a measurement or a recording: pytest ends as ever, the store is as before, no process is left."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Suite

pytestmark = pytest.mark.skipif("sys.platform == 'win32'", reason="signals")

SOURCE = """
import os
import socket

import pytest

def measured():
    # Tells the outside that it is being measured, and waits for its answer: it never comes.
    with socket.create_connection(("127.0.0.1", int(os.environ["PORT"]))) as line:
        line.recv(1)

@pytest.mark.infer(model=len, inputs=("a",))
def test_before(infer_engine): pass

@pytest.mark.infer(model=measured)
def test_endless(infer_engine): pass
"""


@pytest.mark.parametrize("arguments", [("--infer-isolate=never",), ("--infer-update-baselines", "--infer-runs=1")])
def test_interrupt(suite: Suite, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    """While a target runs, in the suite's process or in a worker, SIGINT ends both at once."""
    suite.record()
    before = {path: path.read_bytes() for path in suite.stored()}
    suite.write(SOURCE)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        monkeypatch.setenv("PORT", str(server.getsockname()[1]))
        process = suite.start(*arguments)
        line, _ = server.accept()
        with line:
            os.kill(process.pid, signal.SIGINT)
            output, _ = process.communicate(timeout=60)
            line.settimeout(60)
            assert line.recv(1) == b"", "whoever measured is gone"
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert b"KeyboardInterrupt" in output
    assert b"INTERNALERROR" not in output
    assert {path: path.read_bytes() for path in suite.stored()} == before
    assert suite.outcomes().keys() == {"test_before"}
    assert suite.left() == []
    assert [path.name for path in elsewhere.iterdir()] == ["pytest-infer-locks"]


def test_killed_parent(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose parent was killed ends itself, and nothing was written."""
    suite.write(SOURCE)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        monkeypatch.setenv("PORT", str(server.getsockname()[1]))
        process = suite.start("--infer-isolate=always", "test_it.py::test_endless")
        line, _ = server.accept()
        with line:
            process.kill()
            process.communicate(timeout=60)
            line.settimeout(60)
            assert line.recv(1) == b"", "whoever measured is gone"
    assert suite.left() == []
    assert suite.stored() == []


def test_a_first_recording_leaves_nothing(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a folder: an empty one would be taken for a device with baselines."""
    suite.write(SOURCE)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        monkeypatch.setenv("PORT", str(server.getsockname()[1]))
        process = suite.start("--infer-update-baselines", "--infer-runs=1")
        line, _ = server.accept()
        with line:
            os.kill(process.pid, signal.SIGINT)
            output, _ = process.communicate(timeout=60)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert b"baselines: nothing saved, the run was broken off" in output
    assert not (suite.path / "baselines").exists()
