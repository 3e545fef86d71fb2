"""The networks that this field measures, from the graphs that the onnx package ships.

Those graphs come without their weights and at batch 1. Here each gets seeded weights and a batch dimension. Such a
network recognises nothing, but it is as fast as the trained one, and its scores depend on the picture.

    python examples/vision/networks.py squeezenet squeezenet.onnx
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
from onnx import helper

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, np.dtype[Any]]

VERSION: Final = 1  # of what is made here; a file of another version is made anew
OPSET: Final = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One network.

    Attributes:
        graph: what the onnx package calls it.
        contrast: the scale of the last layer's weights, such that scores neither drown in one another nor saturate.
    """

    graph: str
    contrast: float


NETWORKS: Final = {
    "alexnet": Network(graph="bvlc_alexnet", contrast=0.35),
    "googlenet": Network(graph="inception_v1", contrast=0.5),
    "vgg19": Network(graph="vgg19", contrast=0.15),
    "resnet50": Network(graph="resnet50", contrast=2),
    "densenet121": Network(graph="densenet121", contrast=5),
    "squeezenet": Network(graph="squeezenet", contrast=1.5),
}


def images(count: int, *, seed: int = 0) -> Array:
    """Seeded pictures, normalised: patches of many sizes, each picture in a mixture of its own."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((count, 3, 224, 224))
    for size in (4, 8, 16, 32, 56):
        patches = rng.standard_normal((count, 3, 224 // size, 224 // size)) * rng.exponential(size=(count, 3, 1, 1))
        picture += np.kron(patches, np.ones((size, size)))
    centred = picture - picture.mean((2, 3), keepdims=True)
    return np.asarray(centred / picture.std((2, 3), keepdims=True), dtype=np.float32)


def calibration(count: int = 8) -> Iterator[dict[str, Array]]:
    """Pictures to calibrate int8 with, none of those that the tests look at."""
    for picture in images(count, seed=1):
        yield {"image": picture[np.newaxis]}


def make(name: str, target: Path) -> None:
    """Write the network `name` to the file `target`."""
    network = NETWORKS[name]
    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    shipped = onnx.load(folder / f"light_{network.graph}.onnx").graph
    nodes, shapes = _graph(shipped)
    scores = [dim.dim_value for dim in shipped.output[0].type.tensor_type.shape.dim]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["batch", 3, 224, 224])],
        [helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, ["batch", *scores[1:]])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    rng = np.random.default_rng(0)
    head = next(node for node in reversed(nodes) if node.op_type in {"Conv", "Gemm"})
    for node in model.graph.node:
        for position, tensor in enumerate(node.input):
            if tensor in shapes:
                weight = _weight(node, position, shapes[tensor], rng)
                if tensor == head.input[1]:
                    weight *= network.contrast
                # Added in place: helper.make_graph would copy VGG-19's 574 MB once more.
                model.graph.initializer.add(
                    name=tensor,
                    dims=weight.shape,
                    data_type=helper.np_dtype_to_tensor_dtype(weight.dtype),
                    raw_data=weight.tobytes(),
                )
    onnx.save(model, target)


def _graph(shipped: onnx.GraphProto) -> tuple[list[onnx.NodeProto], dict[str, tuple[int, ...]]]:
    """The nodes that compute on pictures, as today's operator set wants them, and the shapes of their weights."""
    fixed = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in shipped.initializer}
    shapes = {name: array.shape for name, array in fixed.items()}
    picture = next(tensor.name for tensor in shipped.input if tensor.name not in fixed)
    renamed = {picture: "image", shipped.output[0].name: "scores"}
    nodes = []
    for node in shipped.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        source, result = node.input[0], node.output[0]
        if node.op_type == "ConstantOfShape":  # stands where a weight was
            shapes[result] = tuple(fixed[source])
        elif node.op_type == "Unsqueeze":  # of a channel's scale or offset
            shapes[result] = (*shapes[source], 1, 1)
        elif node.op_type == "Reshape" and source in shapes:  # of a weight
            shapes[result] = tuple(fixed[node.input[1]])
        elif node.op_type == "Dropout":  # does nothing outside training
            renamed[result] = source
        else:
            node.output[:] = [renamed.get(result, result)]
            if node.op_type == "Sum":  # of two: what exporters write as Add today
                node.op_type = "Add"
            if node.op_type == "Softmax":  # its default axis has changed since
                node.attribute.append(helper.make_attribute("axis", 1))
            nodes.append(node)
    return nodes, shapes


def _weight(node: onnx.NodeProto, position: int, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """An initial weight that keeps activations at the size of their inputs, however deep the network is."""
    if node.op_type == "Reshape":
        return np.array([0, -1])  # shipped: one picture
    if node.op_type in {"Conv", "Gemm"} and position == 1:
        # He's initialisation about a mean of zero: else what all pictures have in common (activations behind a ReLU
        # are positive) grows from layer to layer, and after twenty all pictures score the same.
        weight = rng.standard_normal(shape, dtype=np.float32)
        weight -= weight.mean(tuple(range(1, len(shape))), keepdims=True)
        weight *= np.sqrt(np.float32(2.9 / np.prod(shape[1:])))  # 1 / (1/2 - 1/2pi): the variance that a ReLU leaves
        return weight
    if (node.op_type, position) == ("BatchNormalization", 1) and "branch2c" in node.input[1]:
        return np.full(shape, 0.3, dtype=np.float32)  # a residual network adds up 16 of these branches
    if (node.op_type, position) in {("BatchNormalization", 1), ("BatchNormalization", 4), ("Mul", 1)}:
        return np.ones(shape, dtype=np.float32)
    return np.zeros(shape, dtype=np.float32)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write one of the networks as an ONNX file.")
    parser.add_argument("name", choices=NETWORKS)
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    make(arguments.name, arguments.target)
