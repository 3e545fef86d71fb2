"""Reports as baselines: the runs that a report holds, as a store keeps them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from pytest_infer.baselines.accept import Proposal
from pytest_infer.baselines.schema import Session, accepted_runs, entry_key
from pytest_infer.errors import UsageError
from pytest_infer.report.json_report import RecordedRun, read
from pytest_infer.several_gpus import without_gpu
from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_infer.baselines.store import BaselineStore
    from pytest_infer.report.json_report import JsonReport, JsonResult

_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9.-]*")
_SESSION: Final = re.compile(r"\d{8}T\d{6}[\w.-]*")
_NEVER: Final = frozenset({Outcome.INVALID, Outcome.INACCURATE, Outcome.OVER_BUDGET})
SCREENING: Final = "one run in the suite's own process"
"""What is kept as the reason of a session that was no recording."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A result that is not accepted, and why."""

    nodeid: str
    name: str
    why: str


def test_of(report: JsonReport, result: JsonResult) -> tuple[str, str]:
    """The module and the test within it, as baselines know them."""
    module, _, test = (without_gpu(result.nodeid) if report.multiplied else result.nodeid).partition("::")
    return module, test


def device_of(report: JsonReport, result: JsonResult) -> str:
    """The slug of the device that a result was measured on."""
    return result.device or str(report.device.get("slug", ""))


def runs_of(result: JsonResult) -> tuple[RecordedRun, ...]:
    """The runs of a recording, or the one run that there is."""
    alone = RecordedRun(
        metrics=result.metrics,
        samples=result.samples,
        model_digest=result.model_digest,
        contention=result.contention,
        device_state=result.device_state,
    )
    return result.recorded or (alone,)


def session_of(report: JsonReport, path: Path) -> str:
    """The session's id: the report's own; of one without, made of when it began and of what it holds.

    Raises:
        UsageError: it does not say when it began.
    """
    if _SESSION.fullmatch(report.session):
        return report.session
    try:
        began = datetime.fromisoformat(report.started)
    except ValueError:
        raise UsageError(f"{path} does not say when it was made (started: {report.started!r})") from None
    return f"{began:%Y%m%dT%H%M%S}-{hashlib.sha256(path.read_bytes()).hexdigest()[:4]}"


def proposals_of(
    path: Path, store: BaselineStore, *, force: bool, reason: str | None
) -> tuple[list[Proposal], list[Refusal]]:
    """What a report offers a store, and what of it is refused.

    A recording (`--infer-update-baselines`) offers the runs that it recorded, in processes of their own. Any other
    session offers the one run that it has of each test, and the store keeps that it was no recording. Refused as by a
    recording: what is invalid, inaccurate, over budget, inconclusive (but where all begins anew), or regressed without
    `force`, with which the entry begins anew. What was held against no baseline when it was measured is held now
    against what it is to extend, as the gate would.

    Args:
        path: of the report.
        store: what is there already.
        force: also what regressed.
        reason: why; kept with the session. By default the recording's own.

    Raises:
        UsageError: it is no report, or none of this version. BaselineError: a file of the store can't be used.
    """
    from pytest_infer.cli.extending import Offer, doubts

    report = read(path)
    session_id = session_of(report, path)
    offers: list[Offer] = []
    offered: list[Proposal] = []
    refused: list[Refusal] = []
    for result in report.results:
        if why := _refusal(report, result, force=force):
            refused.append(Refusal(nodeid=result.nodeid, name=result.name, why=why))
        else:
            proposal = proposal_of(report, result, session_id, reason)
            offers.append(Offer(result=result, proposal=proposal, device=device_of(report, result)))
    doubted = doubts(offers, store, report.environment)
    for offer in offers:
        if offer.key not in doubted:
            offered.append(offer.proposal)
        elif force:
            offered.append(replace(offer.proposal, anew=True))
        else:
            why = _uncompared(*doubted[offer.key])
            refused.append(Refusal(nodeid=offer.result.nodeid, name=offer.result.name, why=why))
    return offered, refused


def _uncompared(outcome: str, *reasons: str) -> str:
    told = (
        f"{outcome} beside the runs that it is to join, and no baseline was held against it when it was measured: run "
        "pytest with these baselines, without --infer-baseline-mode=off (--force accepts it, and begins its entry anew)"
    )
    return "; ".join((told, *reasons))


def _refusal(report: JsonReport, result: JsonResult, *, force: bool) -> str:
    """Why a result is not to be accepted; empty where it is."""
    module, test = test_of(report, result)
    why = ""
    if result.outcome in _NEVER or (result.outcome is Outcome.INCONCLUSIVE and report.update != "reset"):
        why = "; ".join((str(result.outcome), *result.reasons))
    elif result.outcome is Outcome.REGRESSED and not force:
        why = "; ".join(("regressed (--force accepts it, and begins its entry anew)", *result.reasons))
    elif report.update and not result.recorded:
        why = "nothing was recorded of it: it was expected to fail"
    elif not all(run.metrics for run in runs_of(result)):
        why = "it holds no figures"
    elif not (test and module.strip("/.") and _SLUG.fullmatch(device_of(report, result))):
        why = f"no test of a module ({result.nodeid!r}) on a device ({device_of(report, result)!r})"
    return why


def proposal_of(report: JsonReport, result: JsonResult, session: str, reason: str | None = None) -> Proposal:
    """What a result offers an entry: its runs, of the session of that id."""
    module, test = test_of(report, result)
    slug = device_of(report, result)
    single = {key: value for key, value in report.device.items() if key != "kind"}  # of older reports, the only place
    known = {str(device.get("slug")): device for device in (single, *report.devices)}
    because = reason or report.update_reason or ("reset" if report.update == "reset" else None)
    parts = (because, None if result.recorded else SCREENING)
    return Proposal(
        device=known.get(slug, {"slug": slug}),
        module=module,
        key=entry_key(test, result.name, result.digest),
        workload=result.workload,
        runs=accepted_runs(runs_of(result), session),
        session=Session(
            recorded=report.started,
            environment=report.environment,
            reason="; ".join(part for part in parts if part) or None,
        ),
        anew=report.update == "reset" or result.outcome is Outcome.REGRESSED,
    )
