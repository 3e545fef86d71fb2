"""Builders that several files share, and how hypothesis runs here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from pytest_infer.baselines.schema import (
    SCHEMA,
    BaselineFile,
    BaselineRun,
    Calibration,
    Entry,
    Session,
    entry_key,
)
from pytest_infer.device.fingerprint import Device
from pytest_infer.measurement import Measurement, Samples
from pytest_infer.result import Result
from pytest_infer.verdict import Change, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_infer.baselines.store import Update

CPU = Device(slug="cpu-x-4c", kind="cpu", name="CPU X", identity={"cores": 4})

# No test of ours judges a real time: neither an example's nor a whole run's.
settings.register_profile("unit", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")


@pytest.fixture(scope="session")
def make_change() -> Callable[..., Change]:
    """A change in which nothing is wrong, but for what is given."""

    def make(**given: Any) -> Change:
        values: dict[str, Any] = {
            "metric": "latency",
            "unit": "ms",
            "estimate": 0.001,
            "low": -0.01,
            "high": 0.012,
            "p": 0.4,
            "detectable": 0.01,
            "tolerance": 0.02,
            "regressed": False,
            "improved": False,
            "suspected": False,
            "blind": False,
            "provisional": False,
            "baseline": 2.0,
            "current": 2.002,
            "runs": 15,
            "sessions": 3,
            "confirmed": 0,
        }
        return Change(**(values | given))

    return make


@pytest.fixture(scope="session")
def make_measurement() -> Callable[..., Measurement]:
    """An undisturbed measurement of 2 ms, but for what is given."""

    def make(**given: Any) -> Measurement:
        values: dict[str, Any] = {
            "name": "",
            "workload": {"target": "net.onnx", "backend": "onnxruntime", "precision": "fp32", "batch": 1},
            "digest": "0123456789ab",
            "metrics": {"latency": 2.0},
        }
        return Measurement(**(values | given))

    return make


@pytest.fixture(scope="session")
def make_result(make_measurement: Callable[..., Measurement]) -> Callable[..., Result]:
    """A passed result with samples, but for what is given."""

    def make(**given: Any) -> Result:
        values: dict[str, Any] = {
            "nodeid": "tests/test_net.py::test_net[fp32-b1]",
            "outcome": Outcome.PASSED,
            "failed": False,
            "reasons": (),
            "measurement": make_measurement(
                metrics={"latency": 2.0, "p99_latency": 2.5, "throughput": 500.0},
                intervals={"latency": (1.98, 2.02)},
                samples=Samples(
                    count=700, warmup=40, block_medians_ns=(2_000_000,) * 5, quantiles_ns={"p50": 2_000_000}
                ),
            ),
        }
        return Result(**(values | given))

    return make


class MemoryStore:
    """A BaselineStore without a disk: what tests put into `files` (by device and module) is what there is."""

    def __init__(self) -> None:
        """Hold nothing."""
        self.files: dict[tuple[str, str], BaselineFile] = {}
        self.studies: dict[str, Calibration] = {}

    def read(self, device: Device, module: str) -> BaselineFile | None:
        """One module's file, or None."""
        return self.files.get((device.slug, module))

    def read_all(self, device: Device) -> list[BaselineFile]:
        """Every file of the device."""
        return [file for (slug, _), file in self.files.items() if slug == device.slug]

    def calibration(self, device: Device) -> Calibration | None:
        """What a study found."""
        return self.studies.get(device.slug)

    def save_calibration(self, device: Device, calibration: Calibration) -> None:
        """Keep what a study found."""
        self.studies[device.slug] = calibration

    def devices(self) -> tuple[str, ...]:
        """Slugs of the devices that have files."""
        return tuple(sorted({slug for slug, _ in self.files}))

    def check_writable(self, device: Device) -> None:
        """Memory always is."""

    def save(self, device: Device, session_id: str, session: Session, updates: Iterable[Update], *, reset: bool) -> int:
        """Nothing here saves."""
        raise NotImplementedError

    def put(
        self,
        module: str,
        tests: Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]],
        *,
        device: Device = CPU,
        digest: str = "d",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Keep a module's file: test to session to the metrics of each run; the workload is told by its digest."""
        self.files[device.slug, module] = BaselineFile(
            schema=SCHEMA,
            device={"slug": device.slug},
            sessions={
                session: Session(recorded=session, environment=dict(environment or {}))
                for sessions in tests.values()
                for session in sessions
            },
            entries={
                entry_key(test, "", digest): Entry(
                    workload={"target": "net.onnx", "batch": 1},
                    runs=tuple(
                        BaselineRun(session=session, metrics=dict(metrics), model="m" * 64)
                        for session, runs in sessions.items()
                        for metrics in runs
                    ),
                )
                for test, sessions in tests.items()
            },
        )


@pytest.fixture
def store() -> MemoryStore:
    """A store in which eight tests of one module hold three quiet sessions of five runs each."""
    filled = MemoryStore()
    filled.put("test_net.py", {f"test_{i}": quiet(1.0 + i) for i in range(8)})
    return filled


def quiet(level: float, sessions: int = 3, runs: int = 5) -> dict[str, list[dict[str, float]]]:
    """Runs of a quiet machine around a latency of `level` ms: 0.2 % inside a session, 0.2 % between sessions."""
    wobble = (0.0, 0.002, -0.002, 0.001, -0.001)
    content: dict[str, list[dict[str, float]]] = {}
    for session in range(sessions):
        latencies = [level * (1 + wobble[run % 5] + wobble[(session + round(level)) % 5]) for run in range(runs)]
        content[f"2024010{session + 1}T000000-aa"] = [{"latency": ms, "throughput": 1000 / ms} for ms in latencies]
    return content
