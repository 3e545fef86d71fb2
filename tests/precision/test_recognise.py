"""What a model is in, told from its graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pytest_infer.precision import recognise
from pytest_infer.precision.model import inputs
from pytest_infer.workload import Precision, TensorSpec
from tests.precision import models

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("dtype", "precision"),
    [(np.float32, Precision.FP32), (np.float16, Precision.FP16), (ml_dtypes.bfloat16, Precision.BF16)],
)
def test_the_type_of_most_weights_decides(tmp_path: Path, dtype: type, precision: Precision) -> None:
    """A few scalars in another type change nothing, and neither does the name of the file."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["y"])],
        "g",
        [],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(np.ones(9, dtype), "w"), numpy_helper.from_array(np.ones(2, np.float32), "few")],
    )
    path = tmp_path / "model-int8.onnx"
    onnx.save(helper.make_model(graph), path)
    assert recognise(path) is precision


@pytest.mark.parametrize(
    "op", ["QLinearConv", "MatMulInteger", "ConvInteger", "DynamicQuantizeLinear", "QLinearMatMul"]
)
def test_integer_operators_are_int8(tmp_path: Path, op: str) -> None:
    """Models quantized in the older form, or while running, are recognised too."""
    graph = helper.make_graph([helper.make_node(op, ["x"], ["y"])], "g", [], [helper.make_empty_tensor_value_info("y")])
    onnx.save(helper.make_model(graph), tmp_path / "model.onnx")
    assert recognise(tmp_path / "model.onnx") is Precision.INT8


def test_steps_from_float8_are_fp8(tmp_path: Path) -> None:
    """The same graph form with another number type."""
    weights = [
        numpy_helper.from_array(np.ones((2, 2), ml_dtypes.float8_e4m3fn), "q"),
        numpy_helper.from_array(np.array(1, np.float32), "s"),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s"], ["w"]),
        helper.make_node("DequantizeLinear", ["x", "s"], ["a"]),
        helper.make_node("MatMul", ["a", "w"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "g", [], [helper.make_empty_tensor_value_info("y")], weights)
    onnx.save(helper.make_model(graph), tmp_path / "model.onnx")
    assert recognise(tmp_path / "model.onnx") is Precision.FP8


def test_weights_that_are_still_to_be_quantized(tmp_path: Path) -> None:
    """Some tools leave them in fp32 behind a pair of steps (nvidia-modelopt's fp8): the zero point tells the type."""
    weights = [
        numpy_helper.from_array(np.ones((2, 2), np.float32), "w"),
        numpy_helper.from_array(np.array(1, np.float32), "s"),
        numpy_helper.from_array(np.array(0, ml_dtypes.float8_e4m3fn), "z"),
    ]
    nodes = [
        node
        for name in ("x", "w")
        for node in (
            helper.make_node("QuantizeLinear", [name, "s", "z"], [f"{name}_q"]),
            helper.make_node("DequantizeLinear", [f"{name}_q", "s", "z"], [f"{name}_d"]),
        )
    ]
    nodes.append(helper.make_node("MatMul", ["x_d", "w_d"], ["y"]))
    graph = helper.make_graph(nodes, "g", [], [helper.make_empty_tensor_value_info("y")], weights)
    onnx.save(helper.make_model(graph), tmp_path / "model.onnx")
    assert recognise(tmp_path / "model.onnx") is Precision.FP8


def test_without_weights_the_inputs_decide(tmp_path: Path) -> None:
    """An addition of floats is fp32."""
    assert recognise(models.addition(tmp_path / "model.onnx")) is Precision.FP32


def test_inputs_name_their_dynamic_dimensions(tmp_path: Path) -> None:
    """And weights that old files list among the inputs are none."""
    path = models.addition(tmp_path / "model.onnx")
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(np.ones((1, 2), np.float32), "b"))
    assert inputs(path)[1] == TensorSpec(name="b", dtype="float32", shape=(1, 2))
    onnx.save(model, path)
    assert inputs(path) == (TensorSpec(name="a", dtype="float32", shape=("batch", 2)),)
    assert model.graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT
