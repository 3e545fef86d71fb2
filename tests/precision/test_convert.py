"""What becomes of a model that is asked for in a precision."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

from pytest_infer.errors import EngineBuildError, MissingDependencyError, PrecisionError, UsageError
from pytest_infer.precision import METHODS, CalibrationSet, convert, recognise
from pytest_infer.precision.model import inputs
from pytest_infer.workload import Precision
from tests.precision import models

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.TF32])
def test_fp32_of_an_fp32_model_is_the_file_itself(network: Path, tmp_path: Path, precision: Precision) -> None:
    """Nothing is written where nothing has to be done: TF32 is how a device multiplies fp32."""
    made = convert(network, precision, tmp_path / "out.onnx", calibration=None)
    assert (made.path, made.converted) == (network, False)
    assert not (tmp_path / "out.onnx").exists()


@pytest.mark.parametrize("method", METHODS)
def test_int8_puts_all_heavy_nodes_into_int8(
    network: Path, tmp_path: Path, calibration: CalibrationSet, method: str
) -> None:
    """Each method quantizes convolution and matrix, and the outputs stay what they were."""
    made = convert(network, Precision.INT8, tmp_path / "out.onnx", calibration=calibration, method=method)
    assert made.converted
    assert made.nodes == {"Conv": 1, "MatMul": 1}
    assert made.left == {}
    onnx.checker.check_model(made.path)
    x = models.samples()[0]["x"]
    assert np.abs(models.run(made.path, x=x) - models.run(network, x=x)).max() < 0.1


def test_int8_folds_batch_normalisation_and_leaves_softmax(
    network: Path, tmp_path: Path, calibration: CalibrationSet
) -> None:
    """Batch normalisation becomes part of the convolution; probabilities are not rounded to 1/256."""
    made = convert(network, Precision.INT8, tmp_path / "out.onnx", calibration=calibration)
    graph = onnx.load(made.path).graph
    assert "BatchNormalization" not in {node.op_type for node in graph.node}
    assert graph.node[-1].op_type == "Softmax"


def test_int8_weights_have_a_scale_for_each_output_channel(
    network: Path, tmp_path: Path, calibration: CalibrationSet
) -> None:
    """Channels that differ eightfold keep their resolution."""
    made = convert(network, Precision.INT8, tmp_path / "out.onnx", calibration=calibration)
    graph = onnx.load(made.path).graph
    kernel = next(node for node in graph.node if node.op_type == "Conv").input[1]
    step = next(node for node in graph.node if kernel in node.output)
    scale = next(tensor for tensor in graph.initializer if tensor.name == step.input[1])
    assert list(scale.dims) == [4]


@pytest.mark.parametrize(("symmetric", "stored"), [(False, onnx.TensorProto.UINT8), (True, onnx.TensorProto.INT8)])
def test_symmetric_int8_is_signed_with_zero_at_zero(
    network: Path, tmp_path: Path, calibration: CalibrationSet, *, symmetric: bool, stored: int
) -> None:
    """CPUs get unsigned activations with a zero point, TensorRT signed ones without, and biases in float."""
    made = convert(network, Precision.INT8, tmp_path / "out.onnx", calibration=calibration, symmetric=symmetric)
    graph = onnx.load(made.path).graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    zeros = [tensors[node.input[2]] for node in graph.node if node.op_type == "QuantizeLinear"]
    assert {zero.data_type for zero in zeros} == {stored}
    if symmetric:
        assert not any(onnx.numpy_helper.to_array(zero).any() for zero in zeros)
    dequantized = [tensors[n.input[0]] for n in graph.node if n.op_type == "DequantizeLinear" and n.input[0] in tensors]
    assert any(tensor.data_type == onnx.TensorProto.INT32 for tensor in dequantized) is not symmetric


@pytest.mark.parametrize("precision", [Precision.FP16, Precision.BF16, Precision.INT8, Precision.FP8])
def test_what_already_is_in_a_precision_is_not_converted_twice(
    network: Path, tmp_path: Path, calibration: CalibrationSet, precision: Precision
) -> None:
    """Converting a converted model gives the model itself."""
    first = convert(network, precision, tmp_path / "first.onnx", calibration=calibration)
    assert recognise(first.path) is precision
    second = convert(first.path, precision, tmp_path / "second.onnx", calibration=None)
    assert (second.path, second.converted) == (first.path, False)


def test_lost_precision_does_not_come_back(network: Path, tmp_path: Path, calibration: CalibrationSet) -> None:
    """An int8 model is never timed under the name of fp32."""
    made = convert(network, Precision.INT8, tmp_path / "out.onnx", calibration=calibration)
    with pytest.raises(PrecisionError, match=r"out\.onnx already is int8.*give the fp32 model"):
        convert(made.path, Precision.FP32, tmp_path / "back.onnx", calibration=None)


@pytest.mark.parametrize("precision", [Precision.INT8, Precision.FP8])
def test_without_samples_it_is_told_how_to_give_them(network: Path, tmp_path: Path, precision: Precision) -> None:
    """The error names the marker's key."""
    with pytest.raises(UsageError, match=f"{precision} needs samples .*calibration="):
        convert(network, precision, tmp_path / "out.onnx", calibration=None)


