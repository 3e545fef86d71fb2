"""Digits for real, on a GPU. Skipped where there is none; not verified on hardware yet.

pytest tests/tensorrt/test_gpu.py
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from examples.digits import train
from pytest_infer.engines.base import BuildRequest, BuiltPlan
from pytest_infer.engines.tensorrt import TensorRTBackend, TensorRTRTXBackend
from pytest_infer.engines.tensorrt.library import MODULES
from pytest_infer.engines.truth import hold
from pytest_infer.errors import DeviceError, EngineBuildError
from pytest_infer.precision import CalibrationSet
from pytest_infer.precision.model import inputs
from pytest_infer.workload import Precision, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_infer.device.fingerprint import Device
    from pytest_infer.engines.tensorrt.engine import TensorRTEngine


@pytest.fixture(scope="module")
def device() -> Device:
    """The first GPU."""
    from pytest_infer.device.gpu import open_gpus

    try:
        return open_gpus("0")[0]
    except DeviceError as error:
        pytest.skip(f"no GPU: {error}")


@pytest.fixture(params=[TensorRTBackend, TensorRTRTXBackend])
def backend(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TensorRTBackend:
    """Whichever is installed."""
    made: TensorRTBackend = request.param()
    if not any(importlib.util.find_spec(module) for module in MODULES[made.name]):
        pytest.skip(f"{made.name} is not installed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return made


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's network."""
    model = tmp_path_factory.mktemp("digits") / "digits.onnx"
    train.make(model)
    return model


@pytest.fixture
def load(backend: TensorRTBackend, device: Device, tmp_path: Path) -> Iterator[Callable[..., TensorRTEngine]]:
    """Builds, loads, holds the proof; closes in the end."""
    engines: list[TensorRTEngine] = []

    def open_one(model: Path, precision: Precision = Precision.FP32, **more: Any) -> TensorRTEngine:
        if (reason := backend.refuses(precision, device)) is not None:
            pytest.skip(reason)
        request = BuildRequest(model=model, device=device, precision=precision, **more)
        folder = tmp_path / f"plan{len(engines)}"
        folder.mkdir()
        plan = BuiltPlan(folder=folder, facts=backend.build(request, folder), build_s=0, size_mb=0, cached=False)
        engines.append(backend.load(request, plan))
        hold(engines[-1].proof, precision, model.name)
        return engines[-1]

    yield open_one
    for engine in engines:
        engine.close()


def _right(engine: TensorRTEngine) -> float:
    """The share of held-out pictures that it reads right."""
    _, test = train.splits()
    batch = int(engine.inputs[0].shape[0])
    whole = len(test.pictures) // batch * batch
    found = [
        engine.infer({"picture": test.pictures[begin : begin + batch]})["scores"].argmax(axis=1)
        for begin in range(0, whole, batch)
    ]
    return float((np.concatenate(found) == test.digits[:whole]).mean())


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.TF32, Precision.FP16, Precision.INT8])
def test_digits_are_read(
    load: Callable[..., TensorRTEngine], digits: Path, tmp_path: Path, precision: Precision
) -> None:
    """As well as on a CPU, in the precision that the loaded engine's inspector tells."""
    samples = CalibrationSet.spool(train.calibration(), tmp_path / "samples", inputs(digits))
    engine = load(digits, precision, batch=32, calibration=samples)
    assert _right(engine) >= 0.97
    assert engine.proof.how.startswith("inspector")
    assert engine.costs["device_memory"] > 0


def test_digits_through_a_graph(load: Callable[..., TensorRTEngine], digits: Path) -> None:
    """One launch a run gives the same."""
    engine = load(digits, batch=32, options={"cuda_graph": True})
    assert engine.proof.graph_captured is True
    assert _right(engine) >= 0.97
    run = engine.bind([{"picture": train.splits()[1].pictures[begin : begin + 32]} for begin in (0, 32)])
    for _ in range(4):
        run()


def test_digits_in_two_contexts(load: Callable[..., TensorRTEngine], digits: Path) -> None:
    """Both at once, and single calls between."""
    engine = load(digits, batch=8, scenario=Scenario.OFFLINE, options={"contexts": 2})
    run = engine.bind([{"picture": train.splits()[1].pictures[begin : begin + 8]} for begin in (0, 8, 16)])
    for _ in range(4):
        run()
    assert _right(engine) >= 0.97


def test_an_output_whose_shape_depends_on_the_data(load: Callable[..., TensorRTEngine], tmp_path: Path) -> None:
    """NonZero gives as many places as there are; TensorRT-RTX 1.7 can't read that operator, TensorRT can."""
    graph = helper.make_graph(
        [helper.make_node("NonZero", ["x"], ["places"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 2])],
        [helper.make_tensor_value_info("places", TensorProto.INT64, [2, "count"])],
    )
    model = tmp_path / "places.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), model)
    try:
        engine = load(model)
    except EngineBuildError as error:
        assert "NonZero" in str(error)  # noqa: PT017 - the reason to skip, not what is held
        pytest.skip(f"this library has no NonZero: {error}")
    for count in (0, 3, 1):
        x = np.zeros((4, 2), np.float32)
        x.flat[:count] = 1
        assert engine.infer({"x": x})["places"].tolist() == [list(place) for place in np.nonzero(x)]
