"""A worker as its parent has it: who is heard, and who may be stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from multiprocessing import Pipe
from typing import TYPE_CHECKING, cast
from unittest.mock import Mock

import pytest

from pytest_infer.measure.process import Contact, WorkerProcess, worker_process

if TYPE_CHECKING:
    from pathlib import Path

SAYS_HELLO = """
import json
import os
from multiprocessing.connection import Client

contact = json.loads(open(os.environ["CONTACT"]).read())
Client((contact["host"], contact["port"]), authkey=bytes.fromhex(contact["key"])).send_bytes(b"hello")
"""


@pytest.mark.parametrize(
    "said", [b"", b"\0\0\0\5wrong", b"GET / HTTP/1.1\r\n\r\n"], ids=["goes", "with another key", "a browser"]
)
def test_a_stranger_is_let_go(tmp_path: Path, said: bytes) -> None:
    """Whoever comes to the port before the worker: it is the worker that is heard."""

    def job(contact: Contact) -> Contact:
        with socket.create_connection((contact.host, contact.port)) as stranger:
            stranger.sendall(said)
        return contact

    with worker_process(
        [sys.executable, "-c", SAYS_HELLO], job,
        variable="CONTACT", environment=os.environ, cwd=tmp_path, timeout_s=60,
    ) as worker:  # fmt: skip
        assert worker.receive() == b"hello"


def test_a_worker_that_comes_between_two_looks_is_heard() -> None:
    """It was not there yet, then its process is asked for; it has come meanwhile, and nobody waits for it any more."""
    ours, theirs = Pipe()
    theirs.send_bytes(b"hello")
    come = threading.Event()

    def accept() -> object:
        come.wait(60)
        return ours

    def poll() -> None:
        come.set()
        worker._accepting.join(60)

    process = Mock(poll=poll)
    worker = WorkerProcess(process, Mock(accept=accept), os.devnull, timeout_s=60)
    assert worker.receive() == b"hello"


@pytest.mark.skipif("sys.platform == 'win32'", reason="a POSIX shell")
def test_only_a_workers_own_processes_may_be_stopped() -> None:
    """Also behind a wrapper that is no Python; none where nobody would end them, and never a stranger's."""
    command = ["/bin/sh", "-c", "tail -f /dev/null & echo $!; wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as wrapper:
        assert wrapper.stdout is not None
        try:
            child = int(wrapper.stdout.readline())
            worker = WorkerProcess(cast("subprocess.Popen[bytes]", wrapper), Mock(), os.devnull, timeout_s=1)
            for guarded in (False, True):
                worker.guarded = guarded
                assert worker.member(child) == (child if guarded else None)
                assert worker.member(os.getpid()) is None
                assert worker.member(0) is None
        finally:
            os.killpg(wrapper.pid, signal.SIGKILL)
