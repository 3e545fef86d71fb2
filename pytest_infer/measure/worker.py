"""The parent's side of a run in a process of its own: start it, hear it out, leave nothing of it behind."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from multiprocessing import AuthenticationError
from multiprocessing.connection import Listener
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from pytest_infer.errors import MeasurementError
from pytest_infer.measure.protocol import PROTOCOL, Answer, Job

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

CACHE_DIR: Final = "{cache_dir}"
"""Stands in the command line for the worker's own cache folder."""

_POLL_S: Final = 0.05
_GOODBYE_S: Final = 10.0
"""How long a worker that has answered may take to tear its session down."""
_CRASH: Final = "Fatal Python error"
_TAIL: Final = 2000
"""Characters of a dead worker's output that its error shows."""


def run_worker(
    target: str, *, args: tuple[str, ...], sys_path: tuple[str, ...], variable: str, cwd: Path, timeout_s: float
) -> Answer:
    """Run one test in a fresh process and give its answer.

    Args:
        target: its node id, the file absolute.
        args: the command line of this pytest.
        sys_path: entries that the worker needs to import what this process can.
        variable: the environment variable that carries the job.
        cwd: where this pytest was started.
        timeout_s: how long the worker may take until it answers.

    Raises:
        MeasurementError: it died, hung or did not understand; the message says how, with the end of its output.
    """
    with tempfile.TemporaryDirectory(prefix="pytest-infer-", ignore_cleanup_errors=True) as folder:
        key = secrets.token_bytes(16)
        with Listener(("127.0.0.1", 0), authkey=key) as listener, (Path(folder) / "output").open("w+b") as output:
            cache_dir = str(Path(folder) / "cache")
            job = Job(
                protocol=PROTOCOL,
                host=listener.address[0],
                port=listener.address[1],
                key=key.hex(),
                target=target,
                args=tuple(arg.replace(CACHE_DIR, cache_dir) for arg in args),
                sys_path=sys_path,
                cache_dir=cache_dir,
            )
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "pytest_infer.measure.child"],
                env={**os.environ, variable: json.dumps(msgspec.to_builtins(job))},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                return _hear(process, listener, timeout_s, output.name)
            finally:
                _end(process)


def _hear(process: subprocess.Popen[bytes], listener: Listener, timeout_s: float, output: str) -> Answer:
    deadline = time.monotonic() + timeout_s
    connection = _accept(process, listener, deadline)
    if connection is None:
        raise MeasurementError(_obituary(process, timeout_s, output))
    with connection:
        while time.monotonic() < deadline:
            if connection.poll(_POLL_S):
                try:
                    content = connection.recv_bytes()
                except (EOFError, ConnectionError):  # it died: how, its status says
                    _wait(process)
                    break
                _wait(process)
                return msgspec.json.decode(content, type=Answer)
            if process.poll() is not None and not connection.poll(_POLL_S):
                # A process that the target forked may still hold the other end: no end of file tells of the death.
                break
    raise MeasurementError(_obituary(process, timeout_s, output))


def _accept(process: subprocess.Popen[bytes], listener: Listener, deadline: float) -> Connection | None:
    """The worker's connection; None where it died or hung before it made one."""
    import threading

    box: list[Connection] = []

    def accept() -> None:
        with contextlib.suppress(OSError, EOFError, AuthenticationError):
            box.append(listener.accept())

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    while time.monotonic() < deadline:
        thread.join(_POLL_S)
        if box:
            return box[0]
        if process.poll() is not None or not thread.is_alive():
            break
    return None


def _obituary(process: subprocess.Popen[bytes], timeout_s: float, output: str) -> str:
    code = process.poll()
    if code is None:
        what = f"a worker process did not answer within --infer-timeout={timeout_s:g} s and was ended"
    elif code < 0:
        name = signal.Signals(-code).name if -code in list(signal.Signals) else f"signal {-code}"
        memory = "; the kernel kills so when memory runs out" if name == "SIGKILL" else ""
        what = f"a worker process was killed by {name}{memory}"
    else:
        what = f"a worker process ended with exit status {code} before it answered"
    with contextlib.suppress(OSError):
        said = Path(output).read_bytes().decode(errors="replace").strip()
        # A crash's own report begins with where it happened; of anything else the end says most.
        begin = said.find(_CRASH)
        if part := said[begin : begin + _TAIL] if begin >= 0 else said[-_TAIL:]:
            what += f"; its output:\n{part}"
    return what


def _wait(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GOODBYE_S)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the worker and whatever it started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
