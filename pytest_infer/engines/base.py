"""What a backend is to the rest of the plugin. Ours and third parties' are held to the same protocol."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pytest_infer.workload import Precision, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_infer.device.fingerprint import Device
    from pytest_infer.engines.truth import Proof
    from pytest_infer.precision import CalibrationSet
    from pytest_infer.workload import TensorSpec

    Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What an engine is to be.

    Attributes:
        model: the file, after the test's folder and rootdir were searched.
        device: what it is built for and runs on.
        precision: the arithmetic it must run in.
        batch: for a dynamic first dimension; None where nobody asked.
        shapes: other dynamic dimensions, by input name.
        options: the backend's own.
        calibration: the user's samples, for a precision that needs them.
        ranges: the folder where the ranges of calibrations are kept; None keeps none.
        threads: host threads that the engine may use.
        scenario: how requests arrive.
        as_it_is: whether the model is in an arithmetic that nobody can ask for, and is to be left in it; `precision`
            is fp32 then.
    """

    model: Path
    device: Device
    precision: Precision = Precision.FP32
    batch: int | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    calibration: CalibrationSet | None = None
    ranges: Path | None = None
    threads: int = 1
    scenario: Scenario = Scenario.SINGLE_STREAM
    as_it_is: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileRequest:
    """What an engine made of a Python object is to be; attributes as `BuildRequest`'s.

    Attributes:
        model: the user's object: a module, an exported program, a function; or the path of a file that holds one.
        example: one input by position or by name, as the user gave it; None where nobody did.
        fresh: whether nothing that a library kept of earlier compilations may be used: their time is what is asked.
    """

    model: Any
    device: Device
    example: Any = None
    precision: Precision = Precision.FP32
    batch: int | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 1
    scenario: Scenario = Scenario.SINGLE_STREAM
    fresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPlan:
    """A plan on disk.

    Attributes:
        folder: holds the plan's files and nothing else.
        facts: what the backend found out about it while building.
        build_s: how long the build took, when it was made.
        size_mb: its files, together.
        cached: whether it was there already.
    """

    folder: Path
    facts: Mapping[str, Any]
    build_s: float
    size_mb: float
    cached: bool


class LoadedEngine(Protocol):
    """An engine ready to run."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What it takes, every dimension a number."""
        ...

    @property
    def outputs(self) -> tuple[str, ...]:
        """Output names, in the model's order."""
        ...

    @property
    def proof(self) -> Proof:
        """What it was found to be; it is held against what was asked before anything is timed."""
        ...

    @property
    def facts(self) -> Mapping[str, Any]:
        """What else a report should tell: provider, threads, library."""
        ...

    @property
    def costs(self) -> Mapping[str, float]:
        """What it takes by metric name (`device_memory` in MB), beyond build, load and size."""
        ...

    @property
    def in_flight(self) -> int:
        """How many inferences one call of what `bind` gives makes: 1, but where requests overlap (scenario offline)."""
        ...

    def infer(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run once on arrays of exactly the shapes of `inputs`."""
        ...

    def bind(self, rotation: Sequence[Arrays]) -> Callable[[], object]:
        """A callable that runs once, buffers bound now, going through `rotation` call by call."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


class AnyBackend(Protocol):
    """What every backend says of itself."""

    @property
    def name(self) -> str:
        """Part of a plan's key."""
        ...

    @property
    def scenarios(self) -> frozenset[Scenario]:
        """How requests may arrive."""
        ...

    def refuses(self, precision: Precision, device: Device) -> str | None:
        """Why this backend can't compute in `precision` on `device` (the test is skipped with it), or None."""
        ...


class Backend(AnyBackend, Protocol):
    """Builds plans from model files, which are kept and loaded: ONNX Runtime, TensorRT, OpenVINO."""

    def key(self, request: BuildRequest) -> Mapping[str, Any]:
        """What a plan depends on beyond model, precision, samples and device: library version, options, shapes.

        Shapes only where the plan is made for them: one that takes any is then built once for all.
        """
        ...

    def build(self, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Write the plan into `folder`; facts for whoever loads it, as JSON values.

        Raises:
            EngineBuildError: it can't be built. PrecisionError: it came out as something else.
        """
        ...

    def load(self, request: BuildRequest, plan: BuiltPlan) -> LoadedEngine:
        """Load a plan."""
        ...


@runtime_checkable
class CompilingBackend(AnyBackend, Protocol):
    """Makes engines of Python objects, in this process: torch, JAX. The time it takes is the build's."""

    def compile(self, request: CompileRequest) -> LoadedEngine:
        """Compile now, with everything that a first call would do.

        Raises:
            EngineBuildError: it can't be compiled. UsageError: an object of another kind.
        """
        ...
