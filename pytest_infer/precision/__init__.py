"""ONNX in, ONNX out: a network in the arithmetic that a test asks for, made before any backend sees it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pytest_infer.errors import PrecisionError, UsageError
from pytest_infer.precision.calibration import METHODS, CalibrationSet
from pytest_infer.precision.options import CONVERSION_OPTIONS, ConversionOptions, conversion_options, options_in
from pytest_infer.precision.recognise import Unconvertible, recognise
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "CONVERSION_OPTIONS",
    "METHODS",
    "TRANSFORM_VERSION",
    "CalibrationSet",
    "Conversion",
    "ConversionOptions",
    "Unconvertible",
    "conversion_options",
    "convert",
    "converters",
    "options_in",
    "recognise",
]

TRANSFORM_VERSION: Final = 3
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
    options: ConversionOptions | None = None,
    ranges: Path | None = None,
) -> Conversion:
    """Write `model` in `precision` to `target`, unless it already is in it.

    Weights that make the file larger than 2 GiB lie beside it, in a file of the same name and `.data`.

    Args:
        model: an ONNX file.
        precision: what is asked. tf32 is how products of fp32 are computed: the model is the same.
        target: the file to write, used where there is something to write.
        calibration: the samples that set the ranges of int8 and fp8.
        method: how: one of `METHODS`.
        symmetric: int8 as TensorRT wants it (signed, zero at zero, biases in float) instead of as CPUs run it fastest.
        options: what else a user chose.
        ranges: a folder where the ranges of calibrations are kept, for others that ask for them; None keeps none.

    Raises:
        UsageError: no samples where they are needed, an unknown method, or something excluded that is not there.
        PrecisionError: a precision that no transform makes from this model.
        EngineBuildError: no ONNX file, or one that can't be converted.
    """
    from pytest_infer.precision.fp8 import to_fp8
    from pytest_infer.precision.int8 import to_int8
    from pytest_infer.precision.narrow import to_16_bits

    options = options or ConversionOptions()
    found, wanted = recognise(model), _written(precision)
    if found is wanted:
        return Conversion(path=model, converted=False)
    if isinstance(found, Unconvertible):
        raise PrecisionError(
            f"{model} is in {found}, of which no {precision} is made; convert it to fp32 first. Where no precision is "
            "asked, ONNX Runtime measures it as it is, on the CPU or on CUDA"
        )
    if found is not Precision.FP32:
        raise PrecisionError(f"{model} already is {found}, which can't be made into {precision}; give the fp32 model")
    if wanted in {Precision.FP16, Precision.BF16}:
        nodes, left = to_16_bits(model, target, wanted, options)
        return Conversion(path=target, converted=True, nodes=nodes, left=left)
    if not options.keep_io:
        raise UsageError(
            f"{model}: options={{'keep_io': False}} is for fp16 and bf16; {precision} has fp32 at its ends"
        )
    if calibration is None:
        raise UsageError(
            f"{model}: {precision} needs samples to set its ranges; give calibration=, an iterable of {{input name: "
            "array} or a callable that gives one"
        )
    if method not in METHODS:
        raise UsageError(f"calibration method {method!r} is unknown; choose {', '.join(METHODS)}")
    if wanted is Precision.FP8:
        nodes, left = to_fp8(model, target, calibration, options, method=method, kept=ranges)
    else:
        nodes, left = to_int8(model, target, calibration, options, method=method, symmetric=symmetric, kept=ranges)
    return Conversion(path=target, converted=True, nodes=nodes, left=left)


def converters(found: Precision | Unconvertible, precision: Precision) -> dict[str, str]:
    """What a conversion of a model depends on beside the model and what is asked: its packages, by version.

    None where nothing is converted.

    Args:
        found: what the model is in.
        precision: what is asked.
    """
    wanted = _written(precision)
    if found is wanted:
        return {}
    packages = ("onnx", "onnxruntime") if wanted in {Precision.INT8, Precision.FP8} else ("onnx",)
    return {package: _version(package) for package in packages}


def _written(precision: Precision) -> Precision:
    """What a file is in: tf32 is how products of fp32 are computed."""
    return Precision.FP32 if precision is Precision.TF32 else precision


def _version(package: str) -> str:
    """What is installed; nothing where it is missing: whoever needs it says so."""
    try:
        return str(importlib.import_module(package).__version__)
    except ImportError:
        return ""
