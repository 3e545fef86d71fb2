"""One side while it runs, as the parent has it."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
from typing import TYPE_CHECKING, Final

import msgspec

from pytest_infer.against import boot
from pytest_infer.against.protocol import Done, Ran, Ready, Run, SideJob, Stop, Warm
from pytest_infer.config import SIDE_VARIABLE
from pytest_infer.errors import MeasurementError
from pytest_infer.measure.process import Contact, WorkerProcess, worker_process
from pytest_infer.measure.protocol import Answer
from pytest_infer.measure.worker import job_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.against.side import Side
    from pytest_infer.measure.worker import Launch

_PADDING: Final = 4096
"""Bytes that a process's environment is longer by, at most."""


class SideLostError(Exception):
    """A side died or hung; where it stands says how."""


class RunningSide:
    """A side's process: it builds and stands ready in its own time, and then runs only when told."""

    def __init__(self, process: WorkerProcess) -> None:
        """Speak with `process`."""
        self._process = process
        self._stoppable: int | None = None
        self.at: Ready | Done | None = None
        """Where it stands: at a measurement, or behind its test."""

    def advance(self) -> None:
        """Leave the measurement that it stands at, and go on to the next one or to the end of the test."""
        self._continue()
        if isinstance(self.at, Ready):
            self._process.send(msgspec.json.encode(Stop()))
        self.at = None

    def arrive(self) -> Ready | Done:
        """Wait until it has got there; from then on it holds still.

        Raises:
            SideLostError: it died or hung.
        """
        self.at = msgspec.json.decode(self._heard(), type=Ready | Done)
        if isinstance(self.at, Ready):
            self._stoppable = self._process.member(self.at.pid)
            self._hold()
        return self.at

    def warm_up(self) -> float:
        """Warm up; the median of the last calls, ns.

        Raises:
            SideLostError: it died or hung.
        """
        return self._ran(Warm())

    def run(self, iterations: int) -> float:
        """Run one block; the median of its calls, ns.

        Raises:
            SideLostError: it died or hung.
        """
        return self._ran(Run(iterations=iterations))

    def finish(self) -> Done:
        """Let its test go on to the end, past what it would still measure, and its process end by itself for a while.

        Its fixtures are torn down so: other processes may live on what they hold.
        """
        while not isinstance(self.at, Done):
            self.advance()
            with contextlib.suppress(SideLostError):
                self.arrive()
        self._process.wait()
        return self.at

    def _ran(self, told: Warm | Run) -> float:
        self._continue()
        self._process.send(msgspec.json.encode(told))
        ran = msgspec.json.decode(self._heard(), type=Ran)
        self._hold()
        return ran.median_ns

    def _heard(self) -> bytes:
        try:
            return self._process.receive()
        except MeasurementError as error:
            self.at = Done(answer=Answer(outcome="failed", message=str(error)))
            raise SideLostError from None

    # A process that waits may still spin: OpenMP's threads do so for up to 200 ms after their last work.

    def _hold(self) -> None:
        if self._stoppable is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._stoppable, signal.SIGSTOP)

    def _continue(self) -> None:
        if self._stoppable is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._stoppable, signal.SIGCONT)


@contextlib.contextmanager
def running_side(
    side: Side, launch: Launch, target: str, *, timeout_s: float, first: bool = False
) -> Iterator[RunningSide]:
    """Start `side` on its one test `target` (a node id, the file absolute); it ends when the body is left.

    Args:
        side: which one.
        launch: how this session was started.
        target: what to run.
        timeout_s: how long it may take for each message.
        first: whether this is the comparison's first round.
    """

    def job(contact: Contact) -> SideJob:
        path, _, test = target.partition("::")
        args = side.arguments(launch.args, launch.cwd)
        return SideJob(
            job=job_of(contact, f"{side.path(path)}::{test}", args, ()),
            paths=side.paths(launch.sys_path),
            first=first,
        )

    environment = side.environment(os.environ, launch.sys_path)
    # The size of the environment shifts the stack, and so speed (Mytkowicz et al. 2009, "Producing wrong data without
    # doing anything obviously wrong!"). The sides' paths differ in length: let that be noise of rounds, not a bias.
    environment["PYTEST_INFER_PADDING"] = "x" * secrets.randbelow(_PADDING)  # not `random`: its state is the user's
    with worker_process(
        [side.python, "-P", boot.__file__],
        job,
        variable=SIDE_VARIABLE,
        environment=environment,
        cwd=side.folder(launch.cwd),
        timeout_s=timeout_s,
    ) as process:
        yield RunningSide(process)
