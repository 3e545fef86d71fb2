"""The worker's side: run pytest on one test, and answer. Started as `python -P -m pytest_infer.measure.child`."""

from __future__ import annotations

import json
import os
import sys
import threading
from multiprocessing.connection import Client
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_infer.measure.protocol import PROTOCOL, Answer, Job

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


class Line:
    """The connection to the parent. When the parent goes, so does this process."""

    def __init__(self, job: Job) -> None:
        """Connect, and watch."""
        self._connection: Connection[Any, Any] = Client((job.host, job.port), authkey=bytes.fromhex(job.key))
        if hasattr(os, "register_at_fork"):  # a copy of this process that its test forks has no part in it
            os.register_at_fork(after_in_child=self._connection.close)
        threading.Thread(target=self._watch, daemon=True).start()

    def answer(self, answer: Answer) -> None:
        """Tell how the test ended; a forked copy of this process tells nothing."""
        if not self._connection.closed:
            self._connection.send_bytes(msgspec.json.encode(answer))

    def _watch(self) -> None:
        try:
            self._connection.recv_bytes()
        except (EOFError, OSError):
            os._exit(1)


def read_job(path: str) -> Job:
    """The job in the file that the environment names.

    Raises:
        SystemExit: the parent is another version of pytest-infer.
    """
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    if content.get("protocol") != PROTOCOL:
        raise SystemExit(f"pytest-infer: the parent speaks protocol {content.get('protocol')}, this worker {PROTOCOL}")
    return msgspec.convert(content, Job)


def main(variable: str = "PYTEST_INFER_WORKER") -> None:
    """Run pytest with the parent's command line; the plugin bends it to the one test."""
    job = read_job(os.environ[variable])
    sys.path[:0] = [entry for entry in job.sys_path if entry not in sys.path]
    sys.argv[0] = "pytest"
    from importlib import import_module

    raise SystemExit(import_module("pytest").main(list(job.args)))


if __name__ == "__main__":
    main()
