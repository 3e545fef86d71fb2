"""What the transforms write is what TensorRT parses and builds: tried with TensorRT-RTX, which needs no GPU for it."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest

from pytest_infer.device.fingerprint import Device
from pytest_infer.engines.base import BuildRequest
from pytest_infer.engines.tensorrt.builder import build_plan
from pytest_infer.engines.tensorrt.library import MODULES, find_library
from pytest_infer.precision import CalibrationSet, ConversionOptions, convert
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_infer.engines.truth import Proof

if not any(importlib.util.find_spec(module) for module in MODULES["tensorrt-rtx"]):
    pytest.skip("tensorrt-rtx is not installed", allow_module_level=True)

ADA = Device(slug="gpu", kind="gpu", name="a GPU", identity={"compute_capability": "8.9"})


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("precision", [Precision.FP16, Precision.BF16, Precision.INT8, Precision.FP8])
def test_it_builds(
    network: Path, tmp_path: Path, calibration: CalibrationSet, precision: Precision, *, per_channel: bool
) -> None:
    """Strongly typed, for compute capability 8.9: every heavy layer is in the precision, and so are its weights."""
    proof = _built(network, tmp_path, calibration, precision, ConversionOptions(per_channel=per_channel))
    assert proof.share(precision) == 1
    assert proof.weights == {precision: 1}


@pytest.mark.parametrize("precision", [Precision.BF16, Precision.FP8])
def test_a_node_in_fp32_among_others(
    network: Path, tmp_path: Path, calibration: CalibrationSet, precision: Precision
) -> None:
    """What is excluded keeps its type beside what is not."""
    proof = _built(network, tmp_path, calibration, precision, ConversionOptions(exclude_ops=("Conv",)))
    assert proof.nodes["fp32"] == 1
    assert set(proof.weights) == {"fp32", precision}


def _built(
    network: Path, folder: Path, calibration: CalibrationSet, precision: Precision, options: ConversionOptions
) -> Proof:
    made = convert(network, precision, folder / "made.onnx", calibration=calibration, symmetric=True, options=options)
    request = BuildRequest(model=network, precision=precision, device=ADA, batch=2)
    return build_plan(find_library("tensorrt-rtx"), made.path, request, lambda _line: None).proof
