"""A worker as its parent has it: a process to start, to hear and to end, so that nothing of it is left."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Listener
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pytest_infer.errors import MeasurementError
from pytest_infer.measure.guard import guard
from pytest_infer.measure.phases import last_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from multiprocessing.connection import Connection

_POLL_S: Final = 0.05
_GOODBYE_S: Final = 10.0
"""How long a worker that has answered may take to tear its session down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Where a worker reaches its parent (the loopback alone) with which secret, and a cache folder of its own."""

    host: str
    port: int
    key: str
    cache_dir: str


class WorkerProcess:
    """A worker that was started. It connects in its own time: the first `receive` waits for that."""

    def __init__(self, process: subprocess.Popen[bytes], listener: Listener, output: str, timeout_s: float) -> None:
        """Speak with `process`, whose output goes to the file `output`; it has `timeout_s` for each message."""
        self.guarded = False
        """Whether it ends with this process even while it is stopped."""
        self._process = process
        self._output = output
        self._timeout_s = timeout_s
        self._connection: Connection[Any, Any] | None = None
        self._accepted: list[Connection[Any, Any]] = []
        self._ended = False
        # At once: a worker waits for it before it does anything else.
        self._accepting = threading.Thread(target=self._accept, args=(listener,), daemon=True)
        self._accepting.start()

    def member(self, pid: int) -> int | None:
        """`pid`, if it may be stopped: it is one of this worker's processes, and ends with this process even then."""
        if not self.guarded:
            return None
        with contextlib.suppress(OSError):
            return pid if os.getpgid(pid) == self._process.pid else None
        return None

    def output(self) -> str:
        """What it has printed so far."""
        with contextlib.suppress(OSError):
            return Path(self._output).read_bytes().decode(errors="replace")
        return ""

    def send(self, content: bytes) -> None:
        """Tell it something; one that is gone hears nothing, and the next `receive` says so."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.send_bytes(content)

    def receive(self) -> bytes:
        """What it says next.

        Raises:
            MeasurementError: it died, hung or never connected; the message says how, with the end of its output.
        """
        deadline = time.monotonic() + self._timeout_s
        connection = self._connection = self._connection or self._connected(deadline)
        while connection is not None and time.monotonic() < deadline:
            if connection.poll(_POLL_S):
                try:
                    return connection.recv_bytes()
                except (EOFError, ConnectionError):  # it died: how, its status says
                    self.wait()
                    break
            if self._process.poll() is not None and not connection.poll(_POLL_S):
                # A process that the target forked may still hold the other end: no end of file tells of the death.
                break
        raise MeasurementError(self._obituary())

    def wait(self) -> None:
        """Let it end by itself for a while."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GOODBYE_S)

    def end(self) -> None:
        """End it, and whatever it started."""
        self._ended = True
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()
        self._process.wait()
        for connection in self._accepted:
            connection.close()

    def _accept(self, listener: Listener) -> None:
        while not (self._accepted or self._ended):
            try:
                self._accepted.append(listener.accept())
            except (AuthenticationError, EOFError, OSError):
                # Others are let go: what a killed pytest left may look for its parent at a port that is ours now.
                time.sleep(_POLL_S)

    def _connected(self, deadline: float) -> Connection[Any, Any] | None:
        """Its connection; None where it died or hung before it made one."""
        while time.monotonic() < deadline:
            self._accepting.join(_POLL_S)
            if self._accepted or self._process.poll() is not None or not self._accepting.is_alive():
                break
        return self._accepted[0] if self._accepted else None  # it may have come since the loop looked

    def _obituary(self) -> str:
        code = self._process.poll()
        if code is None:
            what = f"a worker process did not answer within --infer-timeout={self._timeout_s:g} s and was ended"
        elif code < 0:
            name = signal.Signals(-code).name if -code in list(signal.Signals) else f"signal {-code}"
            memory = "; the kernel kills so when memory runs out" if name == "SIGKILL" else ""
            what = f"a worker process was killed by {name}{memory}"
        else:
            what = f"a worker process ended with exit status {code} before it answered"
        words = last_words(self.output())
        return f"{what}; its output:\n{words}" if words else what


def _untraced(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what lets coverage run in each process that this one starts."""
    return {
        name: value for name, value in environment.items() if not name.startswith(("COV_CORE_", "COVERAGE_PROCESS"))
    }


@contextlib.contextmanager
def worker_process(
    command: list[str],
    job: Callable[[Contact], Any],
    *,
    variable: str,
    environment: Mapping[str, str],
    cwd: Path,
    timeout_s: float,
) -> Iterator[WorkerProcess]:
    """Start a worker, and end it with everything that it started when the body is left.

    Args:
        command: what to start.
        job: what it is started for, made of where it answers; plain values, which go into a file as JSON.
        variable: the environment variable that names the file (a variable itself holds no more than 128 KiB on Linux).
        environment: all the others.
        cwd: where to start it.
        timeout_s: how long it may take for each message.
    """
    with tempfile.TemporaryDirectory(prefix="pytest-infer-", ignore_cleanup_errors=True) as folder:
        key = secrets.token_bytes(16)
        with Listener(("127.0.0.1", 0), authkey=key) as listener, (Path(folder) / "output").open("w+b") as output:
            contact = Contact(
                host=listener.address[0], port=listener.address[1], key=key.hex(), cache_dir=str(Path(folder) / "cache")
            )
            task = Path(folder) / "job.json"
            task.write_bytes(msgspec.json.encode(job(contact)))
            process = subprocess.Popen(  # noqa: S603 - this interpreter, or the one that the user names
                command,
                env={**_untraced(environment), variable: str(task)},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            worker = WorkerProcess(process, listener, output.name, timeout_s)
            try:
                # A worker sees that its parent is gone, but not while it is stopped or hangs in C code; what it started
                # never does.
                with guard('kill -KILL "-$1"; rm -rf -- "$2"', str(process.pid), folder) as worker.guarded:
                    yield worker
            finally:
                worker.end()
