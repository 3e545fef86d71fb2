"""A plan loaded on a provider other than the CPU's, and the proof of what it became.

Tried with the OpenVINO provider; what concerns NVIDIA's providers is written against their documented options and not
verified on hardware.
"""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pytest_infer.device.cuda_choice import try_cuda
from pytest_infer.engines.onnxruntime.engine import DeviceEngine, OnnxRuntimeEngine
from pytest_infer.engines.onnxruntime.proofs import (
    counts_others,
    kept_weights,
    placement,
    profiled_nodes,
    written_nodes,
)
from pytest_infer.engines.onnxruntime.providers import (
    CUDA,
    ON_NVIDIA,
    OPENVINO,
    TENSORRT,
    TENSORRT_RTX,
    onnxruntime,
    preload,
    provider_options,
)
from pytest_infer.engines.onnxruntime.sessions import (
    declared,
    fix_shapes,
    open_session,
    session_options,
    watch_placement,
)
from pytest_infer.engines.shapes import resolved
from pytest_infer.engines.truth import Proof
from pytest_infer.errors import PrecisionError, UsageError
from pytest_infer.precision.model import inputs, structure
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_infer.engines.base import BuildRequest
    from pytest_infer.workload import TensorSpec

_COMPILE: Final = frozenset({OPENVINO, TENSORRT, TENSORRT_RTX})
"""Providers that make one kernel of many nodes, of which a profile tells nothing."""
_CAPTURED_AFTER: Final = 3
_STREAM: Final = "user_compute_stream"
_WAITS: Final = (
    "releases of ONNX Runtime until mid-2026 wait inside of a graph's replay, and no mark can be set before that"
)
"""Source: github.com/microsoft/onnxruntime/pull/28686."""
_NO_GRAPH: Final = ("gpu_graph_id", "-1")  # a run that is neither captured nor replayed


def load_on(provider: str, model: Path, request: BuildRequest) -> OnnxRuntimeEngine:
    """Load the network in `model` on `provider`, at the request's shapes.

    Raises:
        EngineBuildError: ONNX Runtime can't load it. PrecisionError: the provider is not there, or runs nothing of it.
        UsageError: shapes or options that don't fit.
    """
    return _Loader(provider, model, request).load()


