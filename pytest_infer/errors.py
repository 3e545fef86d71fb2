"""Everything that can go wrong and is not a verdict.

InferError
├── UsageError               a marker, an option or an input that can't be right
├── MissingDependencyError   an optional package that is not installed
├── EngineBuildError         a model that could not be built or loaded
├── PrecisionError           an engine that is not what was asked for
│   └── PrecisionRefusedError   a precision that the device can't compute in
├── MeasurementError         a target or a worker that failed while it was measured
├── SkippedInWorkerError     a test that skipped itself in its worker
├── XFailedInWorkerError     a test that failed in its worker, as was expected
├── DeviceError              a device that is not there or can't be used
└── BaselineError            a store that can't be read or written
    ├── BaselineNotFoundError
    ├── BaselineCorruptError
    └── BaselineSchemaError

Each message says what happened, where, and what to do next. A verdict (slower, over budget, inaccurate) is no
exception: the plugin turns it into a test failure.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


class InferError(Exception):
    """Root of all errors raised on purpose by pytest-infer.

    Attributes:
        skips: whether a test that meets it is skipped with it as the reason, not failed.
    """

    skips = False


class UsageError(InferError):
    """A marker, an option or an input that can't be right."""


class MissingDependencyError(InferError):
    """An optional package is not installed; the message names the extra that brings it."""

    def __init__(self, package: str, extra: str, wanted_by: str) -> None:
        """Name the missing `package`, the `extra` that installs it, and what wanted it."""
        super().__init__(
            f"{wanted_by} needs the package {package!r}, which is not installed: pip install 'pytest-infer[{extra}]'"
        )


class EngineBuildError(InferError):
    """A model could not be converted, built or loaded."""


class PrecisionError(InferError):
    """An engine is not what was asked for; timing it would put one thing's number under another's name."""


class PrecisionRefusedError(PrecisionError):
    """A backend can't compute in that precision on that device: the test is skipped, nothing runs in its name."""

    skips = True


class MeasurementError(InferError):
    """A target or a worker process failed while it was measured."""


class SkippedInWorkerError(InferError):
    """The test skipped itself in its worker."""

    skips = True


class XFailedInWorkerError(InferError):
    """The test failed in its worker, as was expected."""


class DeviceError(InferError):
    """A device is not there or can't be used."""


class BaselineError(InferError):
    """A baseline store can't be read or written."""


class BaselineNotFoundError(BaselineError):
    """A baseline that was asked for does not exist."""


class BaselineCorruptError(BaselineError):
    """A baseline file does not hold what its schema promises; it is never overwritten."""


class BaselineSchemaError(BaselineError):
    """A baseline file was written by a newer pytest-infer."""


def telling_line(message: str) -> str:
    """The line that says most of what pytest or a dead process told; pytest begins those of an error with an E."""
    lines = [line for line in message.splitlines() if line.strip()] or [""]
    if lines[0].endswith("its output:"):  # a process that died before it could say anything itself
        telling = next((line for line in reversed(lines[1:]) if "rror" in line), lines[-1])
        return f"{lines[0]} {telling.strip()}"
    return next((line for line in lines if line.startswith("E ")), lines[0]).removeprefix("E ").strip()


def from_process(message: str) -> str:
    """What a test's own process told of its failure: the line that says most of it first, where there are several."""
    line = telling_line(message)
    told = f"{line} (in a process of its own)"
    return told if message.strip() == line else f"{told}\n{message}"


def users_part(error: Exception) -> TracebackType | None:
    """The traceback from the user's first frame to the last: our own around them are no news, but for a bug of ours."""
    package = str(Path(__file__).parent)
    frames, frame = [], error.__traceback__
    while frame is not None:
        frames.append((frame, frame.tb_frame.f_code.co_filename.startswith(package)))
        frame = frame.tb_next
    theirs = [frame for frame, ours in frames if not ours]
    if not theirs or (frames[-1][1] and not isinstance(error, InferError)):
        return error.__traceback__
    theirs[-1].tb_next = None
    return theirs[0]
