"""What an engine takes and gives, and what its options do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest

from pytest_infer.engines.registry import find_backend
from pytest_infer.errors import EngineBuildError, UsageError
from tests.openvino import models
from tests.precision.models import addition, convolution, run, samples

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_infer.engines.target import InferEngine

    Open = Callable[..., InferEngine]

pytest.importorskip("openvino", reason="OpenVINO is not installed")


def test_types(opened: Open, tmp_path: Path) -> None:
    """Names, order and types are the model's, and so is a shape that depends on the data."""
    path = models.several(tmp_path / "several.onnx")
    given = {
        "number": np.array(1.5),
        "ids": np.array([[1, 0, 7], [0, 0, -1]]),
        "unused": np.zeros((2, 2), np.float32),
        "half": np.array([[0.5, 1, 2], [3, 4, 5]], np.float16),
        "mask": np.array([[True, False, True], [False] * 3]),
    }
    engine = opened(path, batch=2)
    assert [(spec.name, spec.dtype, spec.shape) for spec in engine.inputs] == [
        (name, str(array.dtype), array.shape) for name, array in given.items()
    ]
    assert engine.outputs == ("where", "sum", "twice", "ids", "not")
    for found, right in zip(engine(given), opened(path, backend="onnxruntime", batch=2)(given), strict=True):
        assert found.dtype == right.dtype
        assert (found == right).all()


def test_names(opened: Open, tmp_path: Path) -> None:
    """They are the model's, also where OpenVINO knows an input by the name of what it is handed on as, too."""
    nodes = [
        models.node("Identity", ["z"], ["handed_on"]),
        models.node("Sub", ["handed_on", "x"], ["y"]),
        models.node("Identity", ["y"], ["b"]),
    ]
    outputs = ["y", "x", "b"]
    ports = [[models.value(name, "n", 2) for name in names] for names in ("xz", outputs)]
    engine = opened(models.save(tmp_path / "names.onnx", nodes, *ports), batch=2)
    assert [spec.name for spec in engine.inputs] == ["x", "z"]
    assert engine.outputs == tuple(outputs)
    z, x = np.full((2, 2), 5, np.float32), np.array([[1, 2], [3, 4]], np.float32)
    for found, right in zip(engine({"z": z, "x": x}), (z - x, x, z - x), strict=True):
        assert (found == right).all()
    bound: Any = engine.runnable([{"z": z, "x": x}])
    assert (bound()["y"] == z - x).all()


def test_shapes(opened: Open, tmp_path: Path) -> None:
    """A batch and shapes set the dynamic dimensions; a smaller batch is padded and cut back."""
    path = models.save(
        tmp_path / "wide.onnx",
        [models.node("Relu", ["x"], ["y"])],
        [models.value("x", "n", "width")],
        [models.value("y", "n", "width")],
    )
    engine = opened(path, batch=4, shapes={"x": (3,)})
    assert engine.inputs[0].shape == (4, 3)
    x = np.array([[-1, 0, 1], [2, -2, 3]], np.float32)
    assert (engine(x) == np.maximum(x, 0)).all()
    with pytest.raises(UsageError, match=r"dynamic dimensions 1 \('width'\) that nothing sets"):
        opened(path)
    with pytest.raises(UsageError, match="shapes names 'z'; it is by input, and those are x "):
        opened(path, shapes={"z": (3,)})


def test_fixed_batch(opened: Open, tmp_path: Path) -> None:
    """A batch that the model can't take is the test's error."""
    relu = models.node("Relu", ["x"], ["y"])
    path = models.save(tmp_path / "fixed.onnx", [relu], [models.value("x", 1, 4)], [models.value("y", 1, 4)])
    with pytest.raises(UsageError, match="batch=2 was asked for, but its first dimensions are fixed at"):
        opened(path, batch=2)


def test_rotation(opened: Open, tmp_path: Path) -> None:
    """Call by call, the bound sets take their turns; what becomes of the user's arrays no longer counts."""
    engine = opened(addition(tmp_path / "sum.onnx"))
    sets = [{"a": np.full((1, 2), i, np.float32), "b": np.zeros((1, 2), np.float32)} for i in range(3)]
    bound: Any = engine.runnable(sets)
    for one in sets:
        one["a"] += 100
    assert [float(bound()["y"][0, 0]) for _ in range(4)] == [0, 1, 2, 0]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_in_flight(opened: Open, tmp_path: Path, count: int) -> None:
    """Offline, one call makes as many inferences as it says, on all sets in turn, and leaves none unfinished."""
    engine = opened(addition(tmp_path / "sum.onnx"), scenario="offline")
    assert engine.facts["requests"] >= 1
    assert engine.in_flight >= engine.facts["requests"]
    sets = [{"a": np.full((1, 2), i, np.float32), "b": np.ones((1, 2), np.float32)} for i in range(count)]
    bound: Any = engine.runnable(sets)
    queue, calls = bound(), 3
    seen: list[float] = []
    queue.set_callback(lambda request, _: seen.append(float(request.get_tensor("y").data[0, 0])))
    for _ in range(calls):
        assert bound() is queue
        assert queue.is_ready()
    assert len(seen) == calls * engine.in_flight
    fewest, most = min(map(seen.count, seen)), max(map(seen.count, seen))
    assert set(seen) == {1.0 + i for i in range(count)}
    assert most - fewest <= 1


