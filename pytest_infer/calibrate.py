"""An A/A study of this machine: the same code again and again, to learn how far its runs and sessions spread."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_infer.baselines.directory import DirectoryStore
from pytest_infer.baselines.schema import SCHEMA, Calibration, Entry
from pytest_infer.errors import MeasurementError
from pytest_infer.gating import runs_of
from pytest_infer.stats.outlook import outlook
from pytest_infer.stats.shift import FEWEST_TESTS
from pytest_infer.stats.spread import APART_S, Spread, as_wide_as, declared, estimate_spread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_infer.device.fingerprint import Device
    from pytest_infer.stats.rule import Rule

METRIC: Final = "latency"
AHEAD: Final = (1, 3, 6)
"""Sessions of a baseline for which the study says what could be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What was asked: tests as pytest's own arguments, fresh runs a test, sessions apart by a pause."""

    arguments: tuple[str, ...]
    runs: int
    sessions: int
    pause_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came out.

    Attributes:
        calibration: the spreads, as they are kept.
        false_alarms: the share of unchanged tests that the gate would fail.
        detectable: by sessions of a baseline, the change found in 80 % of cases (a fraction).
    """

    calibration: Calibration
    false_alarms: float
    detectable: dict[int, float]


def record(study: Study, device: Device, progress: Callable[[str], None]) -> dict[str, Entry]:
    """Run pytest once a session, each into a store of its own; all runs together, by test.

    Raises:
        MeasurementError: a session recorded nothing; the message shows what pytest said.
    """
    entries: dict[str, Entry] = {}
    with tempfile.TemporaryDirectory(prefix="pytest-infer-calibrate-") as name:
        for number in range(study.sessions):
            if number and study.pause_s:
                progress(f"pausing {study.pause_s:g} s")
                time.sleep(study.pause_s)
            progress(f"session {number + 1} of {study.sessions}")
            store = Path(name) / str(number)
            said = _pytest(study, store)
            files = list(DirectoryStore(store).read_all(device))
            if not files:
                raise MeasurementError(f"session {number + 1} recorded nothing; pytest said:\n{said[-3000:]}")
            for index, file in enumerate(files):
                for key, entry in file.entries.items():
                    before = entries.get(f"{index} {key}", Entry(workload=entry.workload))
                    entries[f"{index} {key}"] = Entry(workload=entry.workload, runs=(*before.runs, *entry.runs))
    return entries


def analyse(entries: dict[str, Entry], study: Study, device: Device, rule: Rule) -> Finding:
    """Estimate the device's spread from a study's runs, and what the gate could do with it."""
    sessions = {run.session for entry in entries.values() for run in entry.runs}
    runs = [found for entry in entries.values() if (found := runs_of(entry, METRIC, sessions)) is not None]
    prior = declared(device.kind, len(sessions))
    spread = estimate_spread(runs, prior)
    if study.pause_s < APART_S:
        spread = as_wide_as(prior, spread)
    others = len(runs) - 1 if len(runs) > FEWEST_TESTS else None
    ahead = {n: outlook(spread, rule, sessions=n, runs=study.runs, others=others) for n in AHEAD}
    return Finding(
        calibration=_calibration(spread, study, len(runs)),
        false_alarms=ahead[AHEAD[0]].false_alarms,
        detectable={n: found.mde for n, found in ahead.items()},
    )


def advice(finding: Finding, tolerance: float) -> str:
    """What to do, in a sentence."""
    now, later = finding.detectable[AHEAD[0]], finding.detectable[AHEAD[-1]]
    if now <= tolerance:
        return f"This machine can see changes of {tolerance:.0%} with a single recorded session."
    if later <= tolerance:
        return f"Record up to {AHEAD[-1]} sessions on different days: then changes of {tolerance:.0%} can be seen."
    raised = f"raise max_regression to about {math.ceil(later * 100) / 100:g}, " if later < 1 else ""
    return (
        f"This machine is too noisy for a tolerance of {tolerance:.0%}, even with {AHEAD[-1]} sessions: {raised}"
        "measure longer (--infer-time), use fewer threads or a quieter machine, or compare both sides in one session "
        "(--infer-against)."
    )


def _calibration(spread: Spread, study: Study, tests: int) -> Calibration:
    floor = 1e-5
    return Calibration(
        schema=SCHEMA,
        run_sd=max(float(spread.run_sd), floor),
        session_sd=max(float(spread.session_sd), floor),
        common_sd=max(float(spread.common_sd), floor),
        df=max(1.0, min(float(spread.session.df), float(spread.common.df))),
        tests=tests,
        sessions=study.sessions,
        runs=study.runs,
        recorded=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _pytest(study: Study, store: Path) -> str:
    command: Sequence[str] = [
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *study.arguments),
        *("--infer-update-baselines", f"--infer-baselines={store}", f"--infer-runs={study.runs}"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the user's own arguments
    return done.stdout + done.stderr
