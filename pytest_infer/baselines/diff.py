"""What changed between two sets of baselines, entry by entry."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_infer.baselines.places import device_of, module_of
from pytest_infer.device.environment import differences

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import PurePosixPath

    from pytest_infer.baselines.schema import BaselineFile, BaselineRun, Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryChange:
    """An entry that is not as it was.

    Attributes:
        device, module, key: whose it is.
        old, new: what it held and holds; None where it was or is not there.
        differs: what is not the same in the surroundings of the newest session of either.
    """

    device: str
    module: str
    key: str
    old: Entry | None
    new: Entry | None
    differs: tuple[str, ...] = ()

    @property
    def added(self) -> tuple[BaselineRun, ...]:
        """The runs of the newest session that came: what the change is measured by."""
        if self.new is None:
            return ()
        known = set() if self.old is None else {run.session for run in self.old.runs}
        came = [run for run in self.new.runs if run.session not in known]
        newest = max((run.session for run in came), default=None)
        return tuple(run for run in came if run.session == newest)


def changes(
    old: Mapping[PurePosixPath, BaselineFile], new: Mapping[PurePosixPath, BaselineFile]
) -> Iterator[EntryChange]:
    """Every entry that differs, by device, module and key."""
    for place in sorted(old.keys() | new.keys()):
        before, after = old.get(place), new.get(place)
        entries, left = ({} if file is None else file.entries for file in (before, after))
        for key in sorted(entries.keys() | left.keys()):
            one, other = entries.get(key), left.get(key)
            if one != other:
                yield EntryChange(
                    device=device_of(place),
                    module=module_of(place),
                    key=key,
                    old=one,
                    new=other,
                    differs=_differs(before, one, after, other),
                )


def median(runs: tuple[BaselineRun, ...], metric: str) -> float | None:
    """The median of a metric over runs; None where none has it."""
    values = [run.metrics[metric] for run in runs if metric in run.metrics]
    return statistics.median(values) if values else None


def _differs(
    before: BaselineFile | None, old: Entry | None, after: BaselineFile | None, new: Entry | None
) -> tuple[str, ...]:
    then, now = _surroundings(before, old), _surroundings(after, new)
    if then is None or now is None or old is None or new is None:
        return ()
    models = [entry.runs[-1].model if entry.runs else None for entry in (old, new)]
    model = (
        (f"model: {models[0][:12]} → {models[1][:12]}",) if models[0] and models[1] and models[0] != models[1] else ()
    )
    return (*model, *differences(then, now))


def _surroundings(file: BaselineFile | None, entry: Entry | None) -> dict[str, str] | None:
    """The environment of an entry's newest session."""
    if file is None or entry is None or not entry.runs:
        return None
    session = file.sessions.get(max(run.session for run in entry.runs))
    return None if session is None else session.environment
