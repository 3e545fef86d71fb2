"""What an engine is found to be, whatever it was asked to be."""

from __future__ import annotations

import dataclasses
import platform
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pytest_infer.engines.base import BuildRequest
from pytest_infer.engines.known import of_file
from pytest_infer.engines.model_file import content_of
from pytest_infer.engines.onnxruntime import backend
from pytest_infer.engines.onnxruntime.loading import _profiled
from pytest_infer.engines.onnxruntime.proofs import kept_weights, optimised_nodes, written_nodes
from pytest_infer.engines.onnxruntime.sessions import declared
from pytest_infer.engines.truth import Proof, hold
from pytest_infer.errors import PrecisionError
from pytest_infer.precision import CalibrationSet, Conversion, convert
from pytest_infer.precision.model import inputs
from pytest_infer.workload import Precision
from tests.onnxruntime.conftest import CPU
from tests.precision import models

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_infer.engines.target import InferEngine

    Open = Callable[..., InferEngine]

ort = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")


def test_fp32(opened: Open, network: Path) -> None:
    """All heavy nodes of the optimised graph, and all weights."""
    facts = opened(network, "fp32").facts
    assert (facts["proof"], facts["fp32_share"], facts["weights"]) == ("optimised graph", 1, {"fp32": 1})


def test_int8(opened: Open, network: Path) -> None:
    """Convolution and product are integer kernels with integer weights."""
    facts = opened(network, "int8", calibration=models.samples()).facts
    assert (facts["int8_share"], facts["weights"]) == (1, {"int8": 1})


def test_what_is_excluded_shows(opened: Open, network: Path) -> None:
    """The share says how much of an int8 network is left in fp32."""
    engine = opened(network, "int8", calibration=models.samples(), options={"exclude_ops": ["Conv"]})
    assert engine.facts["int8_share"] == 0.5
    assert set(engine.facts["weights"]) == {"fp32", "int8"}


def test_fp32_as_int8_is_caught(opened: Open, network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A conversion that did nothing."""
    monkeypatch.setattr(backend, "convert", lambda model, *_, **__: Conversion(path=model, converted=False))
    with pytest.raises(PrecisionError, match=r"asked for int8, but none .*\(2 in fp32; by optimised graph\)"):
        opened(network, "int8", calibration=models.samples())


def test_int8_that_no_kernel_was_found_for_is_caught(opened: Open, network: Path) -> None:
    """Without the optimisations that fuse the steps, an int8 file is computed in fp32."""
    with pytest.raises(PrecisionError, match=r"asked for int8, but none .*\(2 in fp32; by optimised graph\)"):
        opened(network, "int8", calibration=models.samples(), options={"graph_optimization": "basic"})


def test_int8_as_fp32_is_caught(opened: Open, network: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A conversion too many."""
    samples = CalibrationSet.spool(models.samples(), tmp_path / "samples", inputs(network))
    made = convert(network, Precision.INT8, tmp_path / "int8.onnx", calibration=samples)
    monkeypatch.setattr(backend, "convert", lambda *_, **__: made)
    with pytest.raises(PrecisionError, match=r"asked for fp32, but none of its heavy nodes .*in int8"):
        opened(network, "fp32")


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="other CPUs may have kernels for it")
def test_why_fp16_is_refused(network: Path, tmp_path: Path) -> None:
    """ONNX Runtime makes fp32 of an fp16 network again: what it would be timed in is another precision."""
    half = convert(network, Precision.FP16, tmp_path / "half.onnx", calibration=None).path
    assert _kernels(half, tmp_path) == {"fp32": 2}


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16", "int8", "fp8"])
def test_what_a_model_asks_for(network: Path, tmp_path: Path, precision: str) -> None:
    """Told by the operands' types, for a provider that shows no more."""
    samples = CalibrationSet.spool(models.samples(), tmp_path / "samples", inputs(network))
    made = convert(network, Precision(precision), tmp_path / "made.onnx", calibration=samples, symmetric=True).path
    assert written_nodes(made) == {precision: 2}
    assert kept_weights(onnx.load(made).graph) == {precision: 1}


