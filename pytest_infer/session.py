"""One run of pytest with infer tests: its settings, device, store and results. It prints nothing."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_infer.baselines.schema import BaselineRun, Session, entry_key
from pytest_infer.case import InferCase
from pytest_infer.config import WORKER_VARIABLE, Settings
from pytest_infer.decision import Decision
from pytest_infer.device.cpu import cpu_device
from pytest_infer.device.environment import environment
from pytest_infer.device.lock import device_lock
from pytest_infer.engines.plan_cache import PlanCache
from pytest_infer.errors import BaselineError, InferError, MeasurementError
from pytest_infer.gating import Gate, split_nodeid
from pytest_infer.measure.worker import run_worker
from pytest_infer.measuring import Bench
from pytest_infer.result import Result, RunReport
from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pytest_infer.extensions import Extensions
    from pytest_infer.marker import Request
    from pytest_infer.measure.protocol import Answer
    from pytest_infer.measurement import Measurement


class SkippedInWorkerError(InferError):
    """The test skipped itself in its worker."""

    skips = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How this pytest was started: what a worker needs to be started alike."""

    args: tuple[str, ...]
    cwd: Path
    sys_path: tuple[str, ...]


class InferSession:
    """Makes cases, decides on what they measured, keeps the results, saves what was recorded."""

    def __init__(
        self,
        settings: Settings,
        launch: Launch,
        extensions: Extensions,
        *,
        progress: Callable[[str], None],
        in_worker: bool,
    ) -> None:
        """Begin a session; `progress` shows a line on long work, `in_worker` is true inside a worker process.

        Raises:
            BaselineError: baselines are to be recorded and can't be written.
        """
        self.settings = settings
        self.extensions = extensions
        self.results: list[Result] = []
        self.in_worker = in_worker
        self._launch = launch
        self._progress = progress
        self._started = datetime.now(UTC)
        self.device = cpu_device()
        self.tests = 1
        self._store = extensions.store(settings.baselines, settings.root)
        if settings.update and not in_worker:
            self._store.check_writable(self.device)

    @cached_property
    def gate(self) -> Gate:
        """This session's gate."""
        return Gate(self.settings, self.device, self._store, self._environment)

    @cached_property
    def _environment(self) -> dict[str, str]:
        return environment(self.settings.root)

    def case(self, request: Request, test_file: Path) -> InferCase:
        """Serve one test."""
        bench = Bench(
            settings=self.settings,
            device=self.device,
            backend=self.extensions.backend,
            plans=PlanCache(),
            exclusive=self._exclusive,
            progress=self._progress,
        )
        return InferCase(request, bench, test_folder=test_file.parent)

    def isolates(self, case: InferCase) -> bool:
        """Whether the test runs in processes of its own from the start: recordings do, and costs that others blur."""
        if self.in_worker or self.settings.isolate == "never":
            return False
        return self.settings.update is not None or self.settings.isolate == "always" or "host_memory" in case.wanted

    def decide(self, nodeid: str, test_file: Path, case: InferCase) -> tuple[Result, ...]:
        """Hold what the test measured against budgets and baselines, with fresh runs where they are needed.

        Raises:
            MeasurementError: a fresh run failed. SkippedInWorkerError: it skipped itself.
        """
        self.gate.tests = max(1, self.tests)
        decision = Decision(nodeid, case.request, self.settings, self.gate)

        def rerun(count: int) -> list[tuple[Measurement, ...]]:
            if self.settings.isolate == "never":
                return []
            return [self._fresh(nodeid, test_file, f"run {i + 1} of {count}") for i in range(count)]

        if not self.isolates(case):
            results = decision.compare(case.measurements, rerun)
        elif self.settings.update is not None:
            self._store.read(
                self.device, split_nodeid(nodeid)[0]
            )  # a file that can't be used is told before, not after
            results = decision.record(rerun)
        else:
            results = decision.compare(self._fresh(nodeid, test_file, "measuring"), rerun)
        return results

    def keep(self, content: list[dict[str, Any]]) -> None:
        """Take results as plain values: they may come from another process."""
        results = [msgspec.convert(item, Result) for item in content]
        again = {(r.nodeid, r.measurement.name) for r in results}
        self.results = [r for r in self.results if (r.nodeid, r.measurement.name) not in again] + results
        for result in results:
            self.extensions.verdict(result)

    def report(self) -> RunReport:
        """The finished session for reporters; its notes are what holds of the session as a whole."""
        told = [(r.ratio, r.changes[0].sessions) for r in self.results if r.ratio is not None and r.changes]
        line = self.gate.session_line([ratio for ratio, _ in told], [sessions for _, sessions in told])
        return RunReport(
            device={"slug": self.device.slug, "kind": self.device.kind, **self.device.identity},
            environment=self._environment,
            results=tuple(self.results),
            started=self._started.isoformat(timespec="seconds"),
            notes=() if line is None else (line,),
        )

    def save(self) -> str | None:
        """Write what was recorded and may be accepted; a line that says so, or None where nothing was recorded.

        Raises:
            BaselineError: it can't be written, and the files are as they were; or some of it was refused.
        """
        recorded = [r for r in self.results if r.recorded]
        if not recorded:
            return None
        accepted = [r for r in recorded if self._acceptable(r)]
        forced = [r for r in accepted if r.outcome is Outcome.REGRESSED]
        plain = [r for r in accepted if r.outcome is not Outcome.REGRESSED]
        session_id = f"{self._started:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
        session = Session(
            recorded=self._started.isoformat(timespec="seconds"),
            environment=self._environment,
            reason=self.settings.update_reason or (None if self.settings.update == "append" else "reset"),
        )
        # A slower speed that was accepted by force is a new beginning: beside the old runs it would only widen them.
        for results, reset in ((plain, self.settings.update == "reset"), (forced, True)):
            if results:
                updates = [_Update.of(r, session_id) for r in results]
                self._store.save(self.device, session_id, session, updates, reset=reset)
        told = f"baselines: {len(accepted)} saved to {self.settings.baselines}/{self.device.slug}"
        if refused := [r for r in recorded if r not in accepted]:
            names = ", ".join(f"{r.nodeid} ({r.outcome})" for r in refused)
            raise BaselineError(f"{told}, {len(refused)} refused: {names}")
        return told

    def _acceptable(self, result: Result) -> bool:
        if result.outcome is Outcome.REGRESSED:
            return self.settings.force
        if result.outcome is Outcome.INCONCLUSIVE:
            return self.settings.update == "reset"  # the runs that it can't be told apart from are to go
        return result.outcome not in {Outcome.INVALID, Outcome.INACCURATE, Outcome.OVER_BUDGET}

    def _fresh(self, nodeid: str, test_file: Path, what: str) -> tuple[Measurement, ...]:
        self._progress(f"{nodeid}: {what} in a fresh process")
        # Held for it from start to end: starting a process beside a measurement disturbs it like another measurement.
        with self._exclusive():
            answer = self._answer(nodeid, test_file)
        if answer.outcome == "skipped":
            raise SkippedInWorkerError(answer.message)
        if answer.outcome == "failed":
            lines = answer.message.splitlines()
            first = next((line for line in lines if line.startswith("E ")), lines[0] if lines else "").lstrip("E ")
            raise MeasurementError(f"{first} (in a process of its own)\n{answer.message}")
        return answer.measurements

    def _answer(self, nodeid: str, test_file: Path) -> Answer:
        return run_worker(
            f"{test_file}::{split_nodeid(nodeid)[1]}",
            args=self._launch.args,
            sys_path=self._launch.sys_path,
            variable=WORKER_VARIABLE,
            cwd=self._launch.cwd,
            timeout_s=self.settings.timeout,
        )

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        if self.in_worker:  # its parent holds the device for it
            yield
        else:
            with device_lock(self.device.slug, waiting=self._progress):
                yield


@dataclass(frozen=True, slots=True, kw_only=True)
class _Update:
    """What one result adds to the store."""

    module: str
    key: str
    workload: Mapping[str, object]
    runs: tuple[BaselineRun, ...]

    @classmethod
    def of(cls, result: Result, session_id: str) -> _Update:
        module, test = split_nodeid(result.nodeid)
        return cls(
            module=module,
            key=entry_key(test, result.measurement.name, result.measurement.digest),
            workload=result.measurement.workload,
            runs=tuple(
                BaselineRun(
                    session=session_id,
                    metrics=run.metrics,
                    samples=run.samples,
                    model=run.model_digest,
                    contention=run.contention,
                )
                for run in result.recorded
            ),
        )
