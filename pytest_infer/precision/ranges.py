"""The ranges of a network's tensors: what they were over the user's samples, and kept for whoever asks again.

Facts behind the choices, found with ONNX Runtime 1.31:

- Its entropy method with its own default of 128 bins for 128 levels never cuts anything: it is minmax.
- Its minmax and entropy methods give the same ranges whether symmetric ones are asked or not; percentile does not.
- Its optimiser writes the same file each time, so that ranges can be kept under the digest of what was observed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pytest_infer.errors import EngineBuildError
from pytest_infer.precision.model import LARGEST_BYTES, external_files, runtime, session, size_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.precision.calibration import CalibrationSet

_VERSION: Final = 1  # of how ranges are found; part of what they are kept under
_ENTROPY_BINS: Final = 512
_PERCENTILE: Final = 99.999

Ranges = dict[str, tuple[float, float]]
"""Lowest and highest value by tensor."""


def tensor_ranges(
    model: Path, samples: CalibrationSet, method: str, *, symmetric: bool, folder: Path, kept: Path | None
) -> Ranges:
    """The ranges of all tensors of the float network in `model` that a quantizer may ask for.

    Args:
        model: what is run on the samples, one at a time.
        samples: they set the ranges.
        method: one of `METHODS`.
        symmetric: whether a range is to be cut alike on both sides.
        folder: for what has to be written meanwhile.
        kept: the folder of ranges that were found before; None keeps none.
    """
    import onnx

    symmetric = symmetric and method == "percentile"
    if kept is None:
        return _found(model, samples, method, symmetric=symmetric, folder=folder)
    makers = f"onnx {onnx.__version__} onnxruntime {runtime(model).__version__}"
    digest = hashlib.sha256(f"{_VERSION} {makers} {method} {symmetric} {samples.digest}".encode())
    for path in (model, *external_files(model)):
        with path.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    file = kept / f"{digest.hexdigest()[:32]}.json"
    ranges = _read(file)
    if ranges is None:
        ranges = _found(model, samples, method, symmetric=symmetric, folder=folder)
        _write(file, ranges)
    return ranges


def operators() -> list[str]:
    """The operators that ONNX Runtime's quantizer knows."""
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    return sorted({*QDQRegistry, *QLinearOpsRegistry})


def _found(model: Path, samples: CalibrationSet, method: str, *, symmetric: bool, folder: Path) -> Ranges:
    from onnxruntime.quantization import calibrate

    makers: dict[str, tuple[Any, dict[str, Any]]] = {
        "minmax": (calibrate.MinMaxCalibrater, {}),
        "entropy": (calibrate.EntropyCalibrater, {"num_bins": _ENTROPY_BINS, "num_quantized_bins": 128}),
        "percentile": (calibrate.PercentileCalibrater, {"percentile": _PERCENTILE}),
    }
    maker, settings = makers[method]
    observed = folder / "observed.onnx"
    calibrator = maker(
        model,
        operators(),
        str(observed),
        symmetric=symmetric,
        use_external_data_format=size_bytes(model) > LARGEST_BYTES,
        **settings,
    )
    calibrator.augment_graph()
    calibrator.infer_session = session(observed)  # its own maker would let the runtime write to stderr
    for sample in samples:
        calibrator.collect_data(_One(sample))
    found = calibrator.compute_data()
    ranges = {}
    for name in sorted(found):
        low, high = (float(np.asarray(end).item()) for end in found[name].range_value)
        if not (math.isfinite(low) and math.isfinite(high)):
            raise EngineBuildError(
                f"its tensor {name!r} is not finite on the calibration samples; leave such samples out"
            )
        ranges[name] = (low, high)
    return ranges


class _One:
    """A single sample, as the runtime's calibrators want to be fed."""

    def __init__(self, sample: Mapping[str, Any]) -> None:
        self._left = [sample]

    def get_next(self) -> Mapping[str, Any] | None:
        return self._left.pop() if self._left else None


def _read(file: Path) -> Ranges | None:
    """What was kept; None where nothing was, or it is damaged."""
    try:
        stored = json.loads(file.read_text())
        ranges = {name: (float(low), float(high)) for name, (low, high) in stored["ranges"].items()}
        if stored["digest"] != _digest(ranges):
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    with contextlib.suppress(OSError):
        os.utime(file)
    return ranges


def _write(file: Path, ranges: Ranges) -> None:
    """Keep them, whole or not at all. Nobody needs them to be kept."""
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=f"{file.stem}.", delete=False) as draft:
            json.dump({"digest": _digest(ranges), "ranges": ranges}, draft)
        Path(draft.name).replace(file)


def _digest(ranges: Ranges) -> str:
    return hashlib.sha256(json.dumps(ranges, sort_keys=True).encode()).hexdigest()
