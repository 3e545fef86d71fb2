"""What a backend is to the rest of the plugin. Ours and third parties' are held to the same protocol."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_infer.device.fingerprint import Device
    from pytest_infer.precision import CalibrationSet
    from pytest_infer.workload import TensorSpec

    Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What an engine is to be.

    Attributes:
        model: the file, after the test's folder and rootdir were searched.
        precision: the arithmetic it must run in.
        batch: for a dynamic first dimension; None where nobody asked.
        shapes: other dynamic dimensions, by input name.
        options: the backend's own.
        calibration: the user's samples, for a precision that needs them.
        threads: host threads that the engine may use.
    """

    model: Path
    precision: Precision = Precision.FP32
    batch: int | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    calibration: CalibrationSet | None = None
    threads: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPlan:
    """A plan on disk.

    Attributes:
        folder: holds the plan's files and nothing else.
        facts: what the backend found out about it while building: its proof of precision.
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

    inputs: tuple[TensorSpec, ...]
    """Every dimension a number."""
    outputs: tuple[str, ...]
    """Output names, in the model's order."""
    facts: Mapping[str, Any]
    """What it proved to be: provider, precision, threads."""

    def infer(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run once on arrays of exactly the shapes of `inputs`."""
        ...

    def bind(self, rotation: Sequence[Arrays]) -> Callable[[], object]:
        """A callable that runs once, buffers bound now, going through `rotation` call by call."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


class Backend(Protocol):
    """Builds and loads engines of one kind."""

    name: str

    def refuses(self, precision: Precision, device: Device) -> str | None:
        """Why this backend can't compute in `precision` on `device` (the test is skipped with it), or None."""
        ...

    def key(self, request: BuildRequest) -> Mapping[str, Any]:
        """What a plan depends on beyond model, precision, samples and device: library version, options, shapes.

        Shapes only where the plan is made for them: one that takes any is then built once for all.
        """
        ...

    def build(self, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Write the plan into `folder`; the facts that prove what it is.

        Raises:
            EngineBuildError: it can't be built. PrecisionError: it came out as something else.
        """
        ...

    def load(self, request: BuildRequest, plan: BuiltPlan) -> LoadedEngine:
        """Load a plan."""
        ...
