"""What an engine computes in, and on what: read from its optimised graph, from a profiled run, or from its model.

Facts behind the reading, found with ONNX Runtime 1.31 and, for OpenVINO, 1.24:

- The CPU provider's optimised graph has what is computed in int8 under names of its own (`QLinearConv`,
  `MatMulIntegerToFloat`); an fp16 network is in it with its weights in fp32 again.
- That graph notes no types of what lies between its nodes, and has operators that ONNX does not know: what a node
  computes in follows from its weights, and from what the nodes before it make of theirs.
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

from pytest_infer.engines.arithmetic import WIDE, kind_of
from pytest_infer.precision.model import constants, structure
from pytest_infer.precision.recognise import Unconvertible, dequantized, few_bits, makers
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    import onnx

    from pytest_infer.engines.base import BuildRequest

UNKNOWN: Final = "unknown"
"""What a heavy node of a model computes in whose types nobody tells: it holds no proof, and must not pass for one."""

_INT8: Final = ("QLinear", "QGemm", "QAttention", "Integer", "DynamicQuantize")
_HEAVY: Final = ("Conv", "MatMul", "Gemm", "Attention", "Einsum", "LSTM", "GRU", "RNN")
_MOVING: Final = frozenset(
    {"Cast", "Concat", "Constant", "ConstantOfShape", "DequantizeLinear", "DynamicQuantizeLinear", "Expand", "Flatten"}
    | {"Gather", "Identity", "Pad", "QuantizeLinear", "Reshape", "Shape", "Size", "Slice", "Split", "Squeeze", "Tile"}
    | {"Transpose", "Unsqueeze"}
)
"""Operators that compute nothing."""
_NARROW_FIRST: Final = ("int4", "int8", "fp8", "fp16", "bf16", "fp32", "fp64")
_PLAIN: Final = {"float": "float32", "double": "float64"}  # what a profile calls them
_MATRIX: Final = 2


def is_heavy(operator: str) -> bool:
    """Whether an operator is a convolution, a product, attention or a recurrence."""
    return any(word in operator for word in _HEAVY)


def counts_others(request: BuildRequest) -> bool:
    """Whether a network without heavy nodes is told by its others: as fp32 it needs no proof, TF32 is of products."""
    return request.as_it_is or request.precision not in {Precision.FP32, Precision.TF32}


def optimised_nodes(graph: onnx.GraphProto, *, others: bool = False) -> dict[str, int]:
    """Heavy nodes of the CPU provider's optimised graph by their arithmetic, in fp32 where nothing tells.

    With `others`, a graph that has none is told by the nodes that compute something else. What is still dequantized
    before a node is computed in what it comes out in.
    """
    types = _types(graph)

    def told(name: str) -> str | None:
        return _kind(types.get(name, 0))

    return _nodes(graph, is_heavy, told, untold=WIDE) or (_nodes(graph, _computes, told) if others else {})


def written_nodes(model: Path, *, others: bool = False) -> dict[str, int]:
    """Heavy nodes of a model by the arithmetic that their operands' types ask for; `others` as above.

    What is dequantized before a node asks for the type that it had before that.
    """
    import onnx

    graph = onnx.shape_inference.infer_shapes(structure(model)).graph
    types, made = _types(graph), makers(graph)

    def told(name: str) -> str | None:
        step = dequantized(name, made)
        return _kind(types.get(name if step is None else step.input[0], 0))

    return _nodes(graph, is_heavy, told, untold=UNKNOWN) or (_nodes(graph, _computes, told) if others else {})


def kept_weights(graph: onnx.GraphProto) -> dict[str, float]:
    """The share of the numbers in heavy nodes' weights by the type that they are kept in."""
    tensors = {tensor.name: tensor for tensor in constants(graph) if len(tensor.dims) >= _MATRIX}
    made = makers(graph)
    used = set()
    for node in graph.node:
        if is_heavy(node.op_type):
            steps = ((name, dequantized(name, made)) for name in node.input)
            used |= {name if step is None else step.input[0] for name, step in steps}
    numbers: collections.Counter[str] = collections.Counter()
    for name in used & tensors.keys():
        numbers[_kind(tensors[name].data_type) or UNKNOWN] += math.prod(tensors[name].dims)
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
            nodes[_by_name(operator) or kind_of(_PLAIN.get(kind, kind)) or kind] += 1
    return dict(nodes)


def placement(assigned: Iterable[Any]) -> dict[str, int]:
    """Nodes by provider, from what a session says of its partitions."""
    nodes: collections.Counter[str] = collections.Counter()
    for part in assigned:
        nodes[part.ep_name] += len(part.get_nodes())
    return dict(nodes)


def _nodes(
    graph: onnx.GraphProto,
    counts: Callable[[str], bool],
    told: Callable[[str], str | None],
    *,
    untold: str | None = None,
) -> dict[str, int]:
    """Nodes by their arithmetic.

    Args:
        graph: the nodes' own.
        counts: whether an operator does.
        told: what a tensor is in, by its name.
        untold: what a node computes in whose operands tell nothing; None leaves it out.
    """
    nodes: collections.Counter[str] = collections.Counter()
    for node in graph.node:
        if not counts(node.op_type):
            continue
        kinds = {kind for name in node.input[:2] if (kind := told(name)) is not None}
        kind = few_bits(node) or _by_name(node.op_type) or max(kinds, key=_NARROW_FIRST.index, default=untold)
        if kind is not None:
            nodes[kind] += 1
    return dict(nodes)


def _types(graph: onnx.GraphProto) -> dict[str, int]:
    """The element types of a graph's tensors, as far as they are noted or follow from those before them."""
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.value_info, *graph.output)}
    types |= {tensor.name: tensor.data_type for tensor in constants(graph)}
    for node in graph.node:
        kind = _made(node, types)
        for name in node.output:
            types[name] = types.get(name) or kind
    return types


def _made(node: onnx.NodeProto, types: Mapping[str, int]) -> int:
    """The type that a node most likely gives: that of its first float."""
    from onnx import TensorProto

    if node.op_type == "Cast":
        return next((one.i for one in node.attribute if one.name == "to"), 0)
    if node.op_type == "QuantizeLinear":
        zero = node.input[2] if len(node.input) > 2 else ""  # noqa: PLR2004 - its place in the operator's schema
        return types.get(zero, 0) or int(TensorProto.UINT8)
    floats = {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16}
    return next((kind for name in node.input if (kind := types.get(name, 0)) in floats), 0)


def _computes(operator: str) -> bool:
    return not is_heavy(operator) and operator not in _MOVING


def _by_name(operator: str) -> str | None:
    """The arithmetic of an operator that has it in its name."""
    if any(word in operator for word in _INT8):
        return str(Precision.INT8)
    return str(Unconvertible.INT4) if "NBits" in operator else None


def _kind(element_type: int) -> str | None:
    from onnx.helper import tensor_dtype_to_np_dtype

    if not element_type:
        return None
    name = str(tensor_dtype_to_np_dtype(element_type))
    return str(Unconvertible.INT4) if name in {"int4", "uint4"} else kind_of(name)