def test_plan(opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan is built once; another batch, scenario or option needs one of its own."""
    from pytest_infer.engines.openvino.backend import OpenVinoBackend

    built = []
    real = OpenVinoBackend.build

    def counted(*given: Any) -> Mapping[str, Any]:
        built.append(given)
        return real(*given)

    monkeypatch.setattr(OpenVinoBackend, "build", counted)
    network = convolution(tmp_path / "network.onnx")
    x = np.random.default_rng(0).standard_normal((1, 3, 8, 8), np.float32)
    assert (opened(network)(x) == opened(network)(x)).all()
    assert len(built) == 1
    for other in ({"batch": 2}, {"scenario": "offline"}, {"options": {"threads": 1}}, {"precision": "bf16"}):
        built.clear()
        opened(network, **other)
        opened(network, **other)
        assert len(built) == 1, other


@pytest.mark.parametrize(("precision", "again"), [("int8", 1), ("fp32", 0)])
def test_another_converter(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, again: int
) -> None:
    """A plan of a network that ONNX Runtime quantized is not one that another version would have quantized."""
    ort = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    network = convolution(tmp_path / "network.onnx")
    calibration = samples() if precision == "int8" else None
    plans = tmp_path / "plans"
    opened(network, precision, calibration=calibration)
    before = len(list(plans.glob("*/entry.json")))
    monkeypatch.setattr(ort, "__version__", "99.0")
    opened(network, precision, calibration=calibration)
    assert len(list(plans.glob("*/entry.json"))) == before + again


def test_external_data(opened: Open, tmp_path: Path) -> None:
    """Weights that lie in a file of their own are found."""
    model = onnx.load(convolution(tmp_path / "network.onnx"))
    outside = tmp_path / "outside.onnx"
    onnx.save(model, outside, save_as_external_data=True, location="weights.bin", size_threshold=0)
    x = np.random.default_rng(0).standard_normal((1, 3, 8, 8), np.float32)
    assert opened(outside)(x) == pytest.approx(run(tmp_path / "network.onnx", x=x), abs=1e-5)


def test_threads(opened: Open, tmp_path: Path) -> None:
    """Threads are the session's, or the option's; properties by name reach the device."""
    network = convolution(tmp_path / "network.onnx")
    assert opened(network).facts["threads"] == 2
    engine = opened(network, options={"threads": 1, "config": {"ENABLE_CPU_PINNING": False}})
    assert engine.facts["threads"] == 1
    compiled: Any = engine._loaded._compiled  # type: ignore[attr-defined]
    assert compiled.get_property("ENABLE_CPU_PINNING") is False


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"thread": 2}, r"no option 'thread'; did you mean 'threads'\?"),
        ({"xyz": 2}, "no option 'xyz'; it takes calibration_method, config, exclude_nodes"),
        ({"threads": 0}, "a whole number of at least 1"),
        ({"calibration_method": "mean"}, "choose minmax, entropy, percentile"),
        ({"config": "f32"}, "a dict of OpenVINO's properties"),
        ({"config": {"FAST": 1}}, "CPU has no property 'FAST'; it takes .*NUM_STREAMS"),
        ({"config": {"INFERENCE_PRECISION_HINT": "f32"}}, "which precision sets"),
        ({"config": {"PERFORMANCE_HINT": "LATENCY"}}, "which scenario sets"),
        ({"config": {"INFERENCE_NUM_THREADS": 1}}, "which options=.'threads': .* sets"),
    ],
)
def test_wrong_options(opened: Open, tmp_path: Path, options: dict[str, Any], told: str) -> None:
    """An option that can't be right is the test's error, and the message says what there is."""
    with pytest.raises(UsageError, match=told):
        opened(addition(tmp_path / "sum.onnx"), options=options)


def test_wrong_value(opened: Open, tmp_path: Path) -> None:
    """What the runtime refuses is told in its words, without the places in its source."""
    with pytest.raises(EngineBuildError, match=r"OpenVINO can't build or load it: .*streams.*many") as error:
        opened(addition(tmp_path / "sum.onnx"), options={"config": {"NUM_STREAMS": "many"}})
    assert ".cpp" not in str(error.value)


def test_devices(opened: Open, tmp_path: Path) -> None:
    """A variant is a device by OpenVINO's name; another one is the test's error, and those that there are are told."""
    assert opened(addition(tmp_path / "sum.onnx"), backend="openvino:CPU").workload.backend == "openvino:CPU"
    with pytest.raises(UsageError, match=r"openvino:FOO.*finds no device 'FOO' here; it finds .*CPU"):
        find_backend("openvino:FOO")
