"""TensorRT-RTX, which builds where there is no GPU, and a tiny network for it."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.device.fingerprint import Device
from pytest_infer.engines.base import BuildRequest
from pytest_infer.engines.tensorrt import TensorRTRTXBackend
from pytest_infer.engines.tensorrt.library import MODULES
from pytest_infer.engines.truth import Proof
from pytest_infer.errors import PrecisionError
from pytest_infer.precision import CalibrationSet
from pytest_infer.precision.model import inputs
from pytest_infer.workload import Precision
from tests.precision import models

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TensorRTRTXBackend:
    """The real thing, with a cache of its own."""
    if not any(importlib.util.find_spec(module) for module in MODULES["tensorrt-rtx"]):
        pytest.skip("tensorrt-rtx is not installed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return TensorRTRTXBackend()


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A convolution, pooling, and a product, in fp32."""
    return models.convolution(tmp_path / "network.onnx")


@pytest.fixture
def calibration(tmp_path: Path, network: Path) -> CalibrationSet:
    """Samples for it."""
    return CalibrationSet.spool(models.samples(), tmp_path / "samples", inputs(network))


def gpu(capability: str = "8.6") -> Device:
    """A GPU that nobody has to have: plans are built for it."""
    return Device(slug=f"gpu-{capability}", kind="gpu", name="a GPU", identity={"compute_capability": capability})


@pytest.fixture
def built(backend: TensorRTRTXBackend, tmp_path: Path) -> Callable[..., Proof]:
    """Builds for real, and gives what the builder told of the engine."""

    def build(model: Path, precision: str = "fp32", capability: str = "8.6", **more: Any) -> Proof:
        folder = tmp_path / "plan"
        folder.mkdir(exist_ok=True)
        request = BuildRequest(model=model, precision=Precision(precision), device=gpu(capability), **more)
        try:
            facts = backend.build(request, folder)
        except PrecisionError as error:
            if "not available in this version" in str(error):  # the conversion's word, not TensorRT's
                pytest.skip(str(error))
            raise
        assert [path.name for path in folder.iterdir()] == ["plan.engine"]
        return Proof(**facts["proof"])

    return build
