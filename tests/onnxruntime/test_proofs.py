"""What an engine is found to be, whatever it was asked to be."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pytest_infer.engines.onnxruntime import backend
from pytest_infer.engines.onnxruntime.loading import _profiled
from pytest_infer.engines.onnxruntime.proofs import kept_weights, written_nodes
from pytest_infer.engines.onnxruntime.sessions import declared
from pytest_infer.errors import PrecisionError
from pytest_infer.precision import CalibrationSet, Conversion, convert
from pytest_infer.precision.model import inputs
from pytest_infer.workload import Precision
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


def _kernels(model: Path, folder: Path) -> dict[str, int]:
    """What a profiled run on the CPU shows."""
    options = ort.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "profile")
    session: Any = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    (spec,) = declared(session.get_inputs(), model)
    return _profiled(session, [spec.resolved(2, {}, "it")])
