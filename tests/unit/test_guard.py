"""What is done behind a process, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_infer.measure.guard import guard

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif("sys.platform == 'win32'", reason="a POSIX shell")

KILLED = """
import os
import signal
import sys

from pytest_infer.measure.guard import guard

with guard('rm -- "$1"; cat "$2"', *sys.argv[1:]):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_when_the_body_is_left(tmp_path: Path) -> None:
    """Done before the next line runs, with the arguments as they are."""
    path = tmp_path / 'it\'s "$HOME" here'
    path.touch()
    with guard('rm -- "$1"', str(path)) as there:
        assert there
        assert path.exists()
    assert not path.exists()


def test_when_the_process_is_killed(tmp_path: Path) -> None:
    """`kill -9` leaves it no chance, and it is done all the same."""
    path, pipe = tmp_path / "left", tmp_path / "pipe"
    path.touch()
    os.mkfifo(pipe)
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(pipe)], check=False)
    assert done.returncode == -signal.SIGKILL
    with pipe.open("w"):  # the guard reads it behind its work
        assert not path.exists()


def test_nobody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no shell that is told: nothing may lean on it."""

    def none(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "Popen", none)
    with guard("true") as there:
        assert not there
