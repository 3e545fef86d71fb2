"""The JSON report: one schema to write it and to read it back. History of `schema`: 1 - the first.

What is only added keeps the number; a reader takes what it knows. The JSON Schema of it is `schema/report-1.json`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pytest_infer.errors import UsageError
from pytest_infer.measurement import Samples
from pytest_infer.result import AcceptedRun
from pytest_infer.verdict import Change, Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_infer.measurement import Measurement
    from pytest_infer.result import Result, RunReport

SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRun:
    """One run of a recording, in a process of its own: what a baseline keeps of it."""

    metrics: dict[str, float]
    samples: Samples | None = None
    model_digest: str | None = None
    contention: dict[str, float] = field(default_factory=dict)
    device_state: dict[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonResult:
    """One measurement. `change` is the gated metric that says most, `changes` are all of them.

    `recorded` holds the runs of a recording, for a baseline to be made of; without one the figures are of one run.
    `history` and `rounds` are what a picture of the comparison needs, see `Result`.
    """

    nodeid: str
    name: str
    outcome: Outcome
    failed: bool
    workload: dict[str, Any]
    digest: str
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    samples: Samples | None
    accuracy: dict[str, float]
    change: Change | None
    changes: tuple[Change, ...]
    reasons: tuple[str, ...]
    differs: tuple[str, ...]
    facts: dict[str, Any]
    model_digest: str | None
    device: str = ""
    device_state: dict[str, str | int | float] = field(default_factory=dict)
    contention: dict[str, float] = field(default_factory=dict)
    recorded: tuple[RecordedRun, ...] = ()
    accuracy_notes: tuple[str, ...] = ()
    against: str | None = None
    history: tuple[AcceptedRun, ...] = ()
    rounds: dict[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonError:
    """A test that failed without a verdict: in its `phase`, with the first line of what happened."""

    nodeid: str
    phase: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonReport:
    """One session of pytest; see `RunReport` for what its fields mean."""

    schema: int
    started: str
    device: dict[str, str | int | float]
    environment: dict[str, str]
    notes: tuple[str, ...]
    results: tuple[JsonResult, ...]
    session: str = ""
    devices: tuple[dict[str, str | int | float], ...] = ()
    update: str | None = None
    update_reason: str | None = None
    multiplied: bool = False
    errors: tuple[JsonError, ...] = ()


def encode(report: RunReport) -> bytes:
    """The report's text, indented."""
    return msgspec.json.format(msgspec.json.encode(content_of(report)), indent=1) + b"\n"


def content_of(report: RunReport) -> JsonReport:
    """The finished run as the report's structure."""
    return JsonReport(
        schema=SCHEMA,
        started=report.started,
        device=report.device,
        environment=report.environment,
        notes=report.notes,
        results=tuple(_result(result) for result in report.results),
        session=report.session,
        devices=report.devices,
        update=report.update,
        update_reason=report.update_reason,
        multiplied=report.multiplied,
        errors=tuple(JsonError(nodeid=e.nodeid, phase=e.phase, message=e.message) for e in report.errors),
    )


def read(path: Path) -> JsonReport:
    """Read a report back.

    Raises:
        UsageError: it is none, or a newer pytest-infer wrote it.
    """
    try:
        content = msgspec.json.decode(path.read_bytes())
        schema = content.get("schema") if isinstance(content, dict) else None
        if isinstance(schema, int) and schema > SCHEMA:
            raise UsageError(f"{path} has schema {schema}; this pytest-infer reads up to {SCHEMA}: upgrade it")
        return msgspec.convert(content, JsonReport)
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no report of pytest-infer: {error}") from None


def _finite(figures: dict[str, float]) -> dict[str, float]:
    """JSON has no word for infinity."""
    return {name: value for name, value in figures.items() if math.isfinite(value)}


def _result(result: Result) -> JsonResult:
    m = result.measurement
    worst = max(result.changes, key=lambda c: (c.regressed, c.suspected, c.estimate), default=None)
    return JsonResult(
        nodeid=result.nodeid,
        name=m.name,
        outcome=result.outcome,
        failed=result.failed,
        workload=m.workload,
        digest=m.digest,
        metrics=_finite(m.metrics),
        intervals=m.intervals,
        samples=m.samples,
        accuracy=_finite(m.accuracy),
        change=worst,
        changes=result.changes,
        reasons=(*result.reasons, *result.cleared),
        differs=result.differs,
        facts=m.facts,
        model_digest=m.model_digest,
        device=m.device,
        device_state=m.device_state,
        contention=m.contention,
        recorded=tuple(_recorded(run) for run in result.recorded),
        accuracy_notes=m.accuracy_notes,
        against=result.against,
        history=result.history,
        rounds=result.rounds,
    )


def _recorded(run: Measurement) -> RecordedRun:
    return RecordedRun(
        metrics=_finite(run.metrics),
        samples=run.samples,
        model_digest=run.model_digest,
        contention=run.contention,
        device_state=run.device_state,
    )
