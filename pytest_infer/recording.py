"""What a session's results add to the store of baselines, and what they say of the device that they ran on."""

from __future__ import annotations

import collections
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pytest_infer.baselines.schema import accepted_runs, entry_key, split_nodeid
from pytest_infer.device.clock_lock import CLOCKS, UNLOCKED
from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_infer.baselines.schema import BaselineRun
    from pytest_infer.config import Settings
    from pytest_infer.device.fingerprint import Device
    from pytest_infer.result import Result

CROWDED: Final = 0.25
"""The share of all cores' time from which a recording says that others took it; DESIGN calls 5 % stolen a disturbance,
but in a container the kernel tells of the whole machine."""
_WAYS: Final = {
    Outcome.INCONCLUSIVE: "record again when the machine is quiet, or begin anew: --infer-update-baselines=reset",
    Outcome.REGRESSED: "to accept a slower speed: --infer-force",
}
_STATE: Final = "clocks"
"""Of a measurement's device state: whether the GPU's clocks were locked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryUpdate:
    """What results add to one entry of a module's file."""

    module: str
    key: str
    workload: Mapping[str, object]
    runs: tuple[BaselineRun, ...]


def updates_of(results: Iterable[Result], session_id: str, key: Callable[[str], str]) -> list[EntryUpdate]:
    """One update an entry; a test that ran on several GPUs of one kind has one entry for all (`key` of its node id)."""
    found: dict[tuple[str, str], EntryUpdate] = {}
    for result in results:
        module, test = split_nodeid(key(result.nodeid))
        name = entry_key(test, result.measurement.name, result.measurement.digest)
        runs = accepted_runs(result.recorded, session_id)
        before = found.get((module, name))
        found[module, name] = EntryUpdate(
            module=module,
            key=name,
            workload=result.measurement.workload,
            runs=runs if before is None else before.runs + runs,
        )
    return list(found.values())


def acceptable(result: Result, settings: Settings) -> bool:
    """Whether what was recorded may become a baseline."""
    if result.outcome is Outcome.REGRESSED:
        return settings.force
    if result.outcome is Outcome.INCONCLUSIVE:
        return settings.update == "reset"  # the runs that it can't be told apart from are to go
    return result.outcome not in {Outcome.INVALID, Outcome.INACCURATE, Outcome.OVER_BUDGET}


def refusal(refused: Sequence[Result], expected: Sequence[Result]) -> str:
    """What was not saved, tests `expected` to fail among it, and what would save it; empty where all was."""
    names = [f"{r.nodeid} ({r.outcome})" for r in refused]
    names += [f"{r.nodeid} ({r.outcome}, expected to fail)" for r in expected]
    if not names:
        return ""
    outcomes = {r.outcome for r in refused}
    ways = [way for outcome, way in _WAYS.items() if outcome in outcomes]
    return "; ".join([f", {len(names)} refused: {', '.join(names)}", *ways])


def stamped(result: Result, device: Device, clocks: str) -> Result:
    """The result with the device that it ran on, and whether its clocks were locked (empty on the CPU)."""
    state = result.measurement.device_state | ({_STATE: clocks} if clocks else {})
    return replace(result, measurement=replace(result.measurement, device=device.slug, device_state=state))


def clocks_of(results: Iterable[Result]) -> str:
    """Whether the clocks were locked while these were measured, in words; empty where there were none to lock."""
    told = (str(r.measurement.device_state.get(_STATE, "")) for r in results)
    return ", ".join(dict.fromkeys(words for words in told if words))


def clock_notes(results: Iterable[Result], *, asked: bool) -> tuple[str, ...]:
    """Lines on clocks that could not be locked where that was `asked`, and on comparisons across clock settings."""
    results = tuple(results)
    refused = collections.Counter(
        words
        for r in results
        if asked and (words := str(r.measurement.device_state.get(_STATE, ""))).startswith(UNLOCKED)
    )
    crossed = collections.Counter(line for r in results for line in r.differs if line.startswith(f"{CLOCKS}:"))
    return (
        *(
            f"--infer-lock-clocks: {words}; {count} result(s) are of a GPU that chose its clocks itself. It takes an "
            "administrator's right; without it, leave the option out"
            for words, count in refused.items()
        ),
        *(
            f"{count} result(s) compared across clock settings ({line}): record anew, or measure as then"
            for line, count in crossed.items()
        ),
    )


def crowd_notes(results: Iterable[Result]) -> tuple[str, ...]:
    """A line on what was recorded while other processes took much of the CPU: later runs will seem faster."""
    shares = [max(run.contention.get("others", 0.0) for run in r.recorded) for r in results if r.recorded]
    crowded = [share for share in shares if share > CROWDED]
    if not crowded:
        return ()
    line = (
        f"{len(crowded)} result(s) were recorded while other processes took up to {max(crowded):.0%} of the CPU time: "
        "they are the speed of a busy machine. Record again when it is quiet, with --infer-update-baselines=reset"
    )
    return (line,)
