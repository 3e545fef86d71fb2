"""A measurement on a disturbed GPU is made again, then invalid; its figures come from the GPU's instruments."""

from __future__ import annotations

import itertools
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import pytest

from pytest_infer.config import Settings
from pytest_infer.device import cpu_state
from pytest_infer.device.allocators import MemoryUse
from pytest_infer.device.energy import EnergyWindow
from pytest_infer.device.fingerprint import Device
from pytest_infer.device.gpu_state import GpuSummary
from pytest_infer.engines.plan_cache import PlanCache
from pytest_infer.engines.target import CallableTarget
from pytest_infer.errors import MeasurementError, UsageError
from pytest_infer.measuring import DISTURBED_REPEATS, Bench, measure_target
from pytest_infer.workload import Workload

if TYPE_CHECKING:
    from pytest_infer.measurement import Measurement

GPU = Device(slug="gpu-x", kind="gpu", name="X", uuid="GPU-a")
MS = 1_000_000


@dataclass
class Instruments:
    """A GPU's, as scripted: what disturbed each attempt, and what there is to read."""

    disturbed: list[tuple[str, ...]] = field(default_factory=list)
    memory_mb: float | None = 900.0
    window: EnergyWindow | None = None
    judged_ns: list[int] = field(default_factory=list)
    attempts: int = 0

    @property
    def memory(self) -> Any:
        """A meter that knows of a context of 100 MB."""

        def use(_backend: str, state: dict[str, float]) -> MemoryUse | None:
            held = state.get("process_memory_mb")
            return None if held is None else MemoryUse(peak_mb=held - 100, told_by="NVML")

        return SimpleNamespace(context_mb=100.0, start=lambda: None, use=use)

    def watch(self) -> Self:
        """Watch one attempt."""
        return self

    def __enter__(self) -> Self:
        """Begin."""
        self.attempts += 1
        return self

    def __exit__(self, *_: object) -> None:
        """End."""

    def summary(self, last_ns: int) -> GpuSummary:
        """What was seen."""
        self.judged_ns.append(last_ns)
        return GpuSummary(samples=5, sm_mhz=1980, process_memory_mb=self.memory_mb)

    def disturbance(self, _last_ns: int) -> tuple[str, ...]:
        """What the script says of this attempt."""
        return self.disturbed[self.attempts - 1] if self.attempts <= len(self.disturbed) else ()

    def idle_power_w(self) -> float | None:
        """The power before."""
        return 80.0

    def energy(self, _run: object, *, max_ns: int) -> EnergyWindow:
        """The energy of some work."""
        assert max_ns == 60_000 * MS
        if self.window is None:
            raise MeasurementError("window too short for energy")
        return self.window


@pytest.fixture(autouse=True)
def _quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_infer.measuring.read_cpu_state", cpu_state.CpuState)
    monkeypatch.setattr("pytest_infer.measuring.tracers", lambda: ())


def measured(instruments: Instruments, *wanted: str, batch: int | None = None) -> Measurement:
    """Measure a callable of 1 ms on a clock that the call itself moves."""
    now = itertools.count(step=MS // 2).__next__
    told: list[str] = []
    bench = Bench(
        settings=Settings(root=Path(), time=0.05),
        device=GPU,
        backend=pytest.fail,
        plans=PlanCache(),
        exclusive=nullcontext,
        progress=told.append,
        clock=now,
        instruments=lambda: instruments,  # type: ignore[arg-type, return-value]
    )
    target = CallableTarget(lambda: None, workload=Workload(target="f", backend="callable", batch=batch))
    return measure_target(target, None, name="", wanted=wanted, accuracy=None, against=(), bench=bench)


def test_an_undisturbed_one_is_made_once() -> None:
    """The GPU's state goes with it, and what is judged is what was timed, without the warm-up."""
    instruments = Instruments()
    found = measured(instruments, "latency")
    assert (found.disturbed, instruments.attempts) == ((), 1)
    assert found.device_state == {
        "samples": 5, "sm_mhz": 1980, "process_memory_mb": 900, "processes": 0, "uuid": "GPU-a",
    }  # fmt: skip
    assert found.samples is not None
    timed_ns = found.samples.count * MS // 2
    assert timed_ns <= instruments.judged_ns[0] <= timed_ns + 2 * MS
    assert "device_memory" not in found.metrics, "it is the whole process's: only where a test asks for it"


def test_a_disturbed_one_is_made_again() -> None:
    """The repetition counts, and its state."""
    instruments = Instruments(disturbed=[("another process",), ("the SM clock",)])
    assert (measured(instruments).disturbed, instruments.attempts) == ((), 3)


def test_one_that_stays_disturbed_says_so() -> None:
    """After the repetitions it is what it is: not to be believed, with the last reasons."""
    reasons = [("first",), ("second",), ("heat", "another process")]
    instruments = Instruments(disturbed=reasons)
    assert measured(instruments).disturbed == ("heat", "another process")
    assert instruments.attempts == 1 + DISTURBED_REPEATS


def test_memory_power_and_energy() -> None:
    """Where budgets or the gate ask for them; energy is a sample's, so it knows the batch; idle power is told apart."""
    window = EnergyWindow(energy_mj=600_000, elapsed_ns=1_200 * MS, calls=1_000)
    found = measured(Instruments(window=window), "device_memory", "power", "energy", batch=4)
    metrics = {name: found.metrics[name] for name in ("device_memory", "power", "energy")}
    assert metrics == {"device_memory": 800, "power": 500, "energy": 150}
    state = found.device_state
    assert (state["idle_power_w"], state["context_memory_mb"], state["device_memory_by"]) == (80, 100, "NVML")


def test_a_window_too_short_is_an_error() -> None:
    """A budget that nothing was measured for is not kept in silence."""
    with pytest.raises(MeasurementError, match="window too short"):
        measured(Instruments(), "energy")
    measured(Instruments(), "latency")


def test_memory_that_nobody_tells() -> None:
    """In a container whose process ids are its own the driver's list has none of ours."""
    with pytest.raises(UsageError, match="'device_memory' can't be measured here"):
        measured(Instruments(memory_mb=None), "device_memory")


def test_a_backend_s_own_figure_wins() -> None:
    """It knows its engine's memory without the process's."""
    instruments: Any = Instruments()
    target = CallableTarget(lambda: None, workload=Workload(target="f", backend="callable"))
    target.costs["device_memory"] = 12.0
    bench = Bench(
        settings=Settings(root=Path(), time=0.01),
        device=GPU,
        backend=pytest.fail,
        plans=PlanCache(),
        exclusive=nullcontext,
        progress=lambda _: None,
        clock=itertools.count(step=MS).__next__,
        instruments=lambda: instruments,
    )
    found = measure_target(target, None, name="", wanted=["device_memory"], accuracy=None, against=(), bench=bench)
    assert found.metrics["device_memory"] == 12
    assert found.device_state["device_memory_by"] == "the engine, by callable"
