"""ONNX Runtime on its CPU provider: the built-in default."""

from __future__ import annotations

import collections
import itertools
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pytest_infer.engines.truth import Proof
from pytest_infer.errors import EngineBuildError, MissingDependencyError, PrecisionError, UsageError
from pytest_infer.precision import convert
from pytest_infer.workload import Precision, Scenario, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_infer.device.fingerprint import Device
    from pytest_infer.engines.base import Arrays, BuildRequest, BuiltPlan

_PROVIDER: Final = "CPUExecutionProvider"
_PLAN: Final = "plan.onnx"
_REFUSALS: Final = {
    Precision.TF32: "tf32 is a mode of NVIDIA's matrix units",
    Precision.FP16: "ONNX Runtime's CPU provider computes fp16 in fp32: the time would stand under a wrong name",
    Precision.BF16: "ONNX Runtime's CPU provider has no bf16 kernels for whole networks",
    Precision.FP8: "ONNX Runtime's CPU provider has no fp8 kernels",
}
_OPTIONS: Final = frozenset({"threads", "calibration_method", "graph_optimization", "config"})
_DTYPES: Final = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(bool)": "bool",
    **{f"tensor({kind}{bits})": f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)},
}
_INT8_OPS: Final = ("QLinear", "QGemm", "QAttention", "Integer")
_HEAVY_OPS: Final = ("Conv", "MatMul", "Gemm", "Attention")


