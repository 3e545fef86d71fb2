"""From an ONNX model to OpenVINO's compiled one, kept as it was exported."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.engines.openvino.engine import OpenVinoEngine
from pytest_infer.engines.openvino.properties import (
    HINTS,
    check_nothing_excluded,
    check_options,
    core,
    errors_told,
    find_device,
    openvino,
    properties,
)
from pytest_infer.engines.openvino.runtime_model import fused_products, prove
from pytest_infer.engines.shapes import resolved
from pytest_infer.errors import UsageError
from pytest_infer.precision import conversion_options, convert, recognise
from pytest_infer.precision.model import inputs, output_names, structure
from pytest_infer.workload import Precision, Scenario, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx

    from pytest_infer.device.fingerprint import Device
    from pytest_infer.engines.base import BuildRequest, BuiltPlan

_PLAN: Final = "plan.blob"
_REFUSALS: Final = {
    Precision.TF32: "tf32 is a mode of NVIDIA's matrix units",
    Precision.FP8: "OpenVINO has no way to ask for fp8 arithmetic",
}
_DTYPES: Final = frozenset(
    {"float16", "float32", "float64", "bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}
)


class OpenVinoBackend:
    """Compiles an ONNX model for one of OpenVINO's devices in the asked precision, at the asked shapes.

    Options: `threads` (host threads), `calibration_method` (`minmax`, `entropy`, `percentile`), `exclude_nodes`,
    `exclude_ops` and `per_channel` (of int8, as `precision.conversion_options` has them), `config` (any property
    of the device by name, but those that precision, scenario and threads set).

    A plan is what OpenVINO exports. Importing it took about two thirds to a thirteenth of the time of compiling
    (SqueezeNet and ResNet-50, OpenVINO 2026.4 on a CPU); kernels are chosen anew, and they and the outputs came out
    the same.
    """

    name = "openvino"
    scenarios: Final = frozenset({Scenario.SINGLE_STREAM, Scenario.OFFLINE})

    def __init__(self, variant: str = "") -> None:
        """Use the device `variant`: the CPU where it is empty, else as OpenVINO names it (`GPU`, `GPU.1`, `NPU`)."""
        self._device = find_device(variant)

    def refuses(self, precision: Precision, device: Device) -> str | None:
        """What the device does not say it computes in: asked all the same, it would run something else."""
        if device.kind != "cpu":
            return f"OpenVINO does not run on this {device.kind}; measure it with --infer-gpu=none"
        if precision in _REFUSALS:
            return _REFUSALS[precision]
        offered = core().get_property(self._device, "OPTIMIZATION_CAPABILITIES")
        if precision.upper() in offered:
            return None
        able = ", ".join(one for one in HINTS if one.upper() in offered)
        return f"OpenVINO's {self._device} computes in {able} here; asked for {precision}, it would run one of these"

    def key(self, request: BuildRequest) -> Mapping[str, Any]:
        """The library's version, the device, and all that the model is compiled with, its fixed shapes first.

        Threads and scenario count too: how many compute an attention decides whether the CPU plugin fuses it.
        """
        check_options(self._device, request.options)
        return {
            "openvino": openvino().get_version(),
            "openvino_device": f"{self._device} {core().get_property(self._device, 'FULL_DEVICE_NAME')}",
            "batch": request.batch,
            "shapes": plain(request.shapes),
            "options": plain(request.options),
            "properties": plain(properties(self._device, request)),
        }

    def build(self, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Convert where the precision is in the model (int8), fix the shapes, compile, export."""
        with tempfile.TemporaryDirectory(prefix="pytest-infer-", ignore_cleanup_errors=True) as scratch:
            source = _source(request, Path(scratch) / "converted.onnx")
            specs = resolved(inputs(source), request)
            for spec in specs:
                if spec.dtype not in _DTYPES:
                    raise UsageError(f"{request.model}: input {spec.name!r} is {spec.dtype}, which can't be measured")
            exported = io.BytesIO()
            with errors_told(request.model):
                model = core().read_model(source)
                model.reshape({spec.name: list(spec.shape) for spec in specs})
                compiled = core().compile_model(model, self._device, properties(self._device, request))
                compiled.export_model(exported)
                fused = fused_products(compiled, model)
        (folder / _PLAN).write_bytes(exported.getbuffer())
        return {
            "fused_products": fused,
            "inputs": [spec.name for spec in specs],
            "outputs": output_names(request.model),
        }

    def load(self, request: BuildRequest, plan: BuiltPlan) -> OpenVinoEngine:
        """Import the plan and look at what it became."""
        with errors_told(request.model):
            blob = (plan.folder / _PLAN).read_bytes()
            compiled = core().import_model(blob, self._device, properties(self._device, request))
        proof, kernels = prove(compiled, plan.facts["fused_products"], request.model)
        offline = request.scenario is Scenario.OFFLINE
        requests = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS") if offline else None
        facts: dict[str, Any] = {
            "device": core().get_property(self._device, "FULL_DEVICE_NAME"),
            "requests": requests or 1,
            "kernels": kernels,
        }
        if "INFERENCE_NUM_THREADS" in compiled.get_property("SUPPORTED_PROPERTIES"):
            facts["threads"] = compiled.get_property("INFERENCE_NUM_THREADS")
        names = plan.facts["inputs"], plan.facts["outputs"]
        return OpenVinoEngine(compiled, names=names, requests=requests, proof=proof, facts=facts)


def _source(request: BuildRequest, target: Path) -> Path:
    """The ONNX file to compile: fp32 networks are put into fp16 and bf16 by OpenVINO itself, as the hint says."""
    found = recognise(request.model)
    if found is request.precision or (found is Precision.FP32 and request.precision is not Precision.INT8):
        if request.precision in {Precision.FP16, Precision.BF16}:
            check_nothing_excluded(request)
        return request.model
    return convert(
        request.model,
        request.precision,
        target,
        calibration=request.calibration,
        method=request.options.get("calibration_method", "minmax"),
        options=conversion_options(request.options),
        ranges=request.ranges,
        symmetric=_multiplies_activations(structure(request.model).graph),
    ).path


def _multiplies_activations(graph: onnx.GraphProto) -> bool:
    """Whether the network has attention: a matrix product without weights. Its int8 is signed and symmetric then.

    Found with OpenVINO 2026.4 on a CPU with AMX, in interleaved runs:

    - An encoder of six layers (sequences of 16, 64, 256) computes all of its products in int8 if they are symmetric,
      each attention fused into one node; with zero points the products of activations stay in fp32, and it takes 1.7
      to 3 times as long. Accuracy is the same.
    - SqueezeNet, GoogLeNet and ResNet-50 compute wholly in int8 and equally fast both ways; with zero points they
      keep more accuracy (cosine to fp32 0.995, 0.967, 0.963 against 0.991, 0.952, 0.945).
    """
    fixed = {"", *(tensor.name for tensor in graph.initializer)}
    for node in graph.node:
        if node.op_type == "MatMul" and fixed.isdisjoint(node.input):
            return True
        if fixed.issuperset(node.input):
            fixed.update(node.output)
    return False
