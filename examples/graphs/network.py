"""What an ONNX file says, as Python values: for the modules here that compute it in another framework."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import onnx
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from pathlib import Path

    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operation: its inputs and its outputs by name, an input left out an empty one."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network.

    Attributes:
        inputs: names, in order.
        output: the name of its only output.
        weights: tensors of floats by name.
        numbers: tensors of whole numbers by name, as plain values: axes and shapes, which no framework computes with.
        nodes: in the order in which they can be computed.
    """

    inputs: tuple[str, ...]
    output: str
    weights: Mapping[str, Array]
    numbers: Mapping[str, Any]
    nodes: tuple[Node, ...]


def read(path: Path, known: Container[str]) -> Network:
    """The network in `path`.

    Raises:
        NotImplementedError: it computes with an operation that is none of the `known`.
    """
    graph = onnx.load(path).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = tuple(
        Node(
            op=node.op_type,
            inputs=tuple(node.input),
            outputs=tuple(node.output),
            attributes={
                one.name: helper.get_attribute_value(one)
                for one in node.attribute
                if (node.op_type, one.name) != ("Conv", "kernel_shape")  # its weight has it, too
            },
        )
        for node in graph.node
    )
    if missing := sorted({node.op for node in nodes if node.op not in known}):
        raise NotImplementedError(f"{path} computes with {', '.join(missing)}; add these to the table of operations")
    return Network(
        inputs=tuple(value.name for value in graph.input if value.name not in tensors),
        output=graph.output[0].name,
        weights={name: array for name, array in tensors.items() if array.dtype.kind == "f"},
        numbers={name: array.tolist() for name, array in tensors.items() if array.dtype.kind != "f"},
        nodes=nodes,
    )
