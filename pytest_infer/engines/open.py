"""From what a test asks for to an engine: find the model, build or take the plan, load it, note the costs."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.engines.base import BuildRequest, CompileRequest, CompilingBackend
from pytest_infer.engines.known import QUANTIZED, Known, content_if_told, of_file, of_object
from pytest_infer.engines.model_file import find_model, model_digest
from pytest_infer.engines.registry import CALLABLE
from pytest_infer.engines.shapes import counting
from pytest_infer.engines.target import CallableTarget, InferEngine
from pytest_infer.engines.truth import PROOF_VERSION, hold
from pytest_infer.errors import EngineBuildError, PrecisionError, PrecisionRefusedError, UsageError
from pytest_infer.precision import TRANSFORM_VERSION, CalibrationSet, Unconvertible
from pytest_infer.precision.model import inputs
from pytest_infer.workload import Precision, Scenario, Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pytest_infer.device.fingerprint import Device
    from pytest_infer.engines.base import Backend, LoadedEngine
    from pytest_infer.engines.plan_cache import PlanCache


COLD: Final = "cold_l2"
"""The one option that is not the backend's: each timed call finds the GPU's L2 cache empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where engines are built: device, backends by name, folders that models are searched in, plan cache, threads.

    `memory` measures host memory of a stretch of code: it is called before loading, and what it gives is called after,
    for (resident, peak) growth in MB or None. `tell` is given a line for each step of a long build.
    """

    device: Device
    backend: Callable[[str], Backend | CompilingBackend]
    test_folder: Path
    root: Path
    plans: PlanCache
    threads: int
    memory: Callable[[], Callable[[], tuple[float, float] | None]]
    tell: Callable[[str], None] = lambda _line: None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRequest:
    """Which engine: a file or an object and how to build it, or a callable to take as it is."""

    model: Any
    backend: str
    precision: Precision | None = None
    batch: int | None = None
    shapes: Mapping[str, tuple[int, ...]]
    options: Mapping[str, Any]
    inputs: Any = None
    calibration: Any = None
    scenario: Scenario = Scenario.SINGLE_STREAM
    fresh_build: bool = False

    @property
    def own_options(self) -> Mapping[str, Any]:
        """The backend's own."""
        return {name: value for name, value in self.options.items() if name != COLD}

    @property
    def meaning(self) -> Mapping[str, Any]:
        """Options as part of the workload's identity: a cache that stays warm is what is always meant."""
        return self.options if self.options.get(COLD) else self.own_options


def open_target(request: EngineRequest, around: Surroundings) -> InferEngine | CallableTarget:
    """Build (or take from the cache) and load.

    Raises:
        PrecisionRefusedError: to skip with. UsageError, EngineBuildError, PrecisionError: as they say.
    """
    _check_cold(request, around.device)
    if request.backend == CALLABLE:
        return _callable_target(request)
    backend = around.backend(request.backend)
    if hasattr(backend, "tell"):
        backend.tell = around.tell
    if request.scenario not in backend.scenarios:
        raise UsageError(
            f"scenario={str(request.scenario)!r} is not available on this backend ({request.backend}); it has "
            f"{', '.join(sorted(backend.scenarios))}"
        )
    if isinstance(backend, CompilingBackend):
        return _compiled(backend, request, around)
    if not isinstance(request.model, str | os.PathLike):
        raise UsageError(
            f"backend {request.backend!r} builds model files, not {type(request.model).__name__}; name a file, or "
            "leave backend out to measure a callable as it is"
        )
    model = find_model(request.model, around.test_folder, around.root)
    content = content_if_told(model, request.precision)
    own = None if content is None else content.precision
    precision = request.precision or (own if isinstance(own, Precision) else Precision.FP32)
    _check_precision(backend, precision, around.device)
    with tempfile.TemporaryDirectory(prefix="pytest-infer-calibration-") as spool:
        samples = None
        if precision in QUANTIZED and request.calibration is not None:
            takes = inputs(model) if content is None else content.inputs
            samples = CalibrationSet.spool(request.calibration, Path(spool), takes)
        build = BuildRequest(
            model=model,
            device=around.device,
            precision=precision,
            batch=request.batch,
            shapes=request.shapes,
            options=request.own_options,
            calibration=samples,
            ranges=around.plans.ranges,
            threads=around.threads,
            scenario=request.scenario,
            as_it_is=request.precision is None and isinstance(own, Unconvertible),
        )
        return _open(backend, build, request, around, of_file(build, content))


def _open(
    backend: Backend, build: BuildRequest, request: EngineRequest, around: Surroundings, known: Known
) -> InferEngine:
    key = {
        "model": known.digest,
        "precision": str(known.precision),
        "transform": TRANSFORM_VERSION,
        "converters": known.converters,
        "proof": PROOF_VERSION,
        "backend": backend.name,
        "calibration": None if build.calibration is None else build.calibration.digest,
        "device": dict(around.device.identity),
        **backend.key(build),
    }
    try:
        plan = around.plans.get(key, lambda folder: backend.build(build, folder), fresh=request.fresh_build)
    except OSError as error:
        raise EngineBuildError(
            f"{build.model}: its plan can't be written to the cache ({error.strerror}: {error.filename}); make room "
            "there, or set XDG_CACHE_HOME to a folder that can be written"
        ) from error
    finish = around.memory()
    begun = time.perf_counter()
    loaded = backend.load(build, plan)
    load_ms = (time.perf_counter() - begun) * 1e3
    costs = {"load": load_ms, "engine_size": plan.size_mb} | ({} if plan.cached else {"build": plan.build_s})
    return _engine(loaded, request, build, costs, finish(), known)


