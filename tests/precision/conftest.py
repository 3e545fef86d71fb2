"""A tiny network and its samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_infer.precision import CalibrationSet
from pytest_infer.precision.model import inputs
from tests.precision import models

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A small convolutional network in fp32."""
    return models.convolution(tmp_path / "network.onnx")


@pytest.fixture
def calibration(tmp_path: Path, network: Path) -> CalibrationSet:
    """Samples for it, on disk."""
    return CalibrationSet.spool(models.samples(), tmp_path / "samples", inputs(network))
