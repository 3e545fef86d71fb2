"""Runs that were measured elsewhere join a baseline: a session that is there already is not added again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_infer.baselines.merge import united
from pytest_infer.baselines.schema import SCHEMA, BaselineFile, BaselineRun, Entry, Session, sessions_of

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Runs of one session that are to join one entry of a module's file.

    Attributes:
        device: what the file is to say of its device, should there be none yet; its slug is under `slug`.
        module: the test module.
        key: the entry.
        workload: what was measured.
        runs: of one session.
        session: what is known of that session.
        anew: the entry begins with these runs: what was accepted in earlier sessions goes.
    """

    device: dict[str, str | int | float]
    module: str
    key: str
    workload: dict[str, Any]
    runs: tuple[BaselineRun, ...]
    session: Session
    anew: bool = False


def accepted(file: BaselineFile | None, proposals: Sequence[Proposal]) -> BaselineFile:
    """The file with the proposals in it: the same in whatever order and however often they come.

    Args:
        file: what is stored of the module on the device; None for nothing.
        proposals: of that module and device, at least one.
    """
    if file is None:
        file = BaselineFile(schema=SCHEMA, device=proposals[0].device)
    entries, sessions = dict(file.entries), dict(file.sessions)
    for proposal in sorted(proposals, key=lambda one: (one.runs[0].session, one.key)):
        entry = entries.get(proposal.key, Entry(workload=proposal.workload))
        begun = proposal.runs[0].session
        if proposal.anew and begun not in {run.session for run in entry.runs}:
            entry = Entry(workload=entry.workload, runs=tuple(run for run in entry.runs if run.session > begun))
        entries[proposal.key] = united(entry, Entry(workload=entry.workload, runs=proposal.runs))
        sessions.setdefault(begun, proposal.session)
    return BaselineFile(
        schema=SCHEMA,
        device=file.device,
        sessions=sessions_of(entries, sessions),
        entries=entries,
    )
