"""Tiny real networks for OpenVINO."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

node = helper.make_node


def value(name: str, *shape: int | str, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    """An input or an output."""
    return helper.make_tensor_value_info(name, kind, list(shape))


def save(
    path: Path,
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    **weights: NDArray[Any],
) -> Path:
    """Write a network."""
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def product(path: Path) -> Path:
    """One matrix product of 256 terms, x [n, 256] to y [n, 64]."""
    w = np.random.default_rng(0).standard_normal((256, 64), np.float32)
    return save(path, [node("MatMul", ["x", "w"], ["y"])], [value("x", "n", 256)], [value("y", "n", 64)], w=w)


def attention(path: Path) -> Path:
    """Four projections and two products of activations, x [n, length, 64] to y of the same shape."""
    rng = np.random.default_rng(0)
    width, heads = 64, 4
    weights = {f"w{one}": (rng.standard_normal((width, width)) / 8).astype(np.float32) for one in "qkvo"}
    nodes = []
    for one in "qkv":
        nodes += [
            node("MatMul", ["x", f"w{one}"], [f"{one}_all"]),
            node("Reshape", [f"{one}_all", "split"], [f"{one}_heads"]),
            node("Transpose", [f"{one}_heads"], [one], perm=[0, 2, 3, 1] if one == "k" else [0, 2, 1, 3]),
        ]
    nodes += [
        node("MatMul", ["q", "k"], ["scores"]),
        node("Mul", ["scores", "scale"], ["scaled"]),
        node("Softmax", ["scaled"], ["shares"], axis=-1),
        node("MatMul", ["shares", "v"], ["attended"]),
        node("Transpose", ["attended"], ["turned"], perm=[0, 2, 1, 3]),
        node("Reshape", ["turned", "merge"], ["merged"]),
        node("MatMul", ["merged", "wo"], ["y"]),
    ]
    weights |= {"split": np.array([0, 0, heads, width // heads]), "merge": np.array([0, 0, width])}
    weights["scale"] = np.array(0.25, np.float32)
    shape = ("n", "length", width)
    return save(path, nodes, [value("x", *shape)], [value("y", *shape)], **weights)


def several(path: Path) -> Path:
    """Inputs and outputs of many types, one of a shape that depends on the data, one given out as it came in."""
    inputs = [
        value("number", kind=TensorProto.DOUBLE),
        value("ids", "n", 3, kind=TensorProto.INT64),
        value("unused", "n", 2),
        value("half", "n", 3, kind=TensorProto.FLOAT16),
        value("mask", "n", 3, kind=TensorProto.BOOL),
    ]
    outputs = [
        value("where", 2, "found", kind=TensorProto.INT64),
        value("sum", "n", 3, kind=TensorProto.FLOAT16),
        value("twice", kind=TensorProto.DOUBLE),
        value("ids", "n", 3, kind=TensorProto.INT64),
        value("not", "n", 3, kind=TensorProto.BOOL),
    ]
    nodes = [
        node("NonZero", ["ids"], ["where"]),
        node("Add", ["half", "half"], ["sum"]),
        node("Add", ["number", "number"], ["twice"]),
        node("Not", ["mask"], ["not"]),
    ]
    return save(path, nodes, inputs, outputs)
