"""Two branches' accepted runs become one: the union by session, capped as a recording is (`schema.appended`).

Nothing depends on which side is which. A run is lost by the cap alone, or because one side dropped it on purpose, which
the common ancestor tells: an entry that was begun anew (it holds no session of the ancestor's any more), or one that
was removed while the other side left it as it was.
"""

from __future__ import annotations

import collections
import hashlib
import json
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_infer.baselines.schema import SCHEMA, BaselineFile, BaselineRun, Entry, appended, sessions_of
from pytest_infer.errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def merged(ours: BaselineFile, theirs: BaselineFile, base: BaselineFile | None = None) -> BaselineFile:
    """The file that holds what two others hold.

    Args:
        ours: one side's, of one module on one device.
        theirs: the other side's.
        base: what both came from, where that is known.

    Raises:
        BaselineError: they are of two devices.
    """
    slugs = {str(file.device.get("slug")) for file in (ours, theirs)}
    if len(slugs) > 1:
        raise BaselineError(f"these are baselines of two devices, {' and '.join(sorted(slugs))}: they stay apart")
    if ours == theirs:
        return ours
    before: Mapping[str, Entry] = {} if base is None else base.entries
    merged_entries = {
        key: _entry(ours.entries.get(key), theirs.entries.get(key), before.get(key))
        for key in ours.entries.keys() | theirs.entries.keys()
    }
    entries = {key: entry for key, entry in merged_entries.items() if entry is not None}
    known = {
        key: min((file.sessions[key] for file in (ours, theirs) if key in file.sessions), key=_text)
        for key in ours.sessions.keys() | theirs.sessions.keys()
    }
    return BaselineFile(
        schema=SCHEMA,
        device=min(ours.device, theirs.device, key=_text),
        sessions=sessions_of(entries, known),
        entries=entries,
    )


def united(one: Entry, other: Entry) -> Entry:
    """The runs of both, oldest session first, at most as many as an entry keeps; the same whichever is `one`."""
    have = [collections.Counter(map(_text, side.runs)) for side in (one, other)]
    if have[1] < have[0] or have[0] < have[1] or one == other:
        return one if have[1] <= have[0] else other  # nothing to add
    sides = [_by_session(one.runs), _by_session(other.runs)]
    sessions = {
        session: _most([side.get(session, []) for side in sides]) for session in sorted(sides[0].keys() | sides[1])
    }
    room = _room({session: len(runs) for session, runs in sessions.items()})
    kept = [
        run
        for session, runs in sessions.items()
        for run in _ordered(_lottery(runs)[: room[session]], [side.get(session, []) for side in sides])
    ]
    return Entry(workload=min(one.workload, other.workload, key=_text), runs=tuple(kept))


def _entry(ours: Entry | None, theirs: Entry | None, base: Entry | None) -> Entry | None:
    if ours is None or theirs is None:
        left = ours or theirs
        return None if left == base else left  # one side removed it, and the other left it as it was
    if ours == theirs:
        return ours
    if base in (ours, theirs):
        return theirs if ours == base else ours  # only one side did anything
    gone = _begun_anew(ours, base) | _begun_anew(theirs, base)
    return united(_without(ours, gone), _without(theirs, gone))


def _begun_anew(side: Entry, base: Entry | None) -> set[str]:
    """The ancestor's sessions where this side dropped them all: the cap alone would have left the oldest."""
    known = set() if base is None else {run.session for run in base.runs}
    return known if known.isdisjoint(run.session for run in side.runs) else set()


def _without(entry: Entry, sessions: set[str]) -> Entry:
    return Entry(workload=entry.workload, runs=tuple(run for run in entry.runs if run.session not in sessions))


def _by_session(runs: Iterable[BaselineRun]) -> dict[str, list[BaselineRun]]:
    found: dict[str, list[BaselineRun]] = {}
    for run in runs:
        found.setdefault(run.session, []).append(run)
    return found


def _most(sides: Sequence[Sequence[BaselineRun]]) -> list[BaselineRun]:
    """The runs of one session, each as often as the side has it that has it more often: two equal runs are two."""
    runs = {_text(run): run for side in sides for run in side}
    counts: collections.Counter[str] = collections.Counter()
    for side in sides:
        counts |= collections.Counter(_text(run) for run in side)
    return [runs[text] for text, count in counts.items() for _ in range(count)]


def _room(sizes: Mapping[str, int]) -> dict[str, int]:
    """How many runs each session keeps, oldest session first: what `appended` leaves of as many."""
    runs = tuple(BaselineRun(session=session, metrics={}) for session, size in sizes.items() for _ in range(size))
    left = collections.Counter(run.session for run in appended(Entry(workload={}), runs).runs)
    return {session: left[session] for session in sizes}


def _lottery(runs: Iterable[BaselineRun]) -> list[BaselineRun]:
    """Runs in an order that has nothing to do with how fast they were, nor with who had them first."""
    return sorted(runs, key=lambda run: hashlib.sha256(_text(run).encode()).digest())


def _ordered(kept: list[BaselineRun], sides: Sequence[Sequence[BaselineRun]]) -> list[BaselineRun]:
    """The kept runs of a session as a side has them that has them all, so that a review shows no line that moved."""
    wanted = collections.Counter(map(_text, kept))
    told = []
    for side in sides:
        left, order = wanted.copy(), []
        for run in side:
            if left[_text(run)] > 0:
                left[_text(run)] -= 1
                order.append(run)
        if len(order) == len(kept):
            told.append(order)
    return min(told, key=lambda order: [_text(run) for run in order], default=kept)


def _text(value: Any) -> str:
    return json.dumps(msgspec.to_builtins(value), sort_keys=True)
