"""fp32 to int8: quantize and dequantize steps around what can be computed in int8, ranges from the user's samples.

Facts behind the choices, found on six vision networks with ONNX Runtime 1.31 on a CPU with VNNI:

- Unsigned activations with a zero point run 1.1 to 4 times as fast as fp32; signed symmetric ones, which TensorRT
  wants, run slower than fp32 on three of four (SqueezeNet 0.35 times) and lose more accuracy: the backend chooses.
- Batch normalisation must be folded into convolutions first: ResNet-50 gains a factor of two by it.
- Scales per output channel cost no time, and leave as little as half of the error of scales per tensor.
- A softmax output in steps of 1/256 loses what small probabilities say, and gains no time.
- The runtime's entropy method with its own default of 128 bins for 128 levels never cuts anything: it is minmax.
- Without VNNI (AVX2 alone) products of 8 bits saturate, and the error of the same file is up to eight times as large.
  Weights of 7 bits, the usual remedy, cost as much accuracy on all other CPUs and are left alone.
"""

from __future__ import annotations

import collections
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.errors import EngineBuildError, InferError, PrecisionError
from pytest_infer.precision.model import opset, quiet, read, session
from pytest_infer.precision.recognise import QUANTIZABLE, quantized_nodes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.precision.calibration import CalibrationSet

_OLDEST_OPSET: Final = 13  # the first with scales per channel
_ENTROPY_BINS: Final = 512
_PERCENTILE: Final = 99.999
_IN_FLOAT: Final = frozenset({"Softmax"})


def to_int8(
    model: Path, target: Path, calibration: CalibrationSet, *, method: str, symmetric: bool
) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Write `model` quantized to `target`; how many heavy nodes of each kind are in int8, and how many are not.

    Raises:
        EngineBuildError: it can't be prepared, run on the samples, or quantized.
        PrecisionError: nothing in it can be quantized.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="pytest-infer-") as folder, quiet():
            prepared, ranges = _observed(_simplified(model, Path(folder)), calibration, method, symmetric=symmetric)
            graph = _quantized(prepared, target, ranges, symmetric=symmetric)
    except InferError:
        raise
    except Exception as error:
        raise EngineBuildError(f"{model} can't be quantized to int8: {error}") from error
    nodes = quantized_nodes(graph)
    if not nodes:
        raise PrecisionError(
            f"{model} has no {', '.join(sorted(QUANTIZABLE))} with fixed weights that int8 could compute; "
            "measure it in fp32"
        )
    heavy = collections.Counter(node.op_type for node in graph.node if node.op_type in QUANTIZABLE)
    return nodes, dict(heavy - collections.Counter(nodes))


def _simplified(model: Path, folder: Path) -> Path:
    """The model with constants folded and batch normalisation in its convolutions, at an operator set with scales."""
    source = read(model)
    import onnx

    if (version := opset(source)) < _OLDEST_OPSET:
        try:
            source = onnx.version_converter.convert_version(source, _OLDEST_OPSET)
        except Exception as error:
            raise EngineBuildError(
                f"{model} uses operator set {version}, int8 needs {_OLDEST_OPSET} or later, and it can't be raised "
                f"({error}); export the model again with opset_version={_OLDEST_OPSET}"
            ) from error
        model = folder / "raised.onnx"
        onnx.save(source, model)
    del source  # large networks fit twice, not three times
    simplified = folder / "simplified.onnx"
    session(model, optimized=simplified)
    return simplified


def _operators() -> list[str]:
    """What the runtime's quantizer knows, less what is better left in float."""
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    return sorted({*QDQRegistry, *QLinearOpsRegistry} - _IN_FLOAT)


def _observed(simplified: Path, calibration: CalibrationSet, method: str, *, symmetric: bool) -> tuple[Any, Any]:
    """The model with every shape inferred, and its tensors' ranges: the samples are run through it one at a time."""
    import onnx
    from onnxruntime.quantization import calibrate

    makers: dict[str, tuple[Any, dict[str, Any]]] = {
        "minmax": (calibrate.MinMaxCalibrater, {}),
        "entropy": (calibrate.EntropyCalibrater, {"num_bins": _ENTROPY_BINS, "num_quantized_bins": 128}),
        "percentile": (calibrate.PercentileCalibrater, {"percentile": _PERCENTILE}),
    }
    maker, settings = makers[method]
    observed = simplified.with_name("observed.onnx")
    calibrator = maker(simplified, _operators(), str(observed), symmetric=symmetric, **settings)
    prepared = onnx.ModelProto()
    prepared.CopyFrom(calibrator.model)
    calibrator.augment_graph()
    calibrator.infer_session = session(observed)  # its own maker would let the runtime write to stderr
    for sample in calibration:
        calibrator.collect_data(_One(sample))
    return prepared, calibrator.compute_data()


class _One:
    """A single sample, as the runtime's calibrators want to be fed."""

    def __init__(self, sample: Mapping[str, Any]) -> None:
        self._left = [sample]

    def get_next(self) -> Mapping[str, Any] | None:
        return self._left.pop() if self._left else None


def _quantized(prepared: Any, target: Path, ranges: Any, *, symmetric: bool) -> Any:
    """Insert the quantize and dequantize steps and write the file."""
    from onnxruntime.quantization import QDQQuantizer, QuantType

    quantizer = QDQQuantizer(
        prepared,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QInt8 if symmetric else QuantType.QUInt8,
        tensors_range=ranges,
        nodes_to_quantize=[],
        nodes_to_exclude=[],
        op_types_to_quantize=_operators(),
        # TensorRT refuses int32 biases; the CPU provider wants them (recent versions quantize them themselves).
        extra_options={"ActivationSymmetric": symmetric, "WeightSymmetric": True, "QuantizeBias": not symmetric},
    )
    quantizer.quantize_model()
    quantizer.model.save_model_to_file(str(target), use_external_data_format=False)
    return quantizer.model.graph()
