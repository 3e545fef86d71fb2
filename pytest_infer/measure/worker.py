"""The parent's side of a run in a process of its own: start it, and hear it out."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import msgspec

from pytest_infer.measure.phases import by_phase
from pytest_infer.measure.process import Contact, worker_process
from pytest_infer.measure.protocol import PROTOCOL, Answer, Job

if TYPE_CHECKING:
    from pathlib import Path

CACHE_DIR: Final = "{cache_dir}"
"""Stands in the command line for the worker's own cache folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How this session was started: what a worker needs to be started alike.

    Attributes:
        args: its command line.
        cwd: where it was started.
        sys_path: its own.
    """

    args: tuple[str, ...]
    cwd: Path
    sys_path: tuple[str, ...]


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
    with worker_process(
        [sys.executable, "-P", "-m", "pytest_infer.measure.child"],
        lambda contact: job_of(contact, target, args, sys_path),
        variable=variable,
        environment=os.environ,
        cwd=cwd,
        timeout_s=timeout_s,
    ) as worker:
        content = worker.receive()
        worker.wait()
        shown = by_phase(worker.output()).get("call", "")
    answer = msgspec.json.decode(content, type=Answer)
    # Under -s nothing is captured there: what the body printed stands in the worker's output.
    return replace(answer, said={**answer.said, "stdout": answer.said.get("stdout", "") + shown})


def job_of(contact: Contact, target: str, args: tuple[str, ...], sys_path: tuple[str, ...]) -> Job:
    """What a worker is started for, see `run_worker`."""
    return Job(
        protocol=PROTOCOL,
        host=contact.host,
        port=contact.port,
        key=contact.key,
        target=target,
        args=tuple(arg.replace(CACHE_DIR, contact.cache_dir) for arg in args),
        sys_path=sys_path,
        cache_dir=contact.cache_dir,
    )
