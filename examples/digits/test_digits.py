"""A network that reads handwritten digits: as good as when it was trained, and fast enough, at each precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from examples.digits.train import Split, calibration

if TYPE_CHECKING:
    from pytest_infer import Infer, InferEngine


@pytest.mark.infer(
    model="models/digits.onnx",
    precision=["fp32", "fp16", "int8"],
    batch=[1, 32],
    calibration=calibration,
    max_latency_ms=2,
    max_p90_latency_ms=5,
    min_throughput=2_000,
    min_top1=0.97,
    max_top1_drop=0.01,
)
def test_digits(infer: Infer, infer_engine: InferEngine, held_out: Split) -> None:
    """It reads digits that it never saw, and is measured on them (fp16 on CPUs is skipped, and says why)."""
    infer.accuracy(infer_engine, inputs=held_out.pictures, labels=held_out.digits)
    assert infer_engine(held_out.pictures[:1]).argmax() == held_out.digits[0]
