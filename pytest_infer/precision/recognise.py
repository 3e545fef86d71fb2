"""Which arithmetic a model is already in, told from its graph and never from its name."""

from __future__ import annotations

import collections
import math
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pytest_infer.precision.model import constants, structure
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import onnx

QUANTIZABLE: Final = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""The nodes whose arithmetic is most of a network's time."""
DEQUANTIZE: Final = "DequantizeLinear"
_QUANTIZED: Final = ("QLinear", "QGemm", "QAttention", "QOrdered", "ConvInteger", "MatMulInteger", "DynamicQuantize")
_FEW_BITS: Final = "MatMulNBits"
_HALF_BYTE: Final = 4  # bits: the operator's default
_LAYING_OUT: Final = frozenset({"Cast", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
"""What only lays numbers out, or changes their type: a quantized weight is one behind these, too."""


class Unconvertible(StrEnum):
    """Arithmetic that a model can be in and that no test asks for: nothing is converted to it, or from it.

    `INT4` are weights of at most four bits, which are multiplied in a wider type.
    """

    FP64 = "fp64"
    INT4 = "int4"


def recognise(model: Path) -> Precision | Unconvertible:
    """The arithmetic that `model` asks for: quantized if any heavy node is, else what most of its weights are in."""
    return recognise_graph(structure(model).graph)


def recognise_graph(graph: onnx.GraphProto) -> Precision | Unconvertible:
    """The same of a graph."""
    from onnx import TensorProto

    float8 = {TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT8E5M2}
    types = {tensor.name: tensor.data_type for tensor in constants(graph)}
    if quantized_nodes(graph) or any(node.op_type.startswith(_QUANTIZED) for node in graph.node):
        # What is dequantized, or the zero point: of weights that are still to be quantized it alone tells.
        steps = (node.input for node in graph.node if node.op_type == DEQUANTIZE)
        return Precision.FP8 if any(types.get(n) in float8 for step in steps for n in step) else Precision.INT8
    if packed := _packed(graph, types):
        return Unconvertible.INT4 if Unconvertible.INT4 in packed else Precision.INT8
    kinds: dict[int, Precision | Unconvertible] = {
        TensorProto.FLOAT: Precision.FP32,
        TensorProto.FLOAT16: Precision.FP16,
        TensorProto.BFLOAT16: Precision.BF16,
        TensorProto.DOUBLE: Unconvertible.FP64,
    }
    weights: collections.Counter[Precision | Unconvertible] = collections.Counter({Precision.FP32: 0})
    for tensor in constants(graph):
        if tensor.data_type in kinds:
            weights[kinds[tensor.data_type]] += math.prod(tensor.dims)
    if not weights.total():  # no weights at all: what comes in decides
        weights.update(kinds[t] for i in graph.input if (t := i.type.tensor_type.elem_type) in kinds)
    return weights.most_common(1)[0][0]


def parts(graph: onnx.GraphProto) -> frozenset[str]:
    """What else than fp32 is in a graph beside its quantized nodes: other floats, and weights of a few bits."""
    from onnx import TensorProto

    kinds: dict[int, str] = {
        TensorProto.FLOAT16: Precision.FP16,
        TensorProto.BFLOAT16: Precision.BF16,
        TensorProto.DOUBLE: Unconvertible.FP64,
        TensorProto.INT4: Unconvertible.INT4,
        TensorProto.UINT4: Unconvertible.INT4,
    }
    types = {tensor.data_type for tensor in constants(graph)}
    types |= {value.type.tensor_type.elem_type for value in graph.input}
    types |= {one.i for node in graph.node if node.op_type == "Cast" for one in node.attribute if one.name == "to"}
    return frozenset(
        {str(kinds[one]) for one in types & kinds.keys()}
        | {kind for node in graph.node if (kind := few_bits(node)) == Unconvertible.INT4}
    )


def quantized_nodes(graph: onnx.GraphProto) -> dict[str, int]:
    """How many heavy nodes of each kind take both operands from a DequantizeLinear, however they are laid out."""
    made = makers(graph)
    return dict(
        collections.Counter(
            node.op_type
            for node in graph.node
            if node.op_type in QUANTIZABLE and all(dequantized(name, made) is not None for name in node.input[:2])
        )
    )


def makers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    """The node that makes each tensor, by the tensor's name."""
    return {name: node for node in graph.node for name in node.output}


def dequantized(name: str, made: Mapping[str, onnx.NodeProto]) -> onnx.NodeProto | None:
    """The step that a tensor's numbers came out of, behind whatever lays them out; None where there is none."""
    node = made.get(name)
    while node is not None and node.op_type in _LAYING_OUT:
        node = made.get(node.input[0])
    return node if node is not None and node.op_type == DEQUANTIZE else None


def few_bits(node: onnx.NodeProto) -> str | None:
    """What a product with packed weights has them in; None for any other node."""
    if node.op_type != _FEW_BITS:
        return None
    bits = next((one.i for one in node.attribute if one.name == "bits"), _HALF_BYTE)
    return str(Unconvertible.INT4 if bits <= _HALF_BYTE else Precision.INT8)


def _packed(graph: onnx.GraphProto, types: Mapping[str, int]) -> set[str]:
    """What products have their weights in that are unpacked inside of them, or right before them from four bits."""
    from onnx import TensorProto

    packed = {kind for node in graph.node if (kind := few_bits(node))}
    made = makers(graph)
    operands = (name for node in graph.node if node.op_type in QUANTIZABLE for name in node.input[:2])
    steps = (step for name in operands if (step := dequantized(name, made)) is not None)
    if any(types.get(step.input[0]) in {TensorProto.INT4, TensorProto.UINT4} for step in steps):
        packed.add(Unconvertible.INT4)
    return packed