def test_a_product_of_two_types_counts_as_the_wider(tmp_path: Path) -> None:
    """Only one operand is quantized: the product is in fp32."""
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["d"]),
        helper.make_node("MatMul", ["x", "d"], ["y"]),
    ]
    weights = [
        numpy_helper.from_array(np.ones((2, 2), np.int8), "w"),
        numpy_helper.from_array(np.array(1, np.float32), "s"),
    ]
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 2]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", shapes[:1], shapes[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "model.onnx")
    assert written_nodes(tmp_path / "model.onnx") == {"fp32": 1}


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_profile(network: Path, tmp_path: Path, precision: str) -> None:
    """One run tells which heavy kernels ran on what; where the network is dynamic, zeros of the asked shape do."""
    samples = CalibrationSet.spool(models.samples(), tmp_path / "samples", inputs(network))
    made = convert(network, Precision(precision), tmp_path / "made.onnx", calibration=samples).path
    assert _kernels(made, tmp_path) == {precision: 2}


def test_a_profile_of_what_can_not_run(network: Path, tmp_path: Path) -> None:
    """It tells nothing, and stops nothing."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "profile")
    session: Any = ort.InferenceSession(str(network), options, providers=["CPUExecutionProvider"])
    assert _profiled(session, []) == {}


def test_fp64(opened: Open, tmp_path: Path) -> None:
    """A model in fp64 is measured as it is where no precision is asked, and told as fp64; any other is refused."""
    path = models.product(tmp_path / "model.onnx", np.float64)
    engine = opened(path)
    assert (engine.facts["precision"], engine.facts["fp64_share"], engine.facts["weights"]) == ("fp64", 1, {"fp64": 1})
    assert engine.workload.precision is None
    x = np.random.default_rng(0).standard_normal((1, 4))
    assert np.abs(engine(x) - models.run(path, x=x)).max() == 0
    with pytest.raises(PrecisionError, match="is in fp64, of which no fp32 is made"):
        opened(path, "fp32")


def test_fp64_by_what_comes_before() -> None:
    """Products without weights, whose operands' types no file notes, compute in what these are made of."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Cast", ["a"], ["short"], to=TensorProto.FLOAT),
        helper.make_node("Own", ["a"], ["b"], domain="mine"),
        helper.make_node("MatMul", ["a", "b"], ["c"]),
        helper.make_node("MatMul", ["short", "short"], ["y"]),
        helper.make_node("MatMul", ["who", "knows"], ["z"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.DOUBLE, [2, 2])
    graph = helper.make_graph(nodes, "g", [x], [], [numpy_helper.from_array(np.eye(2), "w")])
    assert optimised_nodes(graph) == {"fp64": 2, "fp32": 2}


def test_packed_weights(opened: Open, tmp_path: Path) -> None:
    """Four bits are a kind of their own, and nothing that may be called fp32; also where ONNX Runtime packs them."""
    weights = [
        helper.make_tensor("q", TensorProto.INT4, [32, 8], [1, -2] * 128),
        numpy_helper.from_array(np.full((2, 8), 0.1, np.float32), "s"),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s"], ["w"], axis=0, block_size=16),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    values = [helper.make_tensor_value_info(name, 1, ["n", size]) for name, size in (("x", 32), ("y", 8))]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], weights)
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    engine = opened(path)
    assert (engine.facts["precision"], engine.facts["int4_share"]) == ("int4", 1)
    with pytest.raises(PrecisionError, match="is in int4, of which no fp32 is made"):
        opened(path, "fp32")
    packed = helper.make_node("MatMulNBits", ["x", "q", "s"], ["y"], domain="com.microsoft", bits=4)
    assert optimised_nodes(helper.make_graph([packed], "g", [], [])) == {"int4": 1}
    packed.attribute[0].i = 8
    assert optimised_nodes(helper.make_graph([packed], "g", [], [])) == {"int8": 1}


@pytest.mark.parametrize("operator", ["LSTM", "GRU", "RNN", "Einsum", "DynamicQuantizeLSTM", "FusedConv"])
def test_heavy_nodes(operator: str) -> None:
    """Recurrences and Einstein's sums are products as others are."""
    weight = numpy_helper.from_array(np.ones((1, 4, 4), np.float32), "w")
    graph = helper.make_graph([helper.make_node(operator, ["x", "w"], ["y"])], "g", [], [], [weight])
    assert optimised_nodes(graph) == {"int8" if "Quantize" in operator else "fp32": 1}
    assert kept_weights(graph) == {"fp32": 1}


def test_a_network_without_heavy_nodes(opened: Open, tmp_path: Path) -> None:
    """As fp32 it needs no proof; in anything else it is told by what it computes instead."""
    assert opened(models.addition(tmp_path / "single.onnx"), "fp32").facts["fp32_share"] == 1
    model = onnx.load(tmp_path / "single.onnx")
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TensorProto.DOUBLE
    onnx.save(model, tmp_path / "double.onnx")
    assert opened(tmp_path / "double.onnx").facts["precision"] == "fp64"
    assert written_nodes(tmp_path / "double.onnx") == {}
    assert written_nodes(tmp_path / "double.onnx", others=True) == {"fp64": 1}


def test_a_quantized_weight_that_is_turned(opened: Open, tmp_path: Path) -> None:
    """It is int8, runs so without samples, and is found behind the step that turns it."""
    weights = [
        numpy_helper.from_array(np.ones((8, 32), np.int8), "q"),
        numpy_helper.from_array(np.array(0.1, np.float32), "s"),
        numpy_helper.from_array(np.array(0, np.int8), "z"),
    ]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["wd"]),
        helper.make_node("Transpose", ["wd"], ["wt"], perm=[1, 0]),
        helper.make_node("MatMul", ["xd", "wt"], ["m"]),
        helper.make_node("QuantizeLinear", ["m", "s", "z"], ["mq"]),
        helper.make_node("DequantizeLinear", ["mq", "s", "z"], ["y"]),
    ]
    values = [helper.make_tensor_value_info(name, 1, ["n", size]) for name, size in (("x", 32), ("y", 8))]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], weights)
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    assert opened(path).facts["int8_share"] == 1
    assert written_nodes(path) == {"int8": 1}
    assert kept_weights(graph) == {"int8": 1}


