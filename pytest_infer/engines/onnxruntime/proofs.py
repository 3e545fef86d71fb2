"""What an engine computes in, and on what: read from its optimised graph, from a profiled run, or from its model.

Facts behind the reading, found with ONNX Runtime 1.31 and, for OpenVINO, 1.24:

- The CPU provider's optimised graph has what is computed in int8 under names of its own (`QLinearConv`,
  `MatMulIntegerToFloat`); an fp16 network is in it with its weights in fp32 again.
- A profile tells of each kernel its provider and the types of its inputs. A provider that compiles graphs (TensorRT,
  OpenVINO) shows as a single kernel that tells nothing.
- A provider that can't be loaded, or is given an option that it doesn't take, is left out with a line on stderr, and
  the CPU provider computes everything.
"""

from __future__ import annotations

import collections
import json
import math
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.engines.arithmetic import kind_of
from pytest_infer.precision.model import constants, read

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import onnx

_INT8: Final = ("QLinear", "QGemm", "QAttention", "Integer", "DynamicQuantize")
_HEAVY: Final = ("Conv", "MatMul", "Gemm", "Attention")
_PLAIN: Final = {"float": "float32", "double": "float64"}  # what a profile calls them
_MATRIX: Final = 2


def is_heavy(operator: str) -> bool:
    """Whether an operator is a convolution, a product or attention."""
    return any(word in operator for word in _HEAVY)


def optimised_nodes(graph: onnx.GraphProto) -> dict[str, int]:
    """Heavy nodes of the CPU provider's optimised graph by their arithmetic."""
    operators = [node.op_type for node in graph.node if is_heavy(node.op_type)]
    return dict(collections.Counter("int8" if _is_int8(operator) else "fp32" for operator in operators))


def written_nodes(model: Path) -> dict[str, int]:
    """Heavy nodes of a model by the arithmetic that their operands' types ask for."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(read(model, weights=False)).graph
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.value_info, *graph.output)}
    types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    # What comes out of a dequantize step was narrower before it.
    types |= {node.output[0]: types.get(node.input[0], 0) for node in graph.node if node.op_type == "DequantizeLinear"}
    nodes: collections.Counter[str] = collections.Counter()
    for node in graph.node:
        if is_heavy(node.op_type):
            kinds = {_kind(types.get(name, 0)) for name in node.input[:2]}
            nodes["int8" if _is_int8(node.op_type) else kinds.pop() if len(kinds) == 1 else "fp32"] += 1
    return dict(nodes)


def kept_weights(graph: onnx.GraphProto) -> dict[str, float]:
    """The share of the numbers in heavy nodes' weights by the type that they are kept in."""
    tensors = {tensor.name: tensor for tensor in constants(graph) if len(tensor.dims) >= _MATRIX}
    behind = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    used = {behind.get(name, name) for node in graph.node if is_heavy(node.op_type) for name in node.input}
    numbers: collections.Counter[str] = collections.Counter()
    for name in used & tensors.keys():
        numbers[_kind(tensors[name].data_type)] += math.prod(tensors[name].dims)
    return {kind: count / numbers.total() for kind, count in sorted(numbers.items())}


def profiled_nodes(profile: Path) -> dict[str, int]:
    """Heavy kernels of a profiled run by the type of their first input; none where a provider shows only one kernel."""
    events = [one for one in json.loads(profile.read_text()) if one.get("cat") == "Node"]
    nodes: collections.Counter[str] = collections.Counter()
    for event in events:
        told = event.get("args", {})
        operator, inputs = str(told.get("op_name", "")), told.get("input_type_shape")
        if inputs and is_heavy(operator):
            kind = next(iter(inputs[0]))
            nodes["int8" if _is_int8(operator) else kind_of(_PLAIN.get(kind, kind)) or kind] += 1
    return dict(nodes)


def placement(assigned: Iterable[Any]) -> dict[str, int]:
    """Nodes by provider, from what a session says of its partitions."""
    nodes: collections.Counter[str] = collections.Counter()
    for part in assigned:
        nodes[part.ep_name] += len(part.get_nodes())
    return dict(nodes)


def _is_int8(operator: str) -> bool:
    return any(word in operator for word in _INT8)


def _kind(element_type: int) -> str:
    from onnx.helper import tensor_dtype_to_np_dtype

    return (kind_of(tensor_dtype_to_np_dtype(element_type)) if element_type else None) or "unknown"
