"""Engines of ONNX Runtime, opened as a test's marker would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.device.fingerprint import Device
from pytest_infer.engines.open import EngineRequest, Surroundings, open_target
from pytest_infer.engines.plan_cache import PlanCache
from pytest_infer.engines.registry import find_backend
from pytest_infer.engines.target import InferEngine
from pytest_infer.workload import Precision
from tests.precision import models

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CPU = Device(slug="cpu-x-2c", kind="cpu", name="CPU X", identity={"cores": 2})
GPU = Device(slug="gpu-x", kind="gpu", name="GPU X", identity={"compute_capability": "8.6"})


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A small convolutional network in fp32."""
    return models.convolution(tmp_path / "network.onnx")


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., InferEngine]:
    """Opens a model file by what a marker would say."""

    def open_(model: Path, precision: str | None = None, *, device: Device = CPU, **given: Any) -> InferEngine:
        around = Surroundings(
            device=device,
            backend=find_backend,
            test_folder=tmp_path,
            root=tmp_path,
            plans=PlanCache(tmp_path / "plans"),
            threads=2,
            memory=lambda: lambda: None,
        )
        values = {"backend": "onnxruntime", "shapes": {}, "options": {}} | given
        wanted = Precision(precision) if precision else None
        engine = open_target(EngineRequest(model=model, precision=wanted, **values), around)
        assert isinstance(engine, InferEngine)
        return engine

    return open_
