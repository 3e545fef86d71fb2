"""Real ONNX models whose outputs are no tensors of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

W: Final = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)
NAMES: Final = ["ant", "bee", "cat"]


def classifier(path: Path, *outputs: str) -> Path:
    """As skl2onnx exports one: `label` as text, `probabilities` as a map a sample; and `scores` as they are."""
    maps = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
    values = {
        "scores": helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 3]),
        "label": helper.make_tensor_value_info("label", TensorProto.STRING, ["n"]),
        "probabilities": helper.make_value_info("probabilities", helper.make_sequence_type_proto(maps)),
    }
    learned: Any = {"domain": "ai.onnx.ml"}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["scores"]),
        helper.make_node("ArgMax", ["scores"], ["best"], axis=1, keepdims=0),
        helper.make_node("LabelEncoder", ["best"], ["label"], keys_int64s=[0, 1, 2], values_strings=NAMES, **learned),
        helper.make_node("ZipMap", ["scores"], ["probabilities"], classlabels_int64s=[0, 1, 2], **learned),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])
    chosen = [values[name] for name in outputs]
    graph = helper.make_graph(nodes, "g", [x], chosen, [numpy_helper.from_array(W, "w")])
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=domains, ir_version=8), path)
    return path
