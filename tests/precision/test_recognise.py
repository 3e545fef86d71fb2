"""What a model is in, told from its graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pytest_infer.errors import PrecisionError
from pytest_infer.precision import Unconvertible, convert, recognise
from pytest_infer.precision.model import inputs
from pytest_infer.precision.recognise import parts
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
    "op",
    [
        *("QLinearConv", "MatMulInteger", "ConvInteger", "DynamicQuantizeLinear", "QLinearMatMul"),
        *("DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "MatMulIntegerToFloat"),
    ],
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


@pytest.mark.parametrize("laid_out", ["Transpose", "Reshape", "Cast", "Squeeze", "Unsqueeze", "Identity"])
def test_a_weight_is_quantized_however_it_is_laid_out(tmp_path: Path, laid_out: str) -> None:
    """Exporters turn, fold and cast what they dequantized: converted again, it would be quantized twice."""
    shapes = {"Squeeze": (1, 2, 2), "Unsqueeze": (2, 2)}
    axes = {"Reshape": [2, 2], "Squeeze": [0], "Unsqueeze": [0]}
    weights = [
        numpy_helper.from_array(np.ones(shapes.get(laid_out, (2, 2)), np.int8), "q"),
        numpy_helper.from_array(np.array(1, np.float32), "s"),
        numpy_helper.from_array(np.array(axes.get(laid_out, [0])), "axes"),
    ]
    more: dict[str, Any] = {"to": TensorProto.FLOAT16} if laid_out == "Cast" else {}
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s"], ["d"]),
        helper.make_node(laid_out, ["d", "axes"] if laid_out in axes else ["d"], ["w"], **more),
        helper.make_node("DequantizeLinear", ["x", "s"], ["e"]),
        helper.make_node("Cast", ["e"], ["a"], to=TensorProto.FLOAT16 if more else TensorProto.FLOAT),
        helper.make_node("MatMul", ["a", "w"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "g", [], [helper.make_empty_tensor_value_info("y")], weights)
    onnx.save(helper.make_model(graph), tmp_path / "model.onnx")
    assert recognise(tmp_path / "model.onnx") is Precision.INT8


@pytest.mark.parametrize(
    ("bits", "precision"), [({}, Unconvertible.INT4), ({"bits": 2}, Unconvertible.INT4), ({"bits": 8}, Precision.INT8)]
)
def test_packed_weights(tmp_path: Path, bits: dict[str, Any], precision: Precision | Unconvertible) -> None:
    """They are what the model is in, by their number of bits; the operator's own default is four."""
    node = helper.make_node("MatMulNBits", ["x", "q", "s"], ["y"], domain="com.microsoft", **bits)
    weights = [numpy_helper.from_array(np.ones((2, 1, 8), np.uint8), "q")]
    graph = helper.make_graph([node], "g", [], [helper.make_empty_tensor_value_info("y")], weights)
    onnx.save(helper.make_model(graph), tmp_path / "model.onnx")
    assert recognise(tmp_path / "model.onnx") is precision


def test_weights_of_four_bits_before_a_product(tmp_path: Path) -> None:
    """Dequantized right before it, they are no network in fp32."""
    weights = [
        helper.make_tensor("q", TensorProto.INT4, [2, 2], [1, 2, 3, 4]),
        numpy_helper.from_array(np.array(1, np.float32), "s"),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s"], ["w"]),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "g", [], [helper.make_empty_tensor_value_info("y")], weights)
    onnx.save(helper.make_model(graph), tmp_path / "model.onnx")
    assert recognise(tmp_path / "model.onnx") is Unconvertible.INT4


@pytest.mark.parametrize("precision", list(Precision))
def test_fp64_is_no_fp32(tmp_path: Path, precision: Precision) -> None:
    """It is told as what it is, and nothing is converted from it, whatever is asked."""
    model = models.product(tmp_path / "model.onnx", np.float64)
    assert recognise(model) is Unconvertible.FP64
    with pytest.raises(
        PrecisionError, match=rf"model\.onnx is in fp64, of which no {precision} is made; convert it to"
    ):
        convert(model, precision, tmp_path / "out.onnx", calibration=None)


def test_what_else_is_in_a_model(tmp_path: Path) -> None:
    """Floats of other types than fp32, wherever they are: weights, inputs, casts."""
    graph = onnx.load(models.product(tmp_path / "model.onnx", np.float64)).graph
    assert parts(graph) == {"fp64"}
    graph.node.append(helper.make_node("Cast", ["y"], ["z"], to=TensorProto.FLOAT16))
    assert parts(graph) == {"fp64", "fp16"}
    assert parts(onnx.load(models.addition(tmp_path / "sum.onnx")).graph) == set()
