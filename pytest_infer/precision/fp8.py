"""fp32 to fp8 (E4M3): quantize and dequantize steps at both operands of each product, ranges from the user's samples.

A scale maps the largest magnitude that was seen to 448, the largest number of E4M3 (Micikevicius et al., "FP8 formats
for deep learning", 2022). Activations have one scale a tensor, weights one for each output channel. What lies between
the products stays in fp32.
"""

from __future__ import annotations

import collections
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pytest_infer.errors import EngineBuildError, InferError, PrecisionError
from pytest_infer.precision.model import attach, detach, every_node, opset, quiet, raised, read, write
from pytest_infer.precision.prepare import excluded_nodes, simplified
from pytest_infer.precision.ranges import Ranges, tensor_ranges
from pytest_infer.precision.recognise import QUANTIZABLE, quantized_nodes
from pytest_infer.precision.rounding import rounded

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx
    from numpy.typing import NDArray

    from pytest_infer.precision.calibration import CalibrationSet
    from pytest_infer.precision.options import ConversionOptions

LARGEST: Final = 448.0
"""The largest number of E4M3."""
_OPSET: Final = 19  # the first whose quantize and dequantize steps know float8
_KIND: Final = "float8_e4m3fn"
_MATRIX: Final = 2
_OPERATORS: Final = frozenset({"Conv", "Gemm", "MatMul"})


def to_fp8(
    model: Path,
    target: Path,
    calibration: CalibrationSet,
    options: ConversionOptions,
    *,
    method: str,
    kept: Path | None,
) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Write `model` quantized to `target`; how many heavy nodes of each kind are in fp8, and how many are not.

    Raises:
        EngineBuildError: it can't be prepared, run on the samples, or quantized.
        PrecisionError: nothing in it can be quantized. UsageError: what is excluded is not there.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="pytest-infer-") as name, quiet():
            prepared = simplified(model, Path(name), options)
            ranges = tensor_ranges(prepared, calibration, method, symmetric=True, folder=Path(name), kept=kept)
            network = read(prepared)
        out = excluded_nodes(network.graph, options, str(model))
        if opset(network) < _OPSET:
            weights = detach(network)
            network = raised(network, _OPSET, model, "fp8 steps")
            attach(network, weights)
        _Steps(network.graph, ranges, options).insert(out)
        nodes = quantized_nodes(network.graph)
        heavy = collections.Counter(node.op_type for node in network.graph.node if node.op_type in QUANTIZABLE)
        if nodes:
            write(network, target)
    except InferError:
        raise
    except Exception as error:
        raise EngineBuildError(f"{model} can't be quantized to fp8: {error}") from error
    if not nodes:
        raise PrecisionError(
            f"{model} has no {', '.join(sorted(_OPERATORS))} that fp8 could compute; measure it in fp32"
        )
    return nodes, dict(heavy - collections.Counter(nodes))


class _Steps:
    """Inserts the steps into a graph: once for each tensor, however many products take it."""

    def __init__(self, graph: onnx.GraphProto, ranges: Ranges, options: ConversionOptions) -> None:
        self._graph = graph
        self._ranges = ranges
        self._options = options
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        self._names: dict[tuple[str, int | None], str] = {}  # of what comes out of the steps
        self._nodes: list[onnx.NodeProto] = []

    def insert(self, excluded: list[str]) -> None:
        """At every product but those that are `excluded` by name; weights that nothing else takes go."""
        for node in self._graph.node:
            operands = list(node.input[:2])
            known = all(name in self._weights or name in self._ranges for name in operands)
            if node.op_type in _OPERATORS and known and node.name not in excluded and not self._options.excludes(node):
                node.input[0] = self._weight(operands[0], None) or self._activation(operands[0])
                node.input[1] = self._weight(operands[1], self._channels(node)) or self._activation(operands[1])
            self._nodes.append(node)
        del self._graph.node[:]
        self._graph.node.extend(self._nodes)
        taken = {name for node in every_node(self._graph) for name in node.input}
        left = [one for one in self._graph.initializer if one.name in {*taken, *(o.name for o in self._graph.output)}]
        del self._graph.initializer[:]
        self._graph.initializer.extend(left)

    def _channels(self, node: onnx.NodeProto) -> int | None:
        """Which axis of a product's second operand has its output channels; None where one scale is to do."""
        dims = len(self._weights[node.input[1]].dims) if node.input[1] in self._weights else 0
        if not self._options.per_channel or dims < _MATRIX:
            return None
        if node.op_type == "Gemm":
            return 0 if any(one.name == "transB" and one.i for one in node.attribute) else 1
        return 0 if node.op_type == "Conv" else dims - 1

    def _activation(self, name: str) -> str:
        """What comes out of the two steps behind a tensor."""
        if (name, None) not in self._names:
            constants = self._scale(name, np.array(max(map(abs, self._ranges[name])), np.float32))
            quantized = self._step("QuantizeLinear", [name, *constants], f"{name}_fp8")
            self._names[name, None] = self._step("DequantizeLinear", [quantized, *constants], f"{quantized}_float")
        return self._names[name, None]

    def _weight(self, name: str, axis: int | None) -> str | None:
        """The same for a weight, which is quantized here and now; None for anything else."""
        if name not in self._weights:
            return None
        if (name, axis) not in self._names:
            from onnx import numpy_helper

            array = numpy_helper.to_array(self._weights[name])
            stem = name if axis is None else f"{name}_by_{axis}"
            across = None if axis is None else tuple(i for i in range(array.ndim) if i != axis)
            largest = np.abs(array).max(axis=across, keepdims=True)
            quantized = self._constant(f"{stem}_fp8", rounded(array / _scaled(largest), _KIND))
            constants = self._scale(stem, largest.reshape(() if axis is None else -1))
            self._names[name, axis] = self._step(
                "DequantizeLinear", [quantized, *constants], f"{quantized}_float", axis
            )
        return self._names[name, axis]

    def _scale(self, stem: str, largest: NDArray[Any]) -> tuple[str, str]:
        """Names of the scale and of the zero point, whose type says what is quantized to."""
        zero = rounded(np.zeros_like(largest), _KIND)
        return self._constant(f"{stem}_fp8_scale", _scaled(largest)), self._constant(f"{stem}_fp8_zero", zero)

    def _constant(self, name: str, array: NDArray[Any]) -> str:
        from onnx import TensorProto

        tensor = self._graph.initializer.add()
        tensor.name = name
        tensor.data_type = TensorProto.FLOAT if array.dtype == np.float32 else TensorProto.FLOAT8E4M3FN
        tensor.dims.extend(array.shape)
        tensor.raw_data = array.tobytes()
        return name

    def _step(self, kind: str, inputs: list[str], output: str, axis: int | None = None) -> str:
        from onnx.helper import make_attribute, make_node

        step = make_node(kind, inputs, [output], name=output)
        if axis is not None:
            step.attribute.append(make_attribute("axis", axis))
        self._nodes.append(step)
        return output


def _scaled(largest: NDArray[Any]) -> NDArray[np.float32]:
    """The scale that takes a largest magnitude to E4M3's; what is zero everywhere keeps it with any."""
    return np.where(largest > 0, largest / np.float32(LARGEST), np.float32(1)).astype(np.float32)