def test_a_quantized_model_whose_rest_is_in_16_bits(network: Path, tmp_path: Path) -> None:
    """What it came with may stay beside int8; the same beside an int8 of our making would be a mistake."""
    samples = CalibrationSet.spool(models.samples(), tmp_path / "samples", inputs(network))
    made = convert(network, Precision.INT8, tmp_path / "int8.onnx", calibration=samples, symmetric=True).path
    model = onnx.load(made)
    model.graph.node.append(helper.make_node("Cast", ["y"], ["half"], to=TensorProto.FLOAT16))
    model.graph.node.append(helper.make_node("MatMul", ["half", "wh"], ["z"]))
    model.graph.initializer.append(numpy_helper.from_array(np.eye(5, dtype=np.float16), "wh"))
    model.graph.output[0].name = "z"
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    onnx.save(model, made)
    proof = Proof(how="types", nodes=written_nodes(made))
    assert proof.nodes == {"int8": 2, "fp16": 1}
    request = BuildRequest(model=made, device=CPU, precision=Precision.INT8)
    beside = of_file(request, content_of(made)).beside
    assert hold(proof, "int8", "model.onnx", beside=beside)["int8_share"] == pytest.approx(2 / 3, abs=1e-4)
    ours = of_file(dataclasses.replace(request, model=network), content_of(network)).beside
    with pytest.raises(PrecisionError, match="asked for int8, but 1 in fp16, 2 in int8"):
        hold(proof, "int8", "model.onnx", beside=ours)


def _kernels(model: Path, folder: Path) -> dict[str, int]:
    """What a profiled run on the CPU shows."""
    options = ort.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "profile")
    session: Any = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    (spec,) = declared(session.get_inputs(), model)
    return _profiled(session, [spec.resolved(2, {}, "it")])
