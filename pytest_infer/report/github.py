"""GitHub Actions: annotations on the tests' lines, and the step's summary."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_infer.report import unjudged
from pytest_infer.report.escaping import command_message, command_property, printable
from pytest_infer.report.failure import headline, particulars
from pytest_infer.report.markdown import markdown
from pytest_infer.report.rows import by_severity, device_named
from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_infer.result import Result, RunReport

ANNOTATIONS: Final = 10
"""Of each kind, that GitHub shows of one step."""
SUMMARY: Final = 2**20
"""Bytes that all summaries of one step may have together; with more, GitHub shows none of them."""
_LEAST: Final = 4_000
"""Bytes below which a summary says too little to be begun."""
_DOUBTS: Final = frozenset({Outcome.INCONCLUSIVE, Outcome.INVALID})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The step of a workflow that this run is a part of.

    Attributes:
        workspace: the checkout's folder, which paths in annotations are relative to.
        summary: the file that takes the step's summary.
    """

    workspace: Path | None = None
    summary: Path | None = None


def step_of(environment: Mapping[str, str]) -> Step | None:
    """The step that these environment variables tell of; None elsewhere."""
    if environment.get("GITHUB_ACTIONS") != "true":
        return None
    workspace, summary = (environment.get(name) for name in ("GITHUB_WORKSPACE", "GITHUB_STEP_SUMMARY"))
    return Step(workspace=Path(workspace) if workspace else None, summary=Path(summary) if summary else None)


def commands(report: RunReport, root: Path, workspace: Path | None, *, failures: bool = True) -> list[str]:
    """Workflow commands: an error for what fails, a warning for what can't be told; the worst first, as many as show.

    Args:
        report: the finished session.
        root: pytest's rootdir.
        workspace: the checkout's folder.
        failures: whether failures are to be told; another plugin may do it.
    """
    failed, doubtful = _both(report)

    def of(result: Result) -> tuple[str, str, Sequence[tuple[str, str]]]:
        lines = [line.removeprefix("  ") for line in particulars(result, device_named(result, report))]
        return headline(result), "\n".join(lines), _place(result.location, root, workspace)

    errors = ((unjudged.headline(e), unjudged.told(e), _place(e.location, root, workspace)) for e in report.errors)
    failing = itertools.islice(itertools.chain(map(of, failed), errors), ANNOTATIONS if failures else 0)
    return [
        *(_command("error", *told) for told in failing),
        *(_command("warning", *of(result)) for result in doubtful[:ANNOTATIONS]),
    ]


def summarise(report: RunReport, path: Path) -> str | None:
    """Add the report to the step's summary; why it could not be, or None.

    A summary is no reason to fail a run.
    """
    try:
        before = path.stat().st_size if path.exists() else 0
        limit = SUMMARY - before - 1
        if limit < _LEAST:
            return f"the step's summary is full ({before} bytes of {SUMMARY}): {path}"
        with path.open("ab") as file:
            file.write(b"\n" * bool(before) + markdown(report, limit=limit, footnote=_beyond(report)).encode())
    except OSError as error:
        return f"the step's summary could not be written to {path}: {error.strerror}"
    return None


def _both(report: RunReport) -> tuple[list[Result], list[Result]]:
    ordered = by_severity(report.results)
    return [r for r in ordered if r.failed], [r for r in ordered if not r.failed and r.outcome in _DOUBTS]


def _beyond(report: RunReport) -> str:
    """That GitHub does not show all on the tests' lines."""
    failed, doubtful = map(len, _both(report))
    told = [
        f"{ANNOTATIONS} of {count} {what}"
        for what, count in (("failures", failed + len(report.errors)), ("doubtful results", doubtful))
        if count > ANNOTATIONS
    ]
    return f"On the tests' lines GitHub shows {' and '.join(told)}, the worst ones." if told else ""


def _command(kind: str, title: str, message: str, place: Sequence[tuple[str, str]]) -> str:
    told = ",".join(f"{name}={command_property(value)}" for name, value in (*place, ("title", printable(title))))
    return f"::{kind} {told}::{command_message(message)}"


def _place(location: tuple[str, int] | None, root: Path, workspace: Path | None) -> Sequence[tuple[str, str]]:
    """File and line, if the file is in the checkout."""
    if location is None:
        return ()
    file, line = location
    path = (root / file).resolve()
    inside = (workspace or root).resolve()
    if not path.is_relative_to(inside):
        return ()
    return ("file", path.relative_to(inside).as_posix()), ("line", str(line))
