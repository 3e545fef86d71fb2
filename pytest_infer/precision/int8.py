"""fp32 to int8: quantize and dequantize steps around what can be computed in int8, ranges from the user's samples.

Facts behind the choices, found on six vision networks with ONNX Runtime 1.31 on a CPU with VNNI:

- Unsigned activations with a zero point run 1.1 to 4 times as fast as fp32; signed symmetric ones, which TensorRT
  wants, run slower than fp32 on three of four (SqueezeNet 0.35 times) and lose more accuracy: the backend chooses.
- Batch normalisation must be folded into convolutions first: ResNet-50 gains a factor of two by it.
- Scales per output channel cost no time, and leave as little as half of the error of scales per tensor.
- A softmax output in steps of 1/256 loses what small probabilities say, and gains no time.
- Without VNNI (AVX2 alone) products of 8 bits saturate, and the error of the same file is up to eight times as large.
  Weights of 7 bits, the usual remedy, cost as much accuracy on all other CPUs and are left alone.
"""

from __future__ import annotations

import collections
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pytest_infer.errors import EngineBuildError, InferError, PrecisionError
from pytest_infer.precision.model import quiet, write
from pytest_infer.precision.prepare import excluded_nodes, simplified
from pytest_infer.precision.ranges import Ranges, operators, tensor_ranges
from pytest_infer.precision.recognise import QUANTIZABLE, quantized_nodes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.precision.calibration import CalibrationSet
    from pytest_infer.precision.options import ConversionOptions

_IN_FLOAT: Final = frozenset({"Softmax"})


def to_int8(
    model: Path,
    target: Path,
    calibration: CalibrationSet,
    options: ConversionOptions,
    *,
    method: str,
    symmetric: bool,
    kept: Path | None,
) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Write `model` quantized to `target`; how many heavy nodes of each kind are in int8, and how many are not.

    Raises:
        EngineBuildError: it can't be prepared, run on the samples, or quantized.
        PrecisionError: nothing in it can be quantized. UsageError: what is excluded is not there.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="pytest-infer-") as name, quiet():
            folder = Path(name)
            prepared = simplified(model, folder, options)
            ranges = tensor_ranges(prepared, calibration, method, symmetric=symmetric, folder=folder, kept=kept)
            graph = _quantized(prepared, target, ranges, options, symmetric=symmetric, where=str(model))
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


def _operators(options: ConversionOptions, *, symmetric: bool) -> list[str]:
    """What the runtime's quantizer knows, less what is better left in float.

    For TensorRT the products alone: it carries int8 through what lies between by itself, and refuses the quantized
    constants of other operators ("only allowed before DQ").
    """
    known = QUANTIZABLE if symmetric else {*operators()} - _IN_FLOAT
    return sorted(known - {*options.exclude_ops})


def _quantized(
    prepared: Path, target: Path, ranges: Ranges, options: ConversionOptions, *, symmetric: bool, where: str
) -> Any:
    """Insert the quantize and dequantize steps and write the file."""
    from onnxruntime.quantization import QDQQuantizer, QuantType, calibrate
    from onnxruntime.quantization.quant_utils import load_model_with_shape_infer

    network = load_model_with_shape_infer(prepared)
    ends = {name: tuple(np.array(end, np.float32) for end in both) for name, both in ranges.items()}
    quantizer = QDQQuantizer(
        network,
        per_channel=options.per_channel,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QInt8 if symmetric else QuantType.QUInt8,
        tensors_range=calibrate.TensorsData(calibrate.CalibrationMethod.MinMax, ends),
        nodes_to_quantize=[],
        nodes_to_exclude=excluded_nodes(network.graph, options, where),
        op_types_to_quantize=_operators(options, symmetric=symmetric),
        # TensorRT refuses int32 biases; the CPU provider wants them (recent versions quantize them themselves).
        extra_options={"ActivationSymmetric": symmetric, "WeightSymmetric": True, "QuantizeBias": not symmetric},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    graph = quantizer.model.model.graph
    write(quantizer.model.model, target)
    return graph
