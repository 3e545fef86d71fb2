"""One run of pytest with infer tests: its settings, device, store and results. It prints nothing."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pytest_infer.baselines.schema import Session, split_nodeid
from pytest_infer.case import InferCase
from pytest_infer.config import WORKER_VARIABLE, Settings
from pytest_infer.decision import Decision, inaccuracies
from pytest_infer.device.cpu import cpu_device
from pytest_infer.device.environment import environment
from pytest_infer.device.gpu import COMPUTE_MODE, EXCLUSIVE
from pytest_infer.device.place import Place
from pytest_infer.engines.plan_cache import PlanCache
from pytest_infer.errors import (
    BaselineError,
    MeasurementError,
    SkippedInWorkerError,
    UsageError,
    XFailedInWorkerError,
    from_process,
)
from pytest_infer.measure.worker import Launch, run_worker
from pytest_infer.measuring import Bench
from pytest_infer.recording import acceptable, clock_notes, clocks_of, crowd_notes, refusal, stamped, updates_of
from pytest_infer.result import BrokenTest, Result, RunReport
from pytest_infer.several_gpus import without_gpu
from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_infer.against.station import Station
    from pytest_infer.decision import Interleave
    from pytest_infer.device.fingerprint import Device
    from pytest_infer.extensions import Extensions
    from pytest_infer.gating import Gate
    from pytest_infer.marker import Request
    from pytest_infer.measure.protocol import Answer
    from pytest_infer.measurement import Measurement
    from pytest_infer.progress import Progress
    from pytest_infer.result import Compared
    from pytest_infer.two_sides import TwoSides

_BLURRED: Final = frozenset({"host_memory", "device_memory"})
"""Metrics of a whole process: other tests in it would be in them."""
_SET_ASIDE: Final = {"skipped": SkippedInWorkerError, "xfailed": XFailedInWorkerError}
"""Answers of a worker that are neither a measurement nor a failure."""


class InferSession:
    """Makes cases, decides on what they measured, keeps the results, saves what was recorded."""

    def __init__(
        self,
        settings: Settings,
        launch: Launch,
        extensions: Extensions,
        *,
        progress: Progress,
        in_worker: bool,
        gpus: tuple[Device, ...] = (),
        multiplied: bool = False,
    ) -> None:
        """Begin a session.

        Args:
            settings: what was asked.
            launch: how this pytest was started.
            extensions: other people's backends, stores, reporters.
            progress: says what takes long.
            in_worker: whether this is a worker process.
            gpus: what to measure on; the CPU where there is none.
            multiplied: whether each test runs once on each of several GPUs.

        Raises:
            BaselineError: baselines are to be recorded and can't be written.
        """
        self.settings = replace(settings, backend=settings.backend or "tensorrt") if gpus else settings
        self.extensions = extensions
        self.results: list[Result] = []
        self.in_worker = in_worker
        self.shifted = False
        self.tests = 1
        self.against: TwoSides | None = None
        """The sides of an interleaved comparison, where one is asked for."""
        self.station: Station | None = None
        """What serves the measurements, in a process that is one of the sides."""
        self._launch = launch
        self._progress = progress
        self._started = datetime.now(UTC)
        self._id = f"{self._started:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
        self._multiplied = multiplied
        self._places = tuple(
            Place(device, lock_clocks=settings.lock_clocks, in_worker=in_worker) for device in gpus or (cpu_device(),)
        )
        self._gates: dict[str, Gate] = {}
        self._store = extensions.store(settings.baselines, settings.root)
        if settings.update and not in_worker:
            for device in self._folders():
                self._store.check_writable(device)

    def case(self, request: Request, test_file: Path, number: int = 0) -> InferCase:
        """Serve one test, on the device of that number.

        Raises:
            UsageError: the test asks for what this device, or one process with several, has not.
        """
        if self._multiplied and self.settings.isolate == "never":
            raise UsageError(
                "several GPUs need a process each: drop --infer-isolate=never, choose one GPU, or share them out with "
                "pytest-xdist (-n)"
            )
        place = self._places[number]
        bench = Bench(
            settings=self.settings,
            device=place.device,
            backend=self.extensions.backend,
            plans=PlanCache(),
            exclusive=lambda: place.held(self._progress.say),
            progress=self._progress.show,
            instruments=place.instruments,
            station=self.station,
        )
        return InferCase(request, bench, test_folder=test_file.parent)

    def isolates(self, case: InferCase) -> bool:
        """Whether the test runs in processes of its own from the start: recordings do, and costs that others blur.

        So does everything on several GPUs, since a process sees one, and on a GPU that takes one process at a time.
        """
        settings = self.settings
        if self.in_worker or settings.isolate == "never":
            return False
        alone = self._multiplied or case.device.facts.get(COMPUTE_MODE) == EXCLUSIVE
        return alone or bool(settings.update) or settings.isolate == "always" or not _BLURRED.isdisjoint(case.wanted)

    def decide(self, nodeid: str, test_file: Path, case: InferCase) -> tuple[Result, ...]:
        """Hold what the test measured against budgets and baselines, with fresh runs where they are needed.

        Raises:
            MeasurementError: a fresh run failed. SkippedInWorkerError, XFailedInWorkerError: the test's first run
                skipped itself, or failed as was expected.
        """
        place = self._place(case)
        clocks = place.clocks(self._progress.say)
        gate = self._gate(place, clocks)
        gate.tests = max(1, self.tests)
        decision = Decision(nodeid, case.request, self.settings, gate, key=self._key(nodeid))

        isolated = self.isolates(case)
        ran = not isolated

        def fresh(what: str) -> tuple[Measurement, ...]:
            nonlocal ran
            _make_room(case)
            measured = self._fresh(nodeid, test_file, case, what, ran=ran)
            ran = True
            return measured

        def rerun(count: int) -> list[tuple[Measurement, ...]]:
            if self.settings.isolate == "never":
                return []
            return [fresh(f"run {i + 1} of {count}") for i in range(count)]

        if isolated and self.settings.update is not None:
            module, _ = split_nodeid(nodeid)
            self._store.read(place.device, module)  # a file that can't be used is told before, not after
            results = decision.record(rerun)
        else:
            measured = fresh("measuring") if isolated else case.measurements
            results = decision.compare(measured, rerun, self._interleave(nodeid, test_file, place, case, measured))
        if self.settings.disabled:  # there is nothing to tell of it, unless its outputs are wrong
            results = tuple(result for result in results if result.outcome is Outcome.INACCURATE)
        return tuple(stamped(result, place.device, clocks) for result in results)

    def wrong(self, case: InferCase) -> str:
        """In a side of a comparison: how its outputs break the test's own accuracy budgets; empty where they don't."""
        if self.station is None:
            return ""
        return "; ".join(text for measured in case.measurements for text in inaccuracies(case.request, measured))

    def keep(self, content: list[dict[str, Any]]) -> None:
        """Take results as plain values: they may come from another process."""
        results = [msgspec.convert(item, Result) for item in content]
        again = {(r.nodeid, r.measurement.name) for r in results}
        self.results = [r for r in self.results if (r.nodeid, r.measurement.name) not in again] + results
        for result in results:
            self.extensions.verdict(result)

    def report(self, errors: tuple[BrokenTest, ...] = (), *, saved: bool = True) -> RunReport:
        """The finished session for reporters; its notes are what holds of the session as a whole.

        Args:
            errors: the tests that failed without a verdict.
            saved: whether what was recorded is saved.
        """
        notes: list[str] = []
        for device in self._folders():
            mine = [r for r in self.results if r.measurement.device == device.slug]
            told = [(r.ratio, r.changes[0].sessions) for r in mine if r.ratio is not None and r.changes]
            gate = self._gate(next(p for p in self._places if p.device is device), clocks_of(mine))
            line = gate.session_line([ratio for ratio, _ in told], [sessions for _, sessions in told])
            if line is not None:
                notes.append(line[0])
                self.shifted |= line[1]
        folders = self._folders()
        slugs = ", ".join(device.slug for device in folders)
        identity = folders[0].identity if len(folders) == 1 else {}
        return RunReport(
            device={"slug": slugs, "kind": folders[0].kind, **identity},
            environment=self._environment(self._places, clocks_of(self.results)),
            results=tuple(self.results),
            started=self._started.isoformat(timespec="seconds"),
            notes=(
                *notes,
                *(() if self.against is None else self.against.notes(self.results)),
                *crowd_notes(r for r in self.results if saved and acceptable(r, self.settings)),
                *clock_notes(self.results, asked=self.settings.lock_clocks is not None),
            ),
            session=self._id,
            devices=tuple({"slug": device.slug, **device.identity} for device in folders),
            update=self.settings.update,
            update_reason=self.settings.update_reason,
            multiplied=self._multiplied,
            errors=errors,
        )

    def save(self) -> str | None:
        """Write what was recorded and may be accepted; a line that says so, or None where nothing was recorded.

        Raises:
            BaselineError: it can't be written, and the files are as they were; or some of it was refused, but for tests
                that are expected to fail.
        """
        recorded = [r for r in self.results if r.recorded]
        expected = [r for r in self.results if r.expected and self.settings.update]
        if not recorded and not expected:
            return None
        accepted = [r for r in recorded if acceptable(r, self.settings)]
        told = []
        for device in self._folders():
            mine = [r for r in accepted if r.measurement.device == device.slug]
            self._save_on(device, mine)
            told.append(f"{len(mine)} saved to {self.settings.baselines}/{device.slug}")
        line = f"baselines: {', '.join(told)}"
        refused = [r for r in recorded if r not in accepted]
        line += refusal(refused, expected)
        if refused:
            raise BaselineError(line)
        return line

    def close(self) -> None:
        """Give back what is still held."""
        for place in self._places:
            place.close()

    def _save_on(self, device: Device, results: list[Result]) -> None:
        places = [place for place in self._places if place.device.slug == device.slug]
        session = Session(
            recorded=self._started.isoformat(timespec="seconds"),
            environment=self._environment(places, clocks_of(results)),
            reason=self.settings.update_reason or (None if self.settings.update == "append" else "reset"),
        )
        forced = [r for r in results if r.outcome is Outcome.REGRESSED]
        plain = [r for r in results if r.outcome is not Outcome.REGRESSED]
        # A slower speed that was accepted by force is a new beginning: beside the old runs it would only widen them.
        for some, reset in ((plain, self.settings.update == "reset"), (forced, True)):
            if some:
                updates = updates_of(some, self._id, self._key)
                self._store.save(device, self._id, session, updates, reset=reset)

    def _fresh(self, nodeid: str, test_file: Path, case: InferCase, what: str, *, ran: bool) -> tuple[Measurement, ...]:
        """What a fresh process measures; `ran`: whether the test's body came to its end before."""
        place = self._place(case)
        self._progress.show(f"{nodeid}: {what} in a fresh process")
        # Held for it from start to end: starting a process beside a measurement disturbs it like another measurement.
        with place.held(self._progress.say):
            answer = self._answer(nodeid, test_file, place.device)
        if answer.outcome != "passed" or (self.isolates(case) and not case.said):  # of several runs one is enough
            case.said = answer.said
        if answer.outcome in _SET_ASIDE:
            if ran:  # a suspicion does not become a skip
                raise MeasurementError(
                    f"a fresh process {answer.outcome} the test, which ran before: {answer.message} (does it depend on "
                    "its process?)"
                )
            raise _SET_ASIDE[answer.outcome](answer.message)
        if answer.outcome == "failed":
            raise MeasurementError(from_process(answer.message))
        return answer.measurements

    def _interleave(
        self, nodeid: str, test_file: Path, place: Place, case: InferCase, measured: Sequence[Measurement]
    ) -> Interleave | None:
        """What compares a test with the other side, where there is one."""
        if self.against is None or self.against.sides is None:
            return None
        from pytest_infer.against.comparison import Comparison

        comparison = Comparison(
            self.against.sides,
            replace(self._launch, args=self._arguments(place.device)),
            self.settings,
            held=lambda: place.held(self._progress.say),
            progress=self._progress.show,
        )
        target = self._target(nodeid, test_file)

        def compare() -> dict[str, Compared]:
            _make_room(case)
            return comparison.compare(target, case.request, measured, tests=self.tests)

        return compare

    def _answer(self, nodeid: str, test_file: Path, device: Device) -> Answer:
        return run_worker(
            self._target(nodeid, test_file),
            args=self._arguments(device),
            sys_path=self._launch.sys_path,
            variable=WORKER_VARIABLE,
            cwd=self._launch.cwd,
            timeout_s=self.settings.timeout,
        )

    def _target(self, nodeid: str, test_file: Path) -> str:
        """What a worker runs."""
        return f"{test_file}::{split_nodeid(self._key(nodeid))[1]}"

    def _arguments(self, device: Device) -> tuple[str, ...]:
        """A worker's command line."""
        return (*self._launch.args, *((f"--infer-gpu={device.uuid}",) if device.uuid else ()))

    def _key(self, nodeid: str) -> str:
        """The test as baselines and workers know it."""
        return without_gpu(nodeid) if self._multiplied else nodeid

    def _place(self, case: InferCase) -> Place:
        return next(place for place in self._places if place.device is case.device)

    def _folders(self) -> list[Device]:
        """One device for each folder of baselines: GPUs of one slug share it."""
        folders: dict[str, Device] = {}
        for place in self._places:
            folders.setdefault(place.device.slug, place.device)
        return list(folders.values())

    def _gate(self, place: Place, clocks: str) -> Gate:
        """A device's gate. Two GPUs of one kind share baselines, and each has a session's shift of its own."""
        from pytest_infer.gating import Gate  # with all its statistics, which a worker never needs

        name = place.device.lock_name
        if name not in self._gates:
            around = self._environment([place], clocks)
            self._gates[name] = Gate(self.settings, place.device, self._store, around)
        return self._gates[name]

    def _environment(self, places: Sequence[Place], clocks: str) -> dict[str, str]:
        """What is recorded of the surroundings and the devices; where several devices differ, all they say."""
        told: dict[str, list[str]] = {}
        for place in places:
            for name, fact in place.facts(clocks).items():
                told.setdefault(name, []).append(fact)
        return {**self._software, **{name: ", ".join(dict.fromkeys(facts)) for name, facts in told.items()}}

    @cached_property
    def _software(self) -> dict[str, str]:
        return environment(self.settings.root)


def _make_room(case: InferCase) -> None:
    """Before another process runs the test: it may need the device memory that the engines here hold."""
    if case.device.kind == "gpu":
        case.close()
