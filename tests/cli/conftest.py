"""The command line on real files: baselines and reports made by the code that writes them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, settings

from pytest_infer.baselines.codec import encode
from pytest_infer.baselines.places import place_of
from pytest_infer.baselines.schema import SCHEMA, BaselineFile, BaselineRun, Entry, Session
from pytest_infer.cli import main
from pytest_infer.measurement import Measurement
from pytest_infer.report.json_report import encode as encode_report
from pytest_infer.result import Result, RunReport
from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

settings.register_profile("unit", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")

SLUG = "cpu-x-4c"
DAY = "20240101T000000-aa"


@dataclass(frozen=True)
class Said:
    """What a command came to."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as plain values."""
        return json.loads(self.out)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of pytest's, in which commands start."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


@pytest.fixture(scope="session")
def call() -> Callable[..., Said]:
    """Run `pytest-infer` with these arguments."""

    def run(*arguments: str | Path) -> Said:
        done = CliRunner().invoke(main, [str(argument) for argument in arguments])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Said(status=done.exit_code, out=done.stdout, err=done.stderr)

    return run


@pytest.fixture(scope="session")
def store() -> Callable[..., Path]:
    """Write a module's baselines into a folder: test to session to latencies in ms."""

    def write(
        folder: Path,
        tests: Mapping[str, Mapping[str, Sequence[float]]],
        *,
        module: str = "tests/test_net.py",
        slug: str = SLUG,
        environment: Mapping[str, str] | None = None,
    ) -> Path:
        path = folder / place_of(slug, module)
        path.parent.mkdir(parents=True, exist_ok=True)
        names = {session for sessions in tests.values() for session in sessions}
        file = BaselineFile(
            schema=SCHEMA,
            device={"slug": slug, "cores": 4},
            sessions={name: Session(recorded=name, environment=dict(environment or {})) for name in names},
            entries={
                f"{test} 0123456789ab": Entry(
                    workload={"target": "net.onnx", "batch": 1},
                    runs=tuple(
                        BaselineRun(session=session, metrics={"latency": ms, "throughput": 1000 / ms})
                        for session, latencies in sessions.items()
                        for ms in latencies
                    ),
                )
                for test, sessions in tests.items()
            },
        )
        path.write_text(encode(file))
        return path

    return write


@pytest.fixture(scope="session")
def measured() -> Callable[..., Result]:
    """A result: one run, or the runs of a recording, by their latencies in ms."""

    def make(test: str, *latencies: float, recorded: bool = False, **given: Any) -> Result:
        runs = tuple(
            Measurement(
                name="",
                workload={"target": "net.onnx", "batch": 1},
                digest=given.get("digest", "0123456789ab"),
                metrics={"latency": ms, "throughput": 1000 / ms},
                intervals={"latency": (ms * 0.99, ms * 1.01)},
                device=given.get("device", SLUG),
                contention=given.get("contention", {"others": 0.01}),
            )
            for ms in latencies
        )
        return Result(
            nodeid=f"tests/test_net.py::{test}",
            outcome=given.get("outcome", Outcome.NO_BASELINE),
            failed=False,
            reasons=given.get("reasons", ()),
            changes=given.get("changes", ()),
            measurement=runs[0],
            recorded=runs if recorded else (),
        )

    return make


@pytest.fixture(scope="session")
def reported() -> Callable[..., Path]:
    """Write a report of results."""

    def write(path: Path, *results: Result, **given: Any) -> Path:
        report = RunReport(
            device={"slug": SLUG, "kind": "cpu", "cores": 4},
            environment={"driver": "1"},
            results=results,
            started="2024-01-01T00:00:00+00:00",
            session=DAY,
            devices=({"slug": SLUG, "cores": 4},),
            update="append" if any(result.recorded for result in results) else None,
        )
        path.write_bytes(encode_report(replace(report, **given)))
        return path

    return write


def tree(folder: Path) -> dict[str, bytes]:
    """Every file under a folder with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