class _Loader:
    """Loads one plan.

    Attributes:
        fallback, graph: what the user allows, and asks for.
        given: what the provider is set to.
        stream: what it computes on; None leaves that to the provider.
        untimed: then, why.
    """

    def __init__(self, provider: str, model: Path, request: BuildRequest) -> None:
        preload(provider)
        self.provider, self.model, self.request = provider, model, request
        self.fallback, self.graph = (bool(request.options.get(name)) for name in ("allow_fallback", "cuda_graph"))
        self.options = session_options(request, str(request.options.get("graph_optimization", "all")))
        self.given = provider_options(
            provider,
            request.precision,
            request.options.get("provider_options", {}),
            threads=self.options.intra_op_num_threads,
            cuda_graph=self.graph,
        )
        cuda, self.untimed = None, _WAITS if self.graph else ""
        if provider in ON_NVIDIA and not self.graph:
            cuda, self.untimed = try_cuda(request.device)
        self.stream = None if cuda is None else cuda.stream()

    def load(self) -> OnnxRuntimeEngine:
        """The engine, with its proof."""
        dynamic = inputs(self.model)
        specs = resolved(dynamic, self.request)
        fix_shapes(self.options, dynamic, specs)
        tells = watch_placement(self.options, allow_fallback=self.fallback)
        session, nodes = self._opened(specs)
        assigned = placement(session.get_provider_graph_assignment_info()) if tells else {}
        proof = self._proof(session, nodes, assigned)
        facts = {
            "provider": self.provider,
            "threads": self.options.intra_op_num_threads,
            "provider_options": self.given,
            "fallback_allowed": self.fallback,
        }
        if self.provider not in ON_NVIDIA:
            return OnnxRuntimeEngine(session, specs, proof, facts)
        outputs = declared(session.get_outputs(), self.request.model)
        if self.graph and any(isinstance(size, str) for spec in outputs for size in spec.shape):
            raise UsageError(f"{self.request.model}: a CUDA graph needs outputs of fixed shapes; drop cuda_graph")
        engine = DeviceEngine(session, specs, proof, facts, outputs=outputs, memory="cuda", stream=self.stream)
        engine.untimed = self.untimed
        if self.graph:
            engine.proof = _captured(engine, proof)
        return engine

    def _opened(self, specs: Sequence[TensorSpec]) -> tuple[Any, dict[str, int]]:
        """The session, and the heavy kernels that a run of it shows."""
        on_stream = {} if self.stream is None else {_STREAM: str(self.stream.handle)}
        providers = [(self.provider, {**self.given, **on_stream})]
        if self.fallback and self.provider == TENSORRT:
            given = provider_options(CUDA, self.request.precision, {}, threads=1, cuda_graph=False)
            providers.append((CUDA, {**given, **on_stream}))
        with tempfile.TemporaryDirectory(prefix="pytest-infer-") as folder:
            self.options.enable_profiling = self.provider not in _COMPILE
            self.options.profile_file_prefix = str(Path(folder) / "profile")
            session = open_session(self.model, self.options, providers)
            if self.provider not in session.get_providers():
                raise PrecisionError(
                    f"{self.request.model}: {self.provider} could not be loaded, and "
                    f"{', '.join(session.get_providers())} would run instead; ONNX Runtime printed why on stderr: a "
                    "library is missing, or an option is not one of its own"
                )
            return session, _profiled(session, specs) if self.options.enable_profiling else {}

    def _proof(self, session: Any, nodes: dict[str, int], assigned: dict[str, int]) -> Proof:
        if assigned and self.provider not in assigned:
            told = ", ".join(f"{count} on {name}" for name, count in sorted(assigned.items()))
            raise PrecisionError(
                f"{self.request.model}: {self.provider} was asked for and runs none of its nodes: {told}"
            )
        how = "profile" if nodes else f"types of the model that {self.provider} was given"
        nodes = nodes or written_nodes(self.model, others=counts_others(self.request))
        if self._multiplies_in_tf32(session) and (count := nodes.pop(Precision.FP32, 0)):
            nodes[Precision.TF32] = count
        return Proof(
            how=how,
            nodes=nodes,
            weights=kept_weights(structure(self.model).graph),
            placement=assigned,
            provider=None if self.fallback else self.provider,
        )

    def _multiplies_in_tf32(self, session: Any) -> bool:
        """Whether products of fp32 do; the CUDA provider says so, for TensorRT it is what `refusal` let through."""
        if self.provider == CUDA:
            told = session.get_provider_options().get(CUDA, {}).get("use_tf32", self.given["use_tf32"])
            return str(told) == "1"
        return self.request.precision is Precision.TF32


def _profiled(session: Any, specs: Sequence[TensorSpec]) -> dict[str, int]:
    """Run once and see which heavy kernels ran on what; none where the network does not run on zeros."""
    run = onnxruntime().RunOptions()
    run.add_run_config_entry(*_NO_GRAPH)
    with contextlib.suppress(Exception):
        session.run(None, _zeros(specs), run)
    return profiled_nodes(Path(session.end_profiling()))


def _captured(engine: DeviceEngine, proof: Proof) -> Proof:
    """The proof with what became of the CUDA graph: ONNX Runtime captures at one of the first runs, or raises."""
    try:
        for _ in range(_CAPTURED_AFTER):
            engine.infer(_zeros(engine.inputs))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is why there is no graph
        return dataclasses.replace(proof, how=f"{proof.how}; no graph: {error}", graph_captured=False)
    return dataclasses.replace(proof, graph_captured=True)


def _zeros(specs: Sequence[TensorSpec]) -> dict[str, NDArray[Any]]:
    """Numbers that any network takes, also where they are tokens."""
    return {spec.name: np.zeros([int(size) for size in spec.shape], spec.dtype) for spec in specs}
