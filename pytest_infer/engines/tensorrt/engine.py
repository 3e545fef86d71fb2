"""A plan loaded on a GPU: contexts, their lanes, and the proof of what was loaded."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.engines.tensorrt.inspection import inspector_proof
from pytest_infer.engines.tensorrt.lane import Lane, LaneLaunch, Slot, Tensors
from pytest_infer.engines.truth import Proof
from pytest_infer.errors import EngineBuildError, MeasurementError
from pytest_infer.workload import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_infer.device.cuda_streams import Cuda
    from pytest_infer.engines.base import Arrays
    from pytest_infer.engines.tensorrt.library import Library

_DTYPES: Final = {
    "FLOAT": "float32",
    "HALF": "float16",
    "BOOL": "bool",
    "INT8": "int8",
    "UINT8": "uint8",
    "INT32": "int32",
    "INT64": "int64",
}
"""numpy's names of TensorRT's types; for what is missing here numpy has none."""


class TensorRTEngine:
    """A loaded plan with one lane, or several that run at the same time (scenario offline)."""

    def __init__(
        self, lanes: Sequence[Lane], *, proof: Proof, facts: Mapping[str, Any], device_memory_mb: float, graph: bool
    ) -> None:
        """Wrap the lanes of one engine; the first one also answers single calls. With `graph`, capture their runs."""
        tensors = lanes[0].tensors
        self.inputs = tensors.inputs
        self.outputs = tuple(spec.name for spec in tensors.outputs)
        self.in_flight = len(lanes)
        self.facts = facts
        self.costs = {"device_memory": device_memory_mb}
        self.proof = proof
        self._lanes = list(lanes)
        self._single: Slot | None = Slot(lanes[0])
        if graph:
            reason = next(filter(None, map(_captured, lanes)), None)
            how = proof.how if reason is None else f"{proof.how}; no graph: {reason}"
            self.proof = dataclasses.replace(proof, how=how, graph_captured=reason is None)

    def infer(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run once."""
        if self._single is None:
            raise MeasurementError("this TensorRT engine was closed")
        self._single.fill(inputs)
        self._single.submit()
        self._single.wait()
        return self._single.outputs()

    def bind(self, rotation: Sequence[Arrays]) -> Callable[[], object]:
        """Pin every set's memory once; each call copies the next set in, runs, copies out and waits, on every lane."""
        if len(self._lanes) == 1:
            (lane,) = self._lanes
            return LaneLaunch(lane, [Slot(lane, arrays) for arrays in rotation])
        turns = []
        for offset, lane in enumerate(self._lanes):
            slots = [Slot(lane, arrays) for arrays in rotation]
            first = offset % len(slots)
            turns.append(itertools.cycle([*slots[first:], *slots[:first]]).__next__)

        def run_all() -> None:
            slots = [following() for following in turns]
            for slot in slots:
                slot.submit()
            for slot in slots:
                slot.wait()

        return run_all

    def close(self) -> None:
        """Wait for the GPU, and drop contexts and memory."""
        for lane in self._lanes:
            lane.stream.synchronize()
        self._lanes.clear()
        self._single = None


def _captured(lane: Lane) -> str | None:
    """Capture a lane's inference; why that can't be."""
    first = Slot(lane)
    first.submit()  # the first run after a change of shapes does more than what can be captured
    first.wait()
    return lane.capture()


