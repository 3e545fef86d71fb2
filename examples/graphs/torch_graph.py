"""An ONNX network as a PyTorch module with the same weights: for networks like the examples', not for all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import fx, nn
from torch.nn import functional

from examples.graphs.network import read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import Tensor

_TYPES: Final = {1: torch.float32, 7: torch.int64, 9: torch.bool}


def load(path: Path) -> nn.Module:
    """The network in `path`: a module whose `forward` takes the network's inputs under their own names.

    Raises:
        NotImplementedError: it computes with an operation that is not among `OPERATIONS`.
    """
    network = read(path, OPERATIONS)
    root, graph = nn.Module(), fx.Graph()
    values: dict[str, Any] = {"": None, **network.numbers}
    for name in network.inputs:
        values[name] = graph.placeholder(name)
    for name, array in network.weights.items():
        attribute = "weight_" + re.sub(r"\W", "_", name)
        root.register_parameter(attribute, nn.Parameter(torch.tensor(array), requires_grad=False))
        values[name] = graph.get_attr(attribute)
    for node in network.nodes:
        operands = (node.op, *(values[name] for name in node.inputs))
        values[node.outputs[0]] = graph.call_function(operate, operands, dict(node.attributes))
    graph.output(values[network.output])
    return fx.GraphModule(root, graph, class_name=path.stem).eval()


def operate(op: str, *operands: Any, **attributes: Any) -> Any:
    """Compute one node; an attribute that its operation does not know is a TypeError."""
    return OPERATIONS[op](*operands, **attributes)


def _padded(x: Tensor, pads: Sequence[int], value: float = 0.0) -> Tensor:
    if not any(pads):
        return x
    top, left, bottom, right = pads
    return functional.pad(x, (left, right, top, bottom), value=value)


def _reshape(x: Tensor, shape: list[int]) -> Tensor:
    return x.reshape([size or x.shape[axis] for axis, size in enumerate(shape)])


def _unsqueeze(x: Tensor, axes: list[int]) -> Tensor:
    for axis in axes:
        x = x.unsqueeze(axis)
    return x


OPERATIONS: Final[dict[str, Callable[..., Any]]] = {
    "Add": lambda a, b: a + b,
    "AveragePool": lambda x, *, kernel_shape, strides=1: functional.avg_pool2d(x, kernel_shape, strides),
    "BatchNormalization": lambda x, scale, offset, mean, variance, *, epsilon=1e-5: functional.batch_norm(
        x, mean, variance, scale, offset, eps=epsilon
    ),
    "Cast": lambda x, *, to: x.to(_TYPES[to]),
    "Concat": lambda *parts, axis: torch.cat(parts, axis),
    "Conv": lambda x, weight, bias=None, *, pads=(), strides=(1, 1), dilations=(1, 1), group=1: functional.conv2d(
        _padded(x, pads), weight, bias, strides, (0, 0), dilations, group
    ),
    "CumSum": lambda x, axis, *, exclusive=0: x.cumsum(axis) - (x if exclusive else 0),
    "Div": lambda a, b: a / b,
    "Erf": torch.erf,
    "Flatten": lambda x, *, axis=1: x.flatten(axis),
    "Gather": lambda x, indices, *, axis=0: x[(slice(None),) * axis + (indices,)],
    "Gemm": lambda a, b, c=None, *, transB=0: functional.linear(a, b if transB else b.T, c),  # noqa: N803 - ONNX's name
    "GlobalAveragePool": lambda x: x.mean((2, 3), keepdim=True),
    "LayerNormalization": lambda x, scale, offset, *, axis=-1, epsilon=1e-5: functional.layer_norm(
        x, x.shape[axis:], scale, offset, epsilon
    ),
    "MatMul": torch.matmul,
    "MaxPool": lambda x, *, kernel_shape, strides=1, pads=(): functional.max_pool2d(
        _padded(x, pads, -torch.inf), kernel_shape, strides
    ),
    "Mul": lambda a, b: a * b,
    "ReduceL2": lambda x, *, axes, keepdims=1: torch.linalg.vector_norm(x, dim=axes, keepdim=bool(keepdims)),
    "ReduceSum": lambda x, axes, *, keepdims=1: x.sum(axes, keepdim=bool(keepdims)),
    "Relu": functional.relu,
    "Reshape": _reshape,
    "Softmax": lambda x, *, axis=-1: x.softmax(axis),
    "Transpose": lambda x, *, perm: x.permute(perm),
    "Unsqueeze": _unsqueeze,
    "Where": torch.where,
}
"""What computes each of ONNX's operations: operands in its order, attributes by its names."""
