"""Models with weights in files of their own, and models too large for one file: two GiB stand here for a few bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx.external_data_helper import uses_external_data

from pytest_infer.precision import CalibrationSet, convert, model, recognise
from pytest_infer.workload import Precision
from tests.precision import models

if TYPE_CHECKING:
    from pathlib import Path

CONVERTED = [Precision.FP16, Precision.BF16, Precision.INT8, Precision.FP8]


@pytest.fixture
def outside(network: Path, tmp_path: Path) -> Path:
    """The network with all its weights in another file, in another folder."""
    apart = tmp_path / "apart" / "network.onnx"
    apart.parent.mkdir()
    onnx.save(onnx.load(network), apart, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return apart


@pytest.mark.parametrize("precision", CONVERTED)
def test_external_data(
    network: Path, outside: Path, tmp_path: Path, calibration: CalibrationSet, precision: Precision
) -> None:
    """What is written holds its own weights, and is what the same network in one file becomes."""
    made = convert(outside, precision, tmp_path / "out.onnx", calibration=calibration)
    plain = convert(network, precision, tmp_path / "plain.onnx", calibration=calibration)
    assert made.nodes == plain.nodes
    assert not (tmp_path / "out.onnx.data").exists()
    mine, theirs = (
        sorted((t.name, t.raw_data) for t in onnx.load(one.path).graph.initializer) for one in (made, plain)
    )
    assert mine == theirs


@pytest.mark.parametrize("precision", CONVERTED)
def test_what_is_too_large_for_one_file(
    outside: Path,
    network: Path,
    tmp_path: Path,
    calibration: CalibrationSet,
    monkeypatch: pytest.MonkeyPatch,
    precision: Precision,
) -> None:
    """Its weights are written beside it, and anything that reads the model finds them."""
    plain = convert(network, precision, tmp_path / "plain.onnx", calibration=calibration, symmetric=True)
    monkeypatch.setattr(model, "LARGEST_BYTES", 100)
    monkeypatch.setattr(model, "_SMALL_BYTES", 16)
    for _ in range(2):  # also where an older one lies
        made = convert(outside, precision, tmp_path / "out.onnx", calibration=calibration, symmetric=True)
    stored = onnx.load(made.path, load_external_data=False).graph.initializer
    assert any(uses_external_data(tensor) for tensor in stored)
    assert model.external_files(made.path) == [tmp_path / "out.onnx.data"]
    assert model.size_bytes(made.path) == made.path.stat().st_size + (tmp_path / "out.onnx.data").stat().st_size
    assert recognise(made.path) is precision
    mine, theirs = (
        sorted((t.name, t.raw_data) for t in onnx.load(one.path).graph.initializer) for one in (made, plain)
    )
    assert mine == theirs


def test_an_old_operator_set_is_raised_without_its_weights(
    tmp_path: Path, calibration: CalibrationSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX's converter takes a message, which is smaller than two GiB: large weights are taken out and put back."""
    old = models.convolution(tmp_path / "old.onnx", opset=11, ir=6)
    monkeypatch.setattr(model, "_SMALL_BYTES", 16)
    seen: list[set[str]] = []
    real = onnx.version_converter.convert_version

    def watched(given: onnx.ModelProto, version: int) -> onnx.ModelProto:
        seen.append({tensor.name for tensor in given.graph.initializer})
        return real(given, version)

    monkeypatch.setattr(onnx.version_converter, "convert_version", watched)
    made = convert(old, Precision.INT8, tmp_path / "out.onnx", calibration=calibration)
    assert "kernel" not in seen[0]
    x = models.samples()[0]["x"]
    assert np.abs(models.run(made.path, x=x) - models.run(old, x=x)).max() < 0.1
