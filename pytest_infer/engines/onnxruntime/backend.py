"""From an ONNX model to a session on one provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pytest_infer.engines.onnxruntime.engine import OnnxRuntimeEngine
from pytest_infer.engines.onnxruntime.loading import load_on
from pytest_infer.engines.onnxruntime.options import check_options
from pytest_infer.engines.onnxruntime.proofs import counts_others, kept_weights, optimised_nodes
from pytest_infer.engines.onnxruntime.providers import (
    CPU,
    CUDA,
    TENSORRT,
    TENSORRT_RTX,
    find_provider,
    onnxruntime,
    refusal,
)
from pytest_infer.engines.onnxruntime.sessions import declared, open_session, session_options
from pytest_infer.engines.shapes import resolved
from pytest_infer.engines.truth import Proof
from pytest_infer.errors import PrecisionError
from pytest_infer.precision import Conversion, conversion_options, convert
from pytest_infer.precision.model import external_files, read, save_optimized, structure, write
from pytest_infer.workload import Scenario, plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_infer.device.fingerprint import Device
    from pytest_infer.engines.base import BuildRequest, BuiltPlan
    from pytest_infer.workload import Precision

_PLAN: Final = "plan.onnx"
_TELL_NODES: Final = frozenset({CPU, CUDA})
"""Providers that tell of each node what it computes in, whatever that is."""


class OnnxRuntimeBackend:
    """Runs an ONNX model in the asked precision on one execution provider, with bound buffers.

    For the CPU provider the plan is the optimised graph. For any other it is the converted model: the provider
    compiles and places it when it is loaded, at the asked shapes.

    Options: `threads` (intra-op threads), `calibration_method` (`minmax`, `entropy`, `percentile`), those of
    `precision.conversion_options`, `graph_optimization` (`all`, `extended`, `basic`, `disabled`), `config` (session
    config entries by name), `provider_options` (the provider's own by name), `allow_fallback` (nodes that the provider
    does not take may run elsewhere), `cuda_graph` (each run is the launch of one).
    """

    scenarios: Final = frozenset({Scenario.SINGLE_STREAM})

    def __init__(self, variant: str = "") -> None:
        """Use the execution provider `variant`, the CPU's by default."""
        self._provider = find_provider(variant)
        self.name = "onnxruntime" if self._provider == CPU else f"onnxruntime:{self._provider}"

    def refuses(self, precision: Precision, device: Device) -> str | None:
        """What the provider would compute as something else, or can't."""
        return refusal(self._provider, precision, device)

    def key(self, request: BuildRequest) -> Mapping[str, Any]:
        """The library's version and the options; a plan takes any shape that the model takes."""
        check_options(request.options, self._provider)
        return {"onnxruntime": onnxruntime().__version__, "options": plain(request.options)}

    def build(self, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Convert; for the CPU provider let ONNX Runtime optimise, too."""
        plan = folder / _PLAN
        target = plan if self._provider != CPU else folder / "source.onnx"
        conversion = self._converted(request, target)
        source = conversion.path
        if not conversion.converted and (target == plan or external_files(source)):
            write(read(source), target)
            source = target
        if self._provider != CPU:
            return {}
        options = session_options(request, str(request.options.get("graph_optimization", "all")))
        save_optimized(options, source, plan)
        open_session(source, options)
        for left in {*folder.iterdir()} - {plan, *external_files(plan)}:
            left.unlink()
        graph = structure(plan).graph
        nodes = optimised_nodes(graph, others=counts_others(request))
        return Proof(how="optimised graph", nodes=nodes, weights=kept_weights(graph)).plain()

    def _converted(self, request: BuildRequest, target: Path) -> Conversion:
        if request.as_it_is and self._provider in _TELL_NODES:
            return Conversion(path=request.model, converted=False)
        return convert(
            request.model,
            request.precision,
            target,
            calibration=request.calibration,
            method=str(request.options.get("calibration_method", "minmax")),
            symmetric=self._provider in {TENSORRT, TENSORRT_RTX},
            options=conversion_options(request.options),
            ranges=request.ranges,
        )

    def load(self, request: BuildRequest, plan: BuiltPlan) -> OnnxRuntimeEngine:
        """Load the plan, and see what it became."""
        check_options(request.options, self._provider)
        if self._provider == CPU:
            return self._load_on_cpu(request, plan)
        return load_on(self._provider, plan.folder / _PLAN, request)

    def _load_on_cpu(self, request: BuildRequest, plan: BuiltPlan) -> OnnxRuntimeEngine:
        options = session_options(request, "disabled")  # it was optimised when it was built
        session = open_session(plan.folder / _PLAN, options)
        if session.get_providers() != [CPU]:
            raise PrecisionError(f"{request.model}: asked for {CPU}, ONNX Runtime runs {session.get_providers()}")
        specs = resolved(declared(session.get_inputs(), request.model), request)
        facts = {"provider": CPU, "threads": options.intra_op_num_threads}
        return OnnxRuntimeEngine(session, specs, Proof(**plan.facts), facts)