def _compiled(backend: CompilingBackend, request: EngineRequest, around: Surroundings) -> InferEngine:
    """An engine of a Python object: what compiling it takes is its build time; there is no plan to keep."""
    model = request.model
    if isinstance(model, str | os.PathLike):
        model = find_model(model, around.test_folder, around.root)
    precision = request.precision or Precision.FP32
    _check_precision(backend, precision, around.device)
    if precision is Precision.INT8 and request.calibration is not None:
        raise PrecisionRefusedError(
            f"{precision} on {around.device.name}: backend {request.backend!r} quantizes no model by itself; give it "
            "one that is quantized, and no calibration"
        )
    build = CompileRequest(
        model=model,
        device=around.device,
        example=request.inputs() if callable(request.inputs) else request.inputs,  # making it is no part of the build
        precision=precision,
        batch=request.batch,
        shapes=request.shapes,
        options=request.own_options,
        threads=around.threads,
        scenario=request.scenario,
        fresh=request.fresh_build,
    )
    finish = around.memory()
    begun = time.perf_counter()
    loaded = backend.compile(build)
    # Otherwise a library's own cache may have had a part in it.
    costs = {"build": time.perf_counter() - begun} if request.fresh_build else {}
    known = of_object(model_digest(model) if isinstance(model, Path) else None, precision)
    return _engine(loaded, request, build, costs, finish(), known)


def _engine(
    loaded: LoadedEngine,
    request: EngineRequest,
    build: BuildRequest | CompileRequest,
    costs: dict[str, float],
    memory: tuple[float, float] | None,
    known: Known,
) -> InferEngine:
    """The engine, if it is what was asked for.

    Raises:
        PrecisionError: it is something else.
    """
    target = _name(build.model)
    try:
        proved = hold(loaded.proof, known.precision, target, beside=known.beside)
    except PrecisionError:
        loaded.close()
        raise
    return InferEngine(
        loaded,
        workload=Workload(
            target=target,
            backend=request.backend,
            precision=known.precision if isinstance(known.precision, Precision) else None,
            batch=build.batch or _batch(loaded, known.open_first),
            inputs=loaded.inputs,
            scenario=request.scenario,
            options={"threads": build.threads, **request.meaning},
        ),
        costs={**costs, **loaded.costs},
        facts={**proved, **loaded.facts},
        model_digest=known.digest,
        load_memory_mb=memory,
        given_inputs=request.inputs,
        open_first=known.open_first,
    )


def _check_precision(backend: Backend | CompilingBackend, precision: Precision, device: Device) -> None:
    if (reason := backend.refuses(precision, device)) is not None:
        raise PrecisionRefusedError(f"{precision} on {device.name}: {reason}")


def _batch(loaded: LoadedEngine, open_first: Collection[str] | None) -> int | None:
    """How many samples a run takes; where no input is known to count them, the first one's first dimension."""
    batch, _ = counting(loaded.inputs, open_first, None)
    return batch if batch is not None else counting(loaded.inputs, None, None)[0]


def _callable_target(request: EngineRequest) -> CallableTarget:
    function = request.model
    if not callable(function):
        if isinstance(function, str | os.PathLike):
            raise UsageError(f"backend {CALLABLE!r} takes a callable, not the file {os.fspath(function)!r}")
        raise UsageError(
            f"the model, {_name(function)}, is neither a path nor callable; give what computes, e.g. its predict method"
        )
    if request.scenario is not Scenario.SINGLE_STREAM:
        raise UsageError(f"scenario={str(request.scenario)!r} is not available for a callable; single_stream is")
    if request.precision is not None or request.shapes or request.calibration is not None:
        raise UsageError("a callable computes as it is: precision, shapes and calibration are for models in files")
    if unheard := sorted(request.own_options):
        raise UsageError(f"options={{{unheard[0]!r}: ...}}: a callable takes no option but {COLD!r}; it runs as it is")
    return CallableTarget(
        function,
        workload=Workload(
            target=_name(function),
            backend=CALLABLE,
            batch=request.batch,
            scenario=request.scenario,
            options=request.meaning,
        ),
        given_inputs=request.inputs,
    )


def _check_cold(request: EngineRequest, device: Device) -> None:
    cold = request.options.get(COLD, False)
    if not isinstance(cold, bool):
        raise UsageError(f"options={{{COLD!r}: {cold!r}}}: True or False is needed")
    if cold and device.kind != "gpu":
        raise UsageError(
            f"options={{{COLD!r}: True}}: that flushes a GPU's L2 cache, and this is {device.name}; choose a GPU with "
            "--infer-gpu, or drop it"
        )


def _name(model: Any) -> str:
    """What a model is called: a file by its name, an object by its module's and its own."""
    if isinstance(model, Path):
        return model.name
    module = getattr(model, "__module__", None) or type(model).__module__
    name = getattr(model, "__qualname__", None) or type(model).__qualname__
    return f"{module}:{name.rpartition('.')[2]}"