def open_engine(
    library: Library, cuda: Cuda, plan: bytes, *, built: Mapping[str, Any], where: str, contexts: int, graph: bool
) -> TensorRTEngine:
    """Load a plan.

    Args:
        library: who built it.
        cuda: the GPU.
        plan: the serialized engine.
        built: what `TensorRTBackend.build` found out.
        where: the model, for messages.
        contexts: how many inferences are in flight.
        graph: whether each run is to be one CUDA graph.

    Raises:
        EngineBuildError: it can't be loaded here, in TensorRT's own words.
    """
    with library.listening() as said:
        runtime = library.start("Runtime", said)
        # A version-compatible plan brings code of its own; we built it, and it lay in a private folder.
        runtime.engine_host_code_allowed = bool(built["version_compatible"])
        engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise EngineBuildError(f"{where}: {library.version} can't load its plan:\n{said.reason()}")
        made = [_context(library.trt, engine) for _ in range(contexts)]
        if any(context is None for context in made):
            raise EngineBuildError(f"{where}: {library.version} can't make a context of it:\n{said.reason()}")
    tensors = _tensors(library.trt, engine, built, where)
    lanes = [Lane(library, context, tensors, cuda, where) for context in made]
    inspector = engine.create_engine_inspector()
    inspector.execution_context = made[0]
    information = inspector.get_engine_information(library.trt.LayerInformationFormat.JSON)
    proof = inspector_proof(information, tf32=bool(built["tf32"]))
    return TensorRTEngine(
        lanes,
        proof=proof if proof.nodes else Proof(**built["network"]),
        facts={"library": library.version, "cuda": cuda.name, "contexts": contexts},
        device_memory_mb=(_engine_bytes(library.trt, engine, contexts, plan) + sum(lane.size for lane in lanes)) / 1e6,
        graph=graph,
    )


def _context(trt: Any, engine: Any) -> Any:
    """A context whose kernels are all compiled before it runs.

    TensorRT-RTX compiles them on the GPU, by default while slower ones already run: a measurement would see both.
    """
    if not hasattr(trt, "DynamicShapesKernelSpecializationStrategy"):
        return engine.create_execution_context()
    config = engine.create_runtime_config()
    config.dynamic_shapes_kernel_specialization_strategy = trt.DynamicShapesKernelSpecializationStrategy.EAGER
    return engine.create_execution_context(runtime_config=config)


def _tensors(trt: Any, engine: Any, built: Mapping[str, Any], where: str) -> Tensors:
    """Inputs at the shapes of the plan's only profile, and outputs; in the model's order, whatever the engine's is."""
    inputs: list[TensorSpec] = []
    outputs: list[TensorSpec] = []
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        kind = engine.get_tensor_dtype(name).name
        if kind not in _DTYPES or engine.get_tensor_location(name) != trt.TensorLocation.DEVICE:
            raise EngineBuildError(
                f"{where}: {name!r} goes in or out as {kind} at {engine.get_tensor_location(name)}, which can't be "
                "bound; export the model with inputs and outputs in fp32, fp16 or integers"
            )
        is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
        shape = tuple(int(size) for size in engine.get_tensor_shape(name))
        if is_input and any(size < 0 for size in shape):
            shape = tuple(int(size) for size in engine.get_tensor_profile_shape(name, 0)[1])
        spec = TensorSpec(name=name, dtype=_DTYPES[kind], shape=tuple("?" if size < 0 else size for size in shape))
        (inputs if is_input else outputs).append(spec)
    return Tensors(inputs=_ordered(inputs, built["inputs"]), outputs=_ordered(outputs, built["outputs"]))


def _ordered(specs: Sequence[TensorSpec], names: Sequence[str]) -> tuple[TensorSpec, ...]:
    """`specs` as the model orders them; what it does not name comes last."""
    place = {name: position for position, name in enumerate(names)}
    return tuple(sorted(specs, key=lambda spec: place.get(spec.name, len(place))))


def _engine_bytes(trt: Any, engine: Any, contexts: int, plan: bytes) -> int:
    """The scratch memory of the contexts and the weights; the plan's size for them, where the library doesn't tell."""
    scratch = getattr(engine, "device_memory_size_v2", None)
    scratch = engine.device_memory_size if scratch is None else scratch
    weights = engine.get_engine_stat(trt.EngineStat.TOTAL_WEIGHTS_SIZE) if hasattr(trt, "EngineStat") else len(plan)
    return int(contexts * scratch + weights)