def test_an_unknown_method_names_the_known(network: Path, tmp_path: Path, calibration: CalibrationSet) -> None:
    """minmax, entropy and percentile are offered."""
    with pytest.raises(UsageError, match="'median' is unknown; choose minmax, entropy, percentile"):
        convert(network, Precision.INT8, tmp_path / "out.onnx", calibration=calibration, method="median")


def test_a_model_with_nothing_to_quantize_is_an_error(tmp_path: Path) -> None:
    """A model that would stay fp32 is not called int8."""
    model = models.addition(tmp_path / "addition.onnx")
    one = [{"a": np.ones((1, 2), np.float32), "b": np.ones((1, 2), np.float32)}]
    calibration = CalibrationSet.spool(one, tmp_path / "samples", inputs(model))
    with pytest.raises(PrecisionError, match=r"addition\.onnx has no Conv"):
        convert(model, Precision.INT8, tmp_path / "out.onnx", calibration=calibration)


def test_an_old_operator_set_is_raised(tmp_path: Path) -> None:
    """Scales per channel need operator set 13; an older model is brought there."""
    model = models.convolution(tmp_path / "old.onnx", opset=11, ir=6)
    calibration = CalibrationSet.spool(models.samples(), tmp_path / "samples", inputs(model))
    assert convert(model, Precision.INT8, tmp_path / "out.onnx", calibration=calibration).nodes["Conv"] == 1


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07\x12\xff\xff\xff"])
@pytest.mark.parametrize("precision", list(Precision))
def test_a_file_that_is_no_onnx_is_named(tmp_path: Path, content: bytes, precision: Precision) -> None:
    """Whatever is asked of it."""
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(content)
    with pytest.raises(EngineBuildError, match=r"broken\.onnx is no ONNX file"):
        convert(broken, precision, tmp_path / "out.onnx", calibration=None)


def test_missing_external_data_is_named(network: Path, tmp_path: Path) -> None:
    """A model whose weights lie in another file needs that file."""
    model = onnx.load(network)
    apart = tmp_path / "apart.onnx"
    onnx.save(model, apart, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert recognise(apart) is Precision.FP32
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(EngineBuildError, match=r"apart\.onnx.*weights\.bin"):
        convert(apart, Precision.FP16, tmp_path / "out.onnx", calibration=None)


def test_conversion_is_silent_and_leaves_logging_as_it_was(
    network: Path, tmp_path: Path, calibration: CalibrationSet, capfd: pytest.CaptureFixture[str]
) -> None:
    """ONNX Runtime's tools print, log and install log handlers; none of that reaches the user."""
    root = logging.getLogger()
    before = (root.handlers[:], root.manager.disable, root.level)
    for method in METHODS:
        convert(network, Precision.INT8, tmp_path / "out.onnx", calibration=calibration, method=method)
    convert(network, Precision.FP16, tmp_path / "half.onnx", calibration=None)
    assert (root.handlers, root.manager.disable, root.level) == before
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("precision", "package"),
    [
        (Precision.FP16, "onnx"),
        (Precision.BF16, "ml_dtypes"),
        (Precision.INT8, "onnx"),
        (Precision.INT8, "onnxruntime"),
        (Precision.FP8, "onnxruntime"),
    ],
)
def test_a_missing_package_names_its_extra(
    network: Path,
    tmp_path: Path,
    calibration: CalibrationSet,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
    precision: Precision,
) -> None:
    """Both packages are optional; the error says how to get them."""
    unread = tmp_path / "unread.onnx"  # by this process
    unread.write_bytes(network.read_bytes())
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf"{package}.*pip install 'pytest-infer\[onnxruntime\]'"):
        convert(unread, precision, tmp_path / "out.onnx", calibration=calibration)


def test_the_same_samples_give_the_same_file(network: Path, tmp_path: Path, calibration: CalibrationSet) -> None:
    """A plan's key can stand for its content."""
    contents = [
        convert(network, Precision.INT8, tmp_path / f"{i}.onnx", calibration=calibration).path.read_bytes()
        for i in range(2)
    ]
    assert contents[0] == contents[1]
