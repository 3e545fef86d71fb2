"""What is done behind a process, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, cast
from unittest.mock import Mock

import pytest

from pytest_infer.measure.guard import guard
from pytest_infer.measure.process import WorkerProcess

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


def test_only_a_workers_own_processes_may_be_stopped() -> None:
    """Also behind a wrapper that is no Python; none where nobody would end them, and never a stranger's."""
    command = ["/bin/sh", "-c", "tail -f /dev/null & echo $!; wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as wrapper:
        assert wrapper.stdout is not None
        child = int(wrapper.stdout.readline())
        nobody_calls = Mock(accept=Mock(side_effect=OSError))
        worker = WorkerProcess(cast("subprocess.Popen[bytes]", wrapper), nobody_calls, os.devnull, timeout_s=1)
        for guarded in (False, True):
            worker.guarded = guarded
            assert worker.member(child) == (child if guarded else None)
            assert worker.member(os.getpid()) is None
            assert worker.member(0) is None
        os.killpg(wrapper.pid, signal.SIGKILL)
