"""Two reports, test by test: the first is what the second is held against."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pytest_infer.baselines.accept import Proposal, accepted
from pytest_infer.baselines.places import place_of
from pytest_infer.baselines.schema import Entry
from pytest_infer.baselines.tree import TreeStore
from pytest_infer.cli.judging import TOLERANCE, Fresh, judge
from pytest_infer.cli.reports import device_of, proposal_of, runs_of, session_of
from pytest_infer.device.cpu_state import excuses
from pytest_infer.metrics import METRICS, Better
from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path, PurePosixPath

    from pytest_infer.baselines.tree import Tree
    from pytest_infer.cli.judging import Judged
    from pytest_infer.report.json_report import JsonReport, JsonResult
    from pytest_infer.verdict import Change

_LATENCY: Final = "latency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One measurement in both reports.

    Attributes:
        nodeid, name: whose it is.
        device: the slug of the first report's, where it has one.
        a, b: the results; None where one report has none.
        unjudged: why they can't be held against each other; empty where they can.
    """

    nodeid: str
    name: str
    device: str
    a: JsonResult | None
    b: JsonResult | None
    unjudged: str = ""

    @property
    def key(self) -> str:
        """What verdicts are found by."""
        return f"{self.device}#{self.nodeid}#{self.name}"

    def value(self, side: str, metric: str) -> float | None:
        """A figure of side `a` or `b`: of a recording, the median of its runs."""
        result = self.a if side == "a" else self.b
        values = [] if result is None else [run.metrics[metric] for run in runs_of(result) if metric in run.metrics]
        return statistics.median(values) if values else None

    def worse_by(self, metric: str) -> float | None:
        """How much worse the second is, a fraction: positive is slower, or less throughput; None where one has none."""
        one, other = self.value("a", metric), self.value("b", metric)
        if not one or not other or min(one, other) <= 0:
            return None
        return (one / other if METRICS[metric].better is Better.HIGHER else other / one) - 1.0

    @property
    def within_runs(self) -> tuple[float, float] | None:
        """The change of latency that the intervals within one run a side leave open; runs spread further than that."""
        sides = [None if side is None else side.intervals.get(_LATENCY) for side in (self.a, self.b)]
        if sides[0] is None or sides[1] is None or min(sides[0]) <= 0:
            return None
        return sides[1][0] / sides[0][1] - 1.0, sides[1][1] / sides[0][0] - 1.0

    @property
    def disturbed(self) -> tuple[str, ...]:
        """How the machine may have made the second slower than the first, as the gate would excuse it."""
        if self.a is None or self.b is None:
            return ()
        known, slower = [run.contention for run in runs_of(self.a)], self.worse_by(_LATENCY) or 0.0
        return tuple(dict.fromkeys(text for run in runs_of(self.b) for text in excuses(run.contention, known, slower)))


def paired(a: JsonReport, b: JsonReport) -> list[Pair]:
    """Every measurement of both: those of the first report in its order, then what is new."""
    ones, others = ({(r.nodeid, r.name): r for r in report.results} for report in (a, b))
    pairs = []
    for nodeid, name in dict.fromkeys([*ones, *others]):
        one, other = ones.get((nodeid, name)), others.get((nodeid, name))
        device = device_of(a, one) if one is not None else device_of(b, other) if other is not None else ""
        pairs.append(Pair(nodeid=nodeid, name=name, device=device, a=one, b=other, unjudged=_unjudged(one, other)))
    return pairs


def judged(
    pairs: Sequence[Pair], first: tuple[Path, JsonReport], second: JsonReport, stored: Tree, studies: Path
) -> Judged:
    """Let the gate judge the second report, the first being the baseline.

    Args:
        pairs: of the two.
        first: the first, and where it lies.
        second: the second.
        stored: baselines: what is known of how far their devices spread, beside the report itself.
        studies: the folder of their calibrations.
    """
    path, before = first
    session = session_of(before, path)
    chosen = [
        (pair, pair.b, replace(proposal_of(before, pair.a, session), anew=False))
        for pair in pairs
        if pair.a is not None and pair.b is not None and not pair.unjudged
    ]
    by_place: dict[PurePosixPath, list[Proposal]] = {}
    for pair, _, proposal in chosen:
        by_place.setdefault(place_of(pair.device, proposal.module), []).append(proposal)
    # Beside the sessions that the store knows, the first report's tells how far sessions of the device are apart.
    known = stored | {place: accepted(stored.get(place), some) for place, some in by_place.items()}
    fresh = [
        Fresh(
            test=pair.key,
            device=pair.device,
            entry=Entry(workload=proposal.workload, runs=proposal.runs),
            runs=tuple(run.metrics for run in runs_of(result)),
            metrics=_gated(result),
            tolerance=min((change.tolerance for change in result.changes), default=TOLERANCE),
        )
        for pair, result, proposal in chosen
    ]
    return judge(fresh, TreeStore(known, studies), {one.device: second.environment for one in fresh})


def verdict(pair: Pair, changes: Sequence[Change], limit: float | None) -> str:
    """What came of a pair, in a word or two.

    Args:
        pair: the two results.
        changes: what the gate says of them; none where it was not asked.
        limit: a change of latency from which on it is a failure whatever the gate says, a fraction.
    """
    by = pair.worse_by(_LATENCY)
    if pair.unjudged:
        return pair.unjudged
    if limit is not None and by is not None and by > limit:
        return "over the limit"
    if any(change.regressed for change in changes):
        return "disturbed" if pair.disturbed else "slower"
    if any(change.improved for change in changes):
        return "faster"
    return "within the spread" if changes else "not judged"


def _unjudged(a: JsonResult | None, b: JsonResult | None) -> str:
    if a is None or b is None:
        return "new" if a is None else "missing"
    if Outcome.INVALID in {a.outcome, b.outcome}:
        return "invalid"
    return "" if a.digest == b.digest else "another workload"


def _gated(result: JsonResult) -> tuple[str, ...]:
    """The metrics that the test itself is gated by, as far as its report tells; latency at least."""
    told = (change.metric for change in result.changes if change.metric in METRICS)
    return tuple(dict.fromkeys((_LATENCY, *told)))
