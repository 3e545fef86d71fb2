"""What is done behind a process, however it ends."""

from __future__ import annotations

import contextlib
import os
import select
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

with guard('rm -- "$1"; echo done > "$2"', *sys.argv[1:]):
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
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(pipe)], check=False)
    assert done.returncode == -signal.SIGKILL
    try:
        assert select.select([reader], [], [], 60)[0], "the guard writes into it behind its work"
        assert not path.exists()
    finally:
        os.close(reader)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_forked_copies_neither_trigger_it_nor_hold_it_up(tmp_path: Path) -> None:
    """A copy of the process that leaves the body does nothing; one that lives on with its line in hand is fine."""
    path = tmp_path / "left"
    path.touch()
    leaving = contextlib.ExitStack()
    leaving.enter_context(guard('rm -- "$1"', str(path)))
    if (copy := os.fork()) == 0:
        try:
            leaving.close()
        finally:
            os._exit(0)
    os.waitpid(copy, 0)
    assert path.exists()
    if (copy := os.fork()) == 0:
        signal.pause()
    try:
        leaving.close()
        assert not path.exists()
    finally:
        os.kill(copy, signal.SIGKILL)
        os.waitpid(copy, 0)


def test_nobody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no shell that is told: nothing may lean on it."""

    def none(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "Popen", none)
    with guard("true") as there:
        assert not there
