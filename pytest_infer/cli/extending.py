"""Runs that no baseline was held against when they were measured, held against the entry that they are to extend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_infer.cli.judging import Fresh, device_named, judge
from pytest_infer.verdict import Evidence, Outcome
from pytest_infer.verdict import judge as judged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infer.baselines.accept import Proposal
    from pytest_infer.baselines.schema import Entry
    from pytest_infer.baselines.store import BaselineStore
    from pytest_infer.report.json_report import JsonResult

_DOUBTS: Final = frozenset({Outcome.REGRESSED, Outcome.INCONCLUSIVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A result that may be accepted.

    Attributes:
        result: as the report has it.
        proposal: what it adds to an entry.
        device: the slug.
    """

    result: JsonResult
    proposal: Proposal
    device: str

    @property
    def key(self) -> str:
        """What its verdict is found by."""
        return f"{self.result.nodeid} {self.result.name}"

    @property
    def compared(self) -> bool:
        """Whether a baseline was held against it when it was measured."""
        return any(change.against == "baseline" for change in self.result.changes)


def doubts(offers: Sequence[Offer], store: BaselineStore, environment: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """The offers that would not pass the gate: by their key the outcome, and its reasons behind it.

    Args:
        offers: what one report offers.
        store: what they are to extend.
        environment: the surroundings of their session.

    Raises:
        BaselineError: a file of the store can't be used.
    """
    fresh = [
        Fresh(
            test=offer.key,
            device=offer.device,
            entry=entry,
            runs=tuple(run.metrics for run in offer.proposal.runs),
        )
        for offer in offers
        if not (offer.compared or offer.proposal.anew) and (entry := _extended(offer, store)) is not None
    ]
    found = judge(fresh, store, dict.fromkeys((one.device for one in fresh), environment))
    verdicts = {key: judged(Evidence(changes=changes)) for key, changes in found.changes.items()}
    return {key: (str(outcome), *reasons) for key, (outcome, reasons) in verdicts.items() if outcome in _DOUBTS}


def _extended(offer: Offer, store: BaselineStore) -> Entry | None:
    """The entry, if it has runs and these are not among them."""
    proposal = offer.proposal
    file = store.read(device_named(offer.device), proposal.module)
    entry = None if file is None else file.entries.get(proposal.key)
    known = set() if entry is None else {run.session for run in entry.runs}
    return entry if known and proposal.runs[0].session not in known else None
