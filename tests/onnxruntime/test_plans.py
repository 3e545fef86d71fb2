"""What a stored plan depends on beside model, options and device: whoever converted it, and how it was proved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnx
import pytest

from pytest_infer.engines import open as opening
from pytest_infer.engines.onnxruntime import OnnxRuntimeBackend
from pytest_infer.precision import Unconvertible, converters
from pytest_infer.workload import Precision
from tests.precision import models

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_infer.engines.target import InferEngine

    Open = Callable[..., InferEngine]

ort = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Precision]:
    """The precisions of all plans that were really built."""
    precisions: list[Precision] = []
    real = OnnxRuntimeBackend.build

    def counted(self: OnnxRuntimeBackend, request: Any, folder: Path) -> Any:
        precisions.append(request.precision)
        return real(self, request, folder)

    monkeypatch.setattr(OnnxRuntimeBackend, "build", counted)
    return precisions


@pytest.mark.parametrize(("precision", "again"), [("int8", ["int8"]), ("fp32", [])])
def test_another_converter(
    opened: Open,
    network: Path,
    built: list[Precision],
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    again: list[str],
) -> None:
    """A later version may write another file: what was converted is built again, and nothing else."""
    for _ in range(2):
        opened(network, precision, calibration=models.samples())
    assert built == [precision]
    monkeypatch.setattr(onnx, "__version__", "1.99")
    opened(network, precision, calibration=models.samples())
    assert built[1:] == again


def test_another_proof(opened: Open, network: Path, built: list[Precision], monkeypatch: pytest.MonkeyPatch) -> None:
    """A proof that is found otherwise is not believed as it was stored."""
    opened(network)
    monkeypatch.setattr(opening, "PROOF_VERSION", 99)
    opened(network)
    assert len(built) == 2


@pytest.mark.parametrize(
    ("found", "asked", "packages"),
    [
        (Precision.FP32, Precision.FP32, set()),
        (Precision.FP32, Precision.TF32, set()),
        (Precision.INT8, Precision.INT8, set()),
        (Precision.FP32, Precision.FP16, {"onnx"}),
        (Precision.FP32, Precision.BF16, {"onnx"}),
        (Precision.FP32, Precision.INT8, {"onnx", "onnxruntime"}),
        (Precision.FP32, Precision.FP8, {"onnx", "onnxruntime"}),
        (Unconvertible.FP64, Precision.FP16, {"onnx"}),
    ],
)
def test_converters(found: Precision | Unconvertible, asked: Precision, packages: set[str]) -> None:
    """Each conversion names the packages that it is made by, as they are installed."""
    versions = {"onnx": onnx.__version__, "onnxruntime": ort.__version__}
    assert converters(found, asked) == {name: versions[name] for name in packages}


def test_a_plan_of_another_day_took_no_time_to_build(opened: Open, network: Path) -> None:
    """How long building takes is told by whoever built: held against a figure from the cache it would mean nothing."""
    assert opened(network).costs["build"] > 0
    assert "build" not in opened(network).costs
