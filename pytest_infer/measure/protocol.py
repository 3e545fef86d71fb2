"""What a worker process and its parent say to each other: JSON over a local connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pytest_infer.measurement import Measurement

PROTOCOL: Final = 3
"""Raised with every change of these messages; two sides that don't agree say so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a worker is started for (in its environment, as JSON).

    Attributes:
        host, port, key: where to answer (the loopback alone), and the secret that lets it.
        target: the test's file and the rest of its node id.
        args: the parent's own command line: the worker reads it whole, then is bent to its one test.
        sys_path: the parent's.
        cache_dir: pytest's cache of this worker.
    """

    protocol: int
    host: str
    port: int
    key: str
    target: str
    args: tuple[str, ...]
    sys_path: tuple[str, ...]
    cache_dir: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a worker's test ended.

    Attributes:
        outcome: `passed`, `failed`, `skipped` or `xfailed`; what failed, or why it was to be so, is the `message`.
        measurements: what was measured, when it passed.
        said: what the test's body printed and logged: `stdout`, `stderr`, `log`.
    """

    outcome: str
    message: str = ""
    measurements: tuple[Measurement, ...] = ()
    said: dict[str, str] = field(default_factory=dict)
