"""What is done behind a process, however it ends."""

from __future__ import annotations

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

FORKED = """
import contextlib
import os
import signal
import sys

from pytest_infer.measure.guard import guard

leaving = contextlib.ExitStack()
leaving.enter_context(guard('rm -- "$1"', sys.argv[1]))
if os.fork() == 0:
    leaving.close()
    os._exit(0)
os.wait()
assert os.path.exists(sys.argv[1])
if (copy := os.fork()) == 0:
    signal.alarm(60)
    signal.pause()
leaving.close()
assert not os.path.exists(sys.argv[1])
os.kill(copy, signal.SIGKILL)
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


def test_forked_copies_neither_trigger_it_nor_hold_it_up(tmp_path: Path) -> None:
    """A copy of the process that leaves the body does nothing; one that lives on with its line in hand is fine."""
    path = tmp_path / "left"
    path.touch()
    subprocess.run([sys.executable, "-c", FORKED, str(path)], check=True, timeout=60)
    assert not path.exists()