class OnnxRuntimeBackend:
    """Builds an ONNX model in the asked precision, optimised once and kept, and runs it with bound buffers.

    Options: `threads` (intra-op threads), `calibration_method` (`minmax`, `entropy`, `percentile`),
    `graph_optimization` (`all`, `extended`, `basic`, `disabled`), `config` (session config entries by name).
    """

    name = "onnxruntime"
    scenarios: Final = frozenset({Scenario.SINGLE_STREAM})

    def __init__(self, variant: str = "") -> None:
        """Use the execution provider `variant`."""
        if variant:
            raise UsageError(f"backend 'onnxruntime:{variant}' is not in this version; use backend='onnxruntime'")

    def refuses(self, precision: Precision, device: Device) -> str | None:
        """The CPU provider computes in fp32 and int8 only."""
        if device.kind != "cpu":
            return f"ONNX Runtime on {device.kind} is not available in this version"
        return _REFUSALS.get(precision)

    def key(self, request: BuildRequest) -> Mapping[str, Any]:
        """The library's version and the options; a plan takes any shape that the model takes."""
        _check_options(request.options)
        return {
            "onnxruntime": _import().__version__,
            "options": {k: str(v) for k, v in sorted(request.options.items())},
        }

    def build(self, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Convert, let ONNX Runtime optimise, save."""
        ort = _import()
        converted = folder / "converted.onnx"
        conversion = convert(
            request.model,
            request.precision,
            converted,
            calibration=request.calibration,
            method=str(request.options.get("calibration_method", "minmax")),
        )
        options = self._session_options(request)
        level = str(request.options.get("graph_optimization", "all"))
        options.graph_optimization_level = _levels(ort)[level]
        options.optimized_model_filepath = str(folder / _PLAN)
        _session(ort, conversion.path, options)
        converted.unlink(missing_ok=True)
        return _proof(folder / _PLAN).plain()

    def load(self, request: BuildRequest, plan: BuiltPlan) -> OnnxRuntimeEngine:
        """Load the optimised plan; it needs no further optimisation."""
        ort = _import()
        options = self._session_options(request)
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = _session(ort, plan.folder / _PLAN, options)
        if session.get_providers() != [_PROVIDER]:
            raise PrecisionError(f"{request.model}: asked for {_PROVIDER}, ONNX Runtime runs {session.get_providers()}")
        specs = _resolved(session, request)
        facts = {"provider": _PROVIDER, "threads": options.intra_op_num_threads}
        return OnnxRuntimeEngine(session, specs, Proof(**plan.facts), facts)

    def _session_options(self, request: BuildRequest) -> Any:
        options = _import().SessionOptions()
        options.log_severity_level = 4  # errors come as exceptions; its log would only repeat them on stderr
        options.intra_op_num_threads = int(request.options.get("threads", request.threads))
        options.inter_op_num_threads = 1
        for key, value in request.options.get("config", {}).items():
            options.add_session_config_entry(key, str(value))
        return options


class OnnxRuntimeEngine:
    """One session and its bound buffers."""

    in_flight = 1

    def __init__(self, session: Any, inputs: tuple[TensorSpec, ...], proof: Proof, facts: Mapping[str, Any]) -> None:
        """Wrap a loaded session whose inputs were resolved."""
        self.costs: Mapping[str, float] = {}
        self.proof = proof
        self.inputs = inputs
        self.outputs = tuple(output.name for output in session.get_outputs())
        self.facts = facts
        self._session = session

    def infer(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run once."""
        values = self._session.run(list(self.outputs), dict(inputs))
        return {name: np.asarray(value) for name, value in zip(self.outputs, values, strict=True)}

    def bind(self, rotation: Sequence[Arrays]) -> Callable[[], object]:
        """Bind every set's buffers once; each call runs the next set."""
        ort = _import()
        bindings = []
        for arrays in rotation:
            binding = self._session.io_binding()
            for name, array in arrays.items():
                binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
            for name in self.outputs:
                binding.bind_output(name)
            bindings.append(binding)
        run = self._session.run_with_iobinding
        following = itertools.cycle(bindings).__next__
        return lambda: run(following())

    def close(self) -> None:
        """Drop the session."""
        self._session = None


def _import() -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise MissingDependencyError("onnxruntime", "onnxruntime", "backend 'onnxruntime'") from None
    return onnxruntime


def _levels(ort: Any) -> dict[str, Any]:
    level = ort.GraphOptimizationLevel
    return {
        "all": level.ORT_ENABLE_ALL,
        "extended": level.ORT_ENABLE_EXTENDED,
        "basic": level.ORT_ENABLE_BASIC,
        "disabled": level.ORT_DISABLE_ALL,
    }


def _check_options(options: Mapping[str, Any]) -> None:
    for key in options:
        if key not in _OPTIONS:
            raise UsageError(f"backend 'onnxruntime' has no option {key!r}; it takes {', '.join(sorted(_OPTIONS))}")
    threads = options.get("threads", 1)
    if not isinstance(threads, int) or threads < 1:
        raise UsageError(f"options={{'threads': {threads!r}}}: a whole number of at least 1 is needed")
    level = options.get("graph_optimization", "all")
    if level not in {"all", "extended", "basic", "disabled"}:
        raise UsageError(f"options={{'graph_optimization': {level!r}}}: all, extended, basic or disabled")


def _proof(plan: Path) -> Proof:
    """Which arithmetic the heavy nodes of the optimised graph have."""
    import onnx

    graph = onnx.load(plan, load_external_data=False).graph
    heavy = [node.op_type for node in graph.node if any(word in node.op_type for word in _HEAVY_OPS)]
    kinds = ["int8" if any(word in op for word in _INT8_OPS) else "fp32" for op in heavy]
    return Proof(how="optimised graph", nodes=collections.Counter(kinds))


def _session(ort: Any, model: Path, options: Any) -> Any:
    try:
        return ort.InferenceSession(str(model), options, providers=[_PROVIDER])
    except Exception as error:
        raise EngineBuildError(f"{model}: ONNX Runtime can't build or load it: {error}") from error


def _resolved(session: Any, request: BuildRequest) -> tuple[TensorSpec, ...]:
    specs = []
    names = [node.name for node in session.get_inputs()]
    for name in request.shapes:
        if name not in names:
            raise UsageError(f"{request.model}: shapes names {name!r}; the model's inputs are {', '.join(names)}")
    for node in session.get_inputs():
        if node.type not in _DTYPES:
            raise UsageError(f"{request.model}: input {node.name!r} is a {node.type}, which can't be measured")
        shape = tuple(d if isinstance(d, int) else str(d or "?") for d in node.shape)
        spec = TensorSpec(name=node.name, dtype=_DTYPES[node.type], shape=shape)
        specs.append(spec.resolved(request.batch, request.shapes, str(request.model)))
    if request.batch is not None and specs and all(s.shape[:1] != (request.batch,) for s in specs):
        raise UsageError(
            f"{request.model}: batch={request.batch} was asked for, but its first dimensions are fixed at "
            f"{[s.shape[0] if s.shape else None for s in specs]}; export it with a dynamic one, or drop batch"
        )
    return tuple(specs)
