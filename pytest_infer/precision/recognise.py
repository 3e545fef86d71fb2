"""Which arithmetic a model is already in, told from its graph and never from its name."""

from __future__ import annotations

import collections
import math
from typing import TYPE_CHECKING, Final

from pytest_infer.precision.model import constants, read
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

QUANTIZABLE: Final = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""The nodes whose arithmetic is most of a network's time."""
_QUANTIZED: Final = ("QLinear", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear", "QGemm", "QAttention")


def recognise(model: Path) -> Precision:
    """The arithmetic that `model` asks for: quantized if any heavy node is, else what most of its weights are in."""
    return recognise_graph(read(model, weights=False).graph)


def recognise_graph(graph: onnx.GraphProto) -> Precision:
    """The same of a graph."""
    from onnx import TensorProto

    float8 = {TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT8E5M2}
    types = {tensor.name: tensor.data_type for tensor in constants(graph)}
    if quantized_nodes(graph) or any(node.op_type.startswith(_QUANTIZED) for node in graph.node):
        # What is dequantized, or the zero point: of weights that are still to be quantized it alone tells.
        steps = (node.input for node in graph.node if node.op_type == "DequantizeLinear")
        return Precision.FP8 if any(types.get(n) in float8 for step in steps for n in step) else Precision.INT8
    kinds: dict[int, Precision] = {
        TensorProto.FLOAT: Precision.FP32,
        TensorProto.FLOAT16: Precision.FP16,
        TensorProto.BFLOAT16: Precision.BF16,
    }
    weights = collections.Counter({Precision.FP32: 0})
    for tensor in constants(graph):
        if tensor.data_type in kinds:
            weights[kinds[tensor.data_type]] += math.prod(tensor.dims)
    if not weights.total():  # no weights at all: what comes in decides
        weights.update(kinds[t] for i in graph.input if (t := i.type.tensor_type.elem_type) in kinds)
    return weights.most_common(1)[0][0]


def quantized_nodes(graph: onnx.GraphProto) -> dict[str, int]:
    """How many heavy nodes of each kind take both operands from a DequantizeLinear."""
    real = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    return dict(
        collections.Counter(
            node.op_type for node in graph.node if node.op_type in QUANTIZABLE and real.issuperset(node.input[:2])
        )
    )
