"""From what a test asks for to an engine: find the model, build or take the plan, load it, note the costs."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infer.engines.base import BuildRequest
from pytest_infer.engines.model_file import find_model, model_digest, own_precision
from pytest_infer.engines.target import CallableTarget, InferEngine
from pytest_infer.errors import EngineBuildError, PrecisionRefusedError, UsageError
from pytest_infer.precision import TRANSFORM_VERSION, CalibrationSet
from pytest_infer.precision.model import inputs
from pytest_infer.workload import Precision, Scenario, Workload

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from pytest_infer.device.fingerprint import Device
    from pytest_infer.engines.base import Backend
    from pytest_infer.engines.plan_cache import PlanCache


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where engines are built: device, backends by name, folders that models are searched in, plan cache, threads.

    `memory` measures host memory of a stretch of code: it is called before loading, and what it gives is called after,
    for (resident, peak) growth in MB or None.
    """

    device: Device
    backend: Callable[[str], Backend]
    test_folder: Path
    root: Path
    plans: PlanCache
    threads: int
    memory: Callable[[], Callable[[], tuple[float, float] | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRequest:
    """Which engine: a file and how to build it, or a callable."""

    model: str | os.PathLike[str] | Callable[..., Any]
    backend: str
    precision: Precision | None = None
    batch: int | None = None
    shapes: Mapping[str, tuple[int, ...]]
    options: Mapping[str, Any]
    inputs: Any = None
    calibration: Any = None
    scenario: Scenario = Scenario.SINGLE_STREAM
    fresh_build: bool = False


def open_target(request: EngineRequest, around: Surroundings) -> InferEngine | CallableTarget:
    """Build (or take from the cache) and load.

    Raises:
        PrecisionRefusedError: to skip with. UsageError, EngineBuildError, PrecisionError: as they say.
    """
    if callable(request.model):
        return _callable_target(request)
    backend = around.backend(request.backend)
    model = find_model(request.model, around.test_folder, around.root)
    precision = request.precision or own_precision(model)
    if (reason := backend.refuses(precision, around.device)) is not None:
        raise PrecisionRefusedError(f"{precision} on {around.device.name}: {reason}")
    with tempfile.TemporaryDirectory(prefix="pytest-infer-calibration-") as spool:
        samples = None
        if precision is Precision.INT8 and request.calibration is not None:
            samples = CalibrationSet.spool(request.calibration, Path(spool), inputs(model))
        build = BuildRequest(
            model=model,
            precision=precision,
            batch=request.batch,
            shapes=request.shapes,
            options=request.options,
            calibration=samples,
            threads=around.threads,
        )
        return _open(backend, build, request, around)


def _open(backend: Backend, build: BuildRequest, request: EngineRequest, around: Surroundings) -> InferEngine:
    digest = model_digest(build.model)
    key = {
        "model": digest,
        "precision": str(build.precision),
        "transform": TRANSFORM_VERSION,
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
    return InferEngine(
        loaded,
        workload=Workload(
            target=build.model.name,
            backend=request.backend,
            precision=build.precision,
            batch=build.batch or _batch(loaded.inputs[0].shape if loaded.inputs else ()),
            inputs=loaded.inputs,
            scenario=request.scenario,
            options={"threads": build.threads, **request.options},
        ),
        costs={"build": plan.build_s, "load": load_ms, "engine_size": plan.size_mb},
        model_digest=digest,
        load_memory_mb=finish(),
        given_inputs=request.inputs,
    )


def _batch(shape: tuple[int | str, ...]) -> int | None:
    return int(shape[0]) if shape else None


def _callable_target(request: EngineRequest) -> CallableTarget:
    function = request.model
    if not callable(function):
        raise UsageError(f"{function!r} is not callable")
    if request.precision is not None or request.shapes or request.calibration is not None:
        raise UsageError("a callable computes as it is: precision, shapes and calibration are for models in files")
    module = getattr(function, "__module__", None) or type(function).__module__
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return CallableTarget(
        function,
        workload=Workload(
            target=f"{module}:{name.rpartition('.')[2]}",
            backend="callable",
            batch=request.batch,
            scenario=request.scenario,
            options=request.options,
        ),
        given_inputs=request.inputs,
    )
