"""From an ONNX file to a plan: parse, set shapes and options, build, and see what came out."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_infer.engines.capability import tf32_forbidden
from pytest_infer.engines.shapes import resolved
from pytest_infer.engines.tensorrt.inspection import listing_proof, network_proof
from pytest_infer.engines.tensorrt.options import apply_options
from pytest_infer.engines.tensorrt.timing_cache import timing_cache
from pytest_infer.errors import EngineBuildError, UsageError
from pytest_infer.precision.model import inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_infer.engines.base import BuildRequest
    from pytest_infer.engines.tensorrt.library import Library, Said
    from pytest_infer.engines.truth import Proof
    from pytest_infer.workload import TensorSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a build gave.

    Attributes:
        plan: the serialized engine.
        proof: what the builder told of it.
        network: what the network promised, for an engine that tells nothing of its layers.
        tf32: whether products of fp32 were allowed to run in TF32.
    """

    plan: bytes
    proof: Proof
    network: Proof
    tf32: bool


def build_plan(library: Library, onnx: Path, request: BuildRequest, tell: Callable[[str], None]) -> Built:
    """Build the network in `onnx`, which is the request's model in the asked precision.

    Args:
        library: who builds.
        onnx: the file; its external data lies beside it.
        request: shapes, options and device.
        tell: is given a line for every step of the build.

    Raises:
        EngineBuildError: TensorRT can't, in its own words. UsageError: shapes or options that don't fit.
    """
    trt, where = library.trt, str(request.model)
    specs = resolved(inputs(request.model), request)
    with library.listening() as said:
        builder = library.start("Builder", said)
        flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
        network = builder.create_network(0 if flag is None else 1 << int(flag))
        parser = trt.OnnxParser(network, library.logger)  # holds the weights until the plan is built
        if not parser.parse_from_file(str(onnx)):
            told = "\n".join(str(parser.get_error(index)) for index in range(parser.num_errors)) or said.reason()
            raise EngineBuildError(f"{where}: {library.version} can't read it:\n{told}")
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    apply_options(library, config, request.options, request.precision, request.device)
    flagged = hasattr(trt.BuilderFlag, "TF32") and bool(config.get_flag(trt.BuilderFlag.TF32))
    tf32 = flagged and not tf32_forbidden()
    caching = request.options.get("timing_cache", True)
    with library.listening() as said:
        _set_shapes(builder, network, config, specs, where)
        if hasattr(config, "progress_monitor"):
            monitor = _monitor(trt, said, tell)  # must outlive the build
            config.progress_monitor = monitor
        with timing_cache(library, config, request.device) if caching else contextlib.nullcontext():
            plan = builder.build_serialized_network(network, config)
        if plan is None:
            raise EngineBuildError(f"{where}: {library.version} can't build it:\n{said.reason()}")
        listed = listing_proof(said.listing, tf32=tf32)
    promised = network_proof(network, tf32=tf32)
    return Built(plan=bytes(plan), proof=listed if listed.nodes else promised, network=promised, tf32=tf32)


def _set_shapes(builder: Any, network: Any, config: Any, specs: Sequence[TensorSpec], where: str) -> None:
    """One profile, fixed to the asked shapes: an engine for exactly what is measured."""
    shapes = {spec.name: spec.shape for spec in specs}
    profile = builder.create_optimization_profile()
    dynamic = False
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        if tensor.is_shape_tensor:
            raise UsageError(
                f"{where}: the values of input {tensor.name!r} are a shape; TensorRT would need them when it builds. "
                "Export the model with the shape as a constant"
            )
        if any(size < 0 for size in tensor.shape):
            dynamic = True
            profile.set_shape(tensor.name, *[shapes[tensor.name]] * 3)
    if dynamic:
        config.add_optimization_profile(profile)


def _monitor(trt: Any, said: Said, tell: Callable[[str], None]) -> Any:
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc] # the module is known when it is there
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, _parent_phase: str | None, num_steps: int) -> None:
            self.steps[phase_name] = num_steps

        def step_complete(self, phase_name: str, step: int) -> bool:
            try:
                tell(f"{phase_name} ({step + 1} of {self.steps.get(phase_name, step + 1)})")
            except BaseException as error:  # noqa: BLE001 - Ctrl-C, too, would vanish in TensorRT
                said.stopped = error
            return said.stopped is None

        def phase_finish(self, phase_name: str) -> None:
            self.steps.pop(phase_name, None)

    return Monitor()
