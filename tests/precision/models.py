"""Tiny real ONNX models for the tests of precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path


def convolution(path: Path, *, opset: int = 17, ir: int = 8) -> Path:
    """Convolution, batch normalisation, ReLU, pooling, a matrix and a softmax, on (batch, 3, 8, 8)."""
    rng = np.random.default_rng(0)
    weights = {
        "kernel": rng.standard_normal((4, 3, 3, 3)),
        "scale": np.array([0.5, 1, 2, 4]),
        "offset": np.zeros(4),
        "mean": np.zeros(4),
        "variance": np.ones(4),
        "matrix": rng.standard_normal((4, 5)),
    }
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c", "scale", "offset", "mean", "variance"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "matrix"], ["m"]),
        helper.make_node("Softmax", ["m"], ["y"], axis=1),
    ]
    return _saved(path, nodes, weights, {"x": ["batch", 3, 8, 8]}, {"y": ["batch", 5]}, opset, ir)


def addition(path: Path) -> Path:
    """Two inputs, no weights, nothing heavy."""
    nodes = [helper.make_node("Add", ["a", "b"], ["y"])]
    return _saved(path, nodes, {}, {"a": ["batch", 2], "b": [1, 2]}, {"y": ["batch", 2]}, 17, 8)


def product(path: Path, dtype: type, *, opset: int = 17) -> Path:
    """One product, x (batch, 4) to y (batch, 3), in a type of numpy's."""
    weight = numpy_helper.from_array(np.random.default_rng(0).standard_normal((4, 3)).astype(dtype), "w")
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "tiny",
        [helper.make_tensor_value_info("x", kind, ["batch", 4])],
        [helper.make_tensor_value_info("y", kind, ["batch", 3])],
        [weight],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
    return path


def samples(count: int = 4) -> list[dict[str, np.ndarray[Any, np.dtype[np.float32]]]]:
    """Samples for `convolution`."""
    rng = np.random.default_rng(1)
    return [{"x": rng.standard_normal((1, 3, 8, 8), dtype=np.float32)} for _ in range(count)]


def run(path: Path, **inputs: Any) -> Any:
    """The first output of a model."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run(None, inputs)[0]


def _saved(
    path: Path,
    nodes: list[onnx.NodeProto],
    weights: dict[str, Any],
    inputs: dict[str, list[Any]],
    outputs: dict[str, list[Any]],
    opset: int,
    ir: int,
) -> Path:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(weight, np.float32), name) for name, weight in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir), path)
    return path
