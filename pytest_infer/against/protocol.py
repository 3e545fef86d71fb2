"""What the two sides of an A/B comparison and their parent say to each other: JSON over a local connection.

A side collects its one test and runs it up to the point of measurement. There it says `Ready`, and then does what it
is told: `Warm`, any number of `Run`, `Stop`. It answers the first two with `Ran`. After `Stop` the test goes on, maybe
to its next measurement; when it is over, the side says `Done`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from pytest_infer.measure import protocol
from pytest_infer.measure.protocol import Answer, Job

PROTOCOL: Final = f"4.{protocol.PROTOCOL}"
"""Raised with every change of these messages, or of the answers in them; two sides that don't agree say so at once."""

ABSENT: Final = "absent"
INACCURATE: Final = "inaccurate"
"""Outcomes beside those of `Answer`: the side has no such test; its outputs break the test's own accuracy budgets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Where a side imports from.

    Attributes:
        search: the whole of `sys.path`; None: the interpreter's own, behind `first`.
        first: what comes before the interpreter's own.
        base, moved: the user's checkout, and what stands for it on this side; empty where nothing moves.
        kept: folders inside `base` that don't move: environments, links, what git ignores.
        copies: what stands for no side: installed copies of packages of the checkout, what git ignores.
    """

    search: tuple[str, ...] | None = None
    first: tuple[str, ...] = ()
    base: str = ""
    moved: str = ""
    kept: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SideJob:
    """What a side is started for (in its environment, as JSON); `first`: of a comparison's rounds this is the first."""

    job: Job
    paths: Paths
    first: bool


class Warm(msgspec.Struct, frozen=True, kw_only=True, tag="warm"):
    """Warm up, bounded."""


class Run(msgspec.Struct, frozen=True, kw_only=True, tag="run"):
    """Run one block of this many iterations."""

    iterations: int


class Stop(msgspec.Struct, frozen=True, kw_only=True, tag="stop"):
    """That was all: go on with the test."""


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """A side stands at a point of measurement.

    Attributes:
        name: which of the test's measurements this is; empty for the engine of the marker.
        workload: its identity in plain values.
        model_digest: content of the model, where there is a file.
        environment: versions and the like, see `device.environment`.
        pid: the process that it is, which a wrapper around its interpreter is not.
    """

    name: str
    workload: dict[str, Any]
    model_digest: str | None
    environment: dict[str, str]
    pid: int = 0


class Ran(msgspec.Struct, frozen=True, kw_only=True, tag="ran"):
    """What a call took in a warm-up or a block, in the median."""

    median_ns: float


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """The test is over.

    Attributes:
        answer: how it ended.
        strays: modules that came from the user's checkout although this side stands for another one.
    """

    answer: Answer
    strays: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction:
    """What an interpreter says of itself before anything is compared (`boot.py`); None for what it has not.

    `trouble` is why it has none; older versions, whose protocols are numbers, don't say.
    """

    python: str
    version: str | None
    protocol: str | int | None
    trouble: str | None = None
