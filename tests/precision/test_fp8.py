"""fp8: steps at both operands of each product, weights stored in eight bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from pytest_infer.accuracy import compare
from pytest_infer.errors import PrecisionError, UsageError
from pytest_infer.precision import CalibrationSet, Conversion, ConversionOptions, convert, recognise
from pytest_infer.precision.model import inputs
from pytest_infer.tolerances import DEFAULTS
from pytest_infer.workload import Precision
from tests.precision import models

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def made(network: Path, tmp_path: Path, calibration: CalibrationSet) -> Conversion:
    """The small network in fp8."""
    return convert(network, Precision.FP8, tmp_path / "fp8.onnx", calibration=calibration)


def test_all_products(made: Conversion) -> None:
    """They take both operands from a dequantize step; the file is valid ONNX, and recognised."""
    onnx.checker.check_model(made.path, full_check=True)
    assert (made.nodes, made.left) == ({"Conv": 1, "MatMul": 1}, {})
    assert recognise(made.path) is Precision.FP8
    assert onnx.load(made.path).opset_import[0].version == 19


def test_what_it_computes(made: Conversion, network: Path) -> None:
    """By ONNX's own reference implementation; inputs and outputs are in fp32."""
    x = models.samples()[0]["x"]
    (found,) = ReferenceEvaluator(onnx.load(made.path)).run(None, {"x": x})
    cosine = compare([np.asarray(found)], [models.run(network, x=x)])["cosine"]
    assert cosine > DEFAULTS[Precision.FP8].min_cosine
    assert [spec.dtype for spec in inputs(made.path)] == ["float32"]


def test_weights_fill_the_range(made: Conversion) -> None:
    """Each output channel's largest weight is 448; nothing else is stored of them."""
    tensors = {one.name: one for one in onnx.load(made.path).graph.initializer}
    weights = [one for one in tensors.values() if one.data_type == TensorProto.FLOAT8E4M3FN and len(one.dims) >= 2]
    assert sorted(list(one.dims) for one in weights) == [[4, 3, 3, 3], [4, 5]]
    for one in weights:
        numbers = np.abs(numpy_helper.to_array(one).astype(np.float32))
        axes = (1, 2, 3) if numbers.ndim == 4 else (0,)
        assert (numbers.max(axis=axes) == 448).all()
    assert not any(one.data_type == TensorProto.FLOAT and len(one.dims) >= 2 for one in tensors.values())


def test_one_scale_a_weight(network: Path, tmp_path: Path, calibration: CalibrationSet) -> None:
    """Where it is asked."""
    options = ConversionOptions(per_channel=False)
    made = convert(network, Precision.FP8, tmp_path / "fp8.onnx", calibration=calibration, options=options)
    scales = [one for one in onnx.load(made.path).graph.initializer if one.name.endswith("_scale")]
    assert [list(one.dims) for one in scales] == [[]] * 4


def test_what_is_excluded(network: Path, tmp_path: Path, calibration: CalibrationSet) -> None:
    """It keeps its weights."""
    options = ConversionOptions(exclude_ops=("Conv",))
    made = convert(network, Precision.FP8, tmp_path / "fp8.onnx", calibration=calibration, options=options)
    assert (made.nodes, made.left) == ({"MatMul": 1}, {"Conv": 1})
    everything = ConversionOptions(exclude_ops=("Conv", "MatMul"))
    with pytest.raises(PrecisionError, match="has no Conv, Gemm, MatMul that fp8 could compute"):
        convert(network, Precision.FP8, tmp_path / "none.onnx", calibration=calibration, options=everything)


@pytest.mark.parametrize("transposed", [0, 1])
def test_products_of_activations_and_a_shared_input(tmp_path: Path, transposed: int) -> None:
    """Attention's products are quantized, too; a tensor that two of them take is quantized once."""
    nodes: list[Any] = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Gemm", ["x", "v"], ["b"], transB=transposed),
        helper.make_node("Transpose", ["b"], ["t"], perm=[1, 0]),
        helper.make_node("MatMul", ["a", "t"], ["y"]),
    ]
    rng = np.random.default_rng(0)
    weights = [numpy_helper.from_array(rng.standard_normal((4, 4)).astype(np.float32), name) for name in "wv"]
    shape = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4, 4]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", shape[:1], shape[1:], weights)
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    given = [{"x": rng.standard_normal((4, 4)).astype(np.float32)} for _ in range(4)]
    samples = CalibrationSet.spool(given, tmp_path / "samples", inputs(path))
    made = convert(path, Precision.FP8, tmp_path / "fp8.onnx", calibration=samples)
    assert sum(made.nodes.values()) == 3
    steps = [node for node in onnx.load(made.path).graph.node if node.op_type == "QuantizeLinear"]
    assert len(steps) == 3
    (found,) = ReferenceEvaluator(onnx.load(made.path)).run(None, given[0])
    (right,) = ReferenceEvaluator(onnx.load(path)).run(None, given[0])
    assert compare([np.asarray(found).ravel()], [np.asarray(right).ravel()])["cosine"] > 0.99


@pytest.mark.parametrize("precision", [Precision.INT8, Precision.FP8])
def test_ends_are_in_fp32(network: Path, tmp_path: Path, calibration: CalibrationSet, precision: Precision) -> None:
    """Inputs and outputs in eight bits would need scales that nobody outside knows."""
    options = ConversionOptions(keep_io=False)
    with pytest.raises(UsageError, match=f"'keep_io': False.* is for fp16 and bf16; {precision}"):
        convert(network, precision, tmp_path / "out.onnx", calibration=calibration, options=options)
