"""Each precision is what runs: by the runtime's own word, by its rounding errors, and against deliberate lies."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_infer.device.fingerprint import Device
from pytest_infer.engines.registry import find_backend
from pytest_infer.errors import PrecisionError, UsageError
from pytest_infer.precision import Conversion, convert
from pytest_infer.workload import Precision
from tests.openvino import models
from tests.precision.models import addition, convolution, product, run, samples

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_infer.engines.target import InferEngine

    Open = Callable[..., InferEngine]

pytest.importorskip("openvino", reason="OpenVINO is not installed")

from pytest_infer.engines.openvino import backend, properties


@pytest.mark.parametrize(("precision", "error"), [("fp32", 1e-5), ("fp16", 2e-3), ("bf16", 2e-2), ("int8", 0.1)])
def test_network(opened: Open, tmp_path: Path, precision: str, error: float) -> None:
    """Every heavy node computes in what was asked, and the outputs are ONNX Runtime's within that type's reach."""
    network = convolution(tmp_path / "network.onnx")
    engine = opened(network, precision, calibration=samples() if precision == "int8" else None)
    assert engine.facts["precision"] == precision
    assert engine.facts[f"{precision}_share"] == 1.0
    assert engine.facts["proof"] == "runtime model"
    assert sum(engine.facts["kernels"].values()) == 2
    x = samples()[0]["x"]
    assert engine(x) == pytest.approx(run(network, x=x), abs=error)


@pytest.mark.parametrize(
    ("precision", "least", "most"), [("fp32", 0, 1e-6), ("fp16", 1e-4, 1e-3), ("bf16", 1e-3, 1e-2)]
)
def test_rounding(opened: Open, tmp_path: Path, precision: str, least: float, most: float) -> None:
    """The runtime model's word is true: a product of random numbers errs as 24, 11 or 8 significant bits make it."""
    product = models.product(tmp_path / "product.onnx")
    x = np.random.default_rng(1).standard_normal((8, 256), np.float32)
    exact = run(product, x=x.astype(np.float32)).astype(np.float64)
    error = opened(product, precision, batch=8)(x) - exact
    assert least <= np.sqrt((error**2).mean() / (exact**2).mean()) <= most


@pytest.mark.parametrize(
    ("asked", "hint"), [("fp32", "bf16"), ("fp16", "bf16"), ("fp32", "f16"), ("bf16", "f16"), ("bf16", "f32")]
)
def test_wrong_hint(opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, hint: str) -> None:
    """An engine that computes in another precision than asked is never handed out."""
    product = models.product(tmp_path / "product.onnx")
    served = next(p for p, h in properties.HINTS.items() if h == hint)
    opened(product, served)  # skips where this CPU has not what is to be served
    monkeypatch.setitem(properties.HINTS, Precision(asked), hint)
    with pytest.raises(PrecisionError, match=rf"asked for {asked}, but .*1 in {served}; by runtime model"):
        opened(product, asked)


def test_fp32_as_int8(opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An fp32 network that is served as int8 is caught."""

    def nothing(model: Path, _precision: Precision, target: Path, **_given: Any) -> Conversion:
        shutil.copy(model, target)
        return Conversion(path=target, converted=True)

    monkeypatch.setattr(backend, "convert", nothing)
    with pytest.raises(PrecisionError, match=r"asked for int8, but none of its heavy nodes computes in it \(2 in fp32"):
        opened(convolution(tmp_path / "network.onnx"), "int8", calibration=samples())


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16", "int8"])
def test_attention(opened: Open, tmp_path: Path, precision: str) -> None:
    """The two products of an attention count as heavy, also fused into one node, and int8 computes them too."""
    network = models.attention(tmp_path / "attention.onnx")
    x = np.random.default_rng(1).standard_normal((2, 16, 64), np.float32)
    calibration = [{"x": x}] if precision == "int8" else None
    engine = opened(network, precision, batch=2, shapes={"x": (16, 64)}, calibration=calibration)
    assert sum(engine.facts["kernels"].values()) in {5, 6}
    assert engine.facts[f"{precision}_share"] == 1.0
    found, wanted = engine(x).ravel(), run(network, x=x).ravel()
    cosine = found @ wanted / (np.linalg.norm(found) * np.linalg.norm(wanted))
    assert cosine > (0.98 if precision == "int8" else 0.9999)


def test_its_own(opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is quantized already runs as it is, without samples; it is never made into something else."""
    network = convolution(tmp_path / "network.onnx")
    quantized = tmp_path / "quantized.onnx"

    def kept(*given: Any, **more: Any) -> Conversion:
        done = convert(*given, **more)
        shutil.copy(done.path, quantized)
        return done

    monkeypatch.setattr(backend, "convert", kept)
    opened(network, "int8", calibration=samples())
    assert opened(quantized).facts["int8_share"] == 1.0
    with pytest.raises(PrecisionError, match="already is int8"):
        opened(quantized, "fp32")


def test_no_samples(opened: Open, tmp_path: Path) -> None:
    """int8 without samples to calibrate on is the test's error."""
    with pytest.raises(UsageError, match="int8 needs samples"):
        opened(convolution(tmp_path / "network.onnx"), "int8")


def test_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What OpenVINO or this device can't compute in is refused before anything is built, with the reason."""
    openvino = find_backend("openvino")
    cpu = Device(slug="c", kind="cpu", name="CPU X", identity={})
    assert "NVIDIA" in str(openvino.refuses(Precision.TF32, cpu))
    assert "fp8" in str(openvino.refuses(Precision.FP8, cpu))
    assert openvino.refuses(Precision.FP32, cpu) is None
    assert openvino.refuses(Precision.INT8, cpu) is None
    gpu = Device(slug="g", kind="gpu", name="GPU X", identity={})
    assert "--infer-gpu=none" in str(openvino.refuses(Precision.FP32, gpu))

    class Core:
        def get_property(self, *_: str) -> list[str]:
            return ["FP32", "INT8", "EXPORT_IMPORT"]

    monkeypatch.setattr(backend, "core", Core)
    for precision in (Precision.FP16, Precision.BF16):
        told = str(openvino.refuses(precision, cpu))
        assert told == f"OpenVINO's CPU computes in fp32, int8 here; asked for {precision}, it would run one of these"


def test_mute(opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that does not tell what it computes in measures nothing under a precision's name."""
    from pytest_infer.engines.openvino import runtime_model

    monkeypatch.setattr(runtime_model, "_nodes", lambda _: [{"name": "all"}])
    with pytest.raises(PrecisionError, match="nobody can tell what it computes in"):
        opened(models.product(tmp_path / "product.onnx"))


def test_fp64(opened: Open, tmp_path: Path) -> None:
    """OpenVINO would compute it in fp32: it is refused, told as what it is, with the way out."""
    model = product(tmp_path / "double.onnx", np.float64)
    for precision in (None, "fp32"):
        with pytest.raises(PrecisionError, match="is in fp64, of which no fp32 is made; convert it to fp32 first"):
            opened(model, precision)


def test_nothing_heavy(opened: Open, tmp_path: Path) -> None:
    """A network that multiplies nothing shows no other precision than fp32."""
    assert opened(addition(tmp_path / "sum.onnx"), "fp32").facts["fp32_share"] == 1
    with pytest.raises(PrecisionError, match="asked for bf16, but it has no heavy node"):
        opened(tmp_path / "sum.onnx", "bf16")
