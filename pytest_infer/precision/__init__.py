"""ONNX in, ONNX out: a network in the arithmetic that a test asks for, made before any backend sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pytest_infer.errors import PrecisionError, UsageError
from pytest_infer.precision.calibration import METHODS, CalibrationSet
from pytest_infer.precision.recognise import recognise
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["METHODS", "TRANSFORM_VERSION", "CalibrationSet", "Conversion", "convert", "recognise"]

TRANSFORM_VERSION: Final = 1
"""Part of a plan's identity: raise it whenever the same model and samples would give another file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What became of a model.

    Attributes:
        path: the file to build from; the model itself where nothing had to be done.
        converted: whether a file was written; False where the model already was what was asked.
        nodes: how many nodes of each kind were put into the new arithmetic.
        left: how many nodes of each kind could have computed in it and do not.
    """

    path: Path
    converted: bool
    nodes: Mapping[str, int] = field(default_factory=dict)
    left: Mapping[str, int] = field(default_factory=dict)


def convert(
    model: Path,
    precision: Precision,
    target: Path,
    *,
    calibration: CalibrationSet | None,
    method: str = "minmax",
    symmetric: bool = False,
) -> Conversion:
    """Write `model` in `precision` to `target`, unless it already is in it.

    Args:
        model: an ONNX file.
        precision: what is asked.
        target: the file to write, used where there is something to write.
        calibration: the samples that set int8's ranges.
        method: how: one of `METHODS`.
        symmetric: int8 as TensorRT wants it (signed, zero at zero, biases in float) instead of as CPUs run it fastest.

    Raises:
        UsageError: int8 without samples, or an unknown method.
        PrecisionError: a precision that no transform makes from this model.
        EngineBuildError: no ONNX file, or one that can't be converted.
    """
    from pytest_infer.precision.float16 import to_float16
    from pytest_infer.precision.int8 import to_int8

    if precision in {Precision.TF32, Precision.BF16, Precision.FP8}:
        raise PrecisionError(f"{model}: {precision} is not available in this version; use fp32, fp16 or int8")
    found = recognise(model)
    if found is precision:
        return Conversion(path=model, converted=False)
    if found is not Precision.FP32:
        raise PrecisionError(f"{model} already is {found}, which can't be made into {precision}; give the fp32 model")
    if precision is Precision.FP16:
        return Conversion(path=target, converted=True, nodes=to_float16(model, target))
    if calibration is None:
        raise UsageError(
            f"{model}: int8 needs samples to set its ranges; give calibration=, an iterable of {{input name: array}} "
            "or a callable that gives one"
        )
    if method not in METHODS:
        raise UsageError(f"calibration method {method!r} is unknown; choose {', '.join(METHODS)}")
    nodes, left = to_int8(model, target, calibration, method=method, symmetric=symmetric)
    return Conversion(path=target, converted=True, nodes=nodes, left=left)
