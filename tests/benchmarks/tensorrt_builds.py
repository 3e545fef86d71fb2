"""Digits, the vision networks and the encoder, built by TensorRT-RTX for GPUs that nobody has to have.

Prints a row for each network and precision: the share of heavy layers in it and of weights kept in it, as the builder
lists them, then seconds (converted before) and MB for each compute capability. Ends with 1 if anything can't be built,
or came out as something else. Usage:
python tests/benchmarks/tensorrt_builds.py [--capability 8.6 ...] [--precision fp16 ...] [network ...]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from examples.digits import train
from examples.minilm import encoder, sentences
from examples.vision import networks
from pytest_infer.device.fingerprint import Device
from pytest_infer.engines.base import BuildRequest
from pytest_infer.engines.tensorrt import TensorRTRTXBackend
from pytest_infer.engines.truth import Proof, hold
from pytest_infer.errors import InferError, PrecisionError
from pytest_infer.precision import CalibrationSet, convert
from pytest_infer.precision.model import inputs
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LENGTH = 64


class Network(NamedTuple):
    """How to make it, samples for it, and its shapes beyond the batch."""

    make: Callable[[Path], None]
    samples: Callable[[], Iterable[dict[str, Any]]]
    shapes: dict[str, tuple[int, ...]]


NETWORKS = {
    "digits": Network(train.make, partial(train.calibration, 8), {}),
    **{name: Network(partial(networks.make, name), partial(networks.calibration, 1), {}) for name in networks.NETWORKS},
    "minilm": Network(encoder.make, sentences.calibration, {"input_ids": (LENGTH,), "attention_mask": (LENGTH,)}),
}


def main() -> int:
    """Build all that is asked."""
    parser = argparse.ArgumentParser(description="Build the examples' networks with TensorRT-RTX.")
    parser.add_argument("network", nargs="*", default=list(NETWORKS), help=", ".join(NETWORKS))
    parser.add_argument("--capability", nargs="+", default=["8.6", "8.9", "12.0"])
    parser.add_argument("--precision", nargs="+", default=["fp32", "fp16", "bf16", "int8"])
    asked = parser.parse_args()
    print("network      precision  layers  weights  ", "  ".join(f"{one:>13}" for one in asked.capability))
    begun, failed = time.perf_counter(), 0
    for name in asked.network:
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / f"{name}.onnx"
            NETWORKS[name].make(model)
            samples = CalibrationSet.spool(NETWORKS[name].samples(), Path(folder) / "samples", inputs(model))
            for precision in asked.precision:
                failed += not row(name, Precision(precision), model, samples, asked.capability)
    print(f"{time.perf_counter() - begun:.0f} s, {failed} rows failed")
    return 1 if failed else 0


def row(name: str, precision: Precision, model: Path, samples: CalibrationSet, capabilities: list[str]) -> bool:
    """Convert once, build for each GPU, print; whether all went well."""
    backend = TensorRTRTXBackend()
    cells, proofs = [], []
    try:
        converted = convert(
            model, precision, model.with_name(f"{precision}.onnx"), calibration=samples, symmetric=True
        ).path
        for capability in capabilities:
            device = Device(slug="gpu", kind="gpu", name="a GPU", identity={"compute_capability": capability})
            request = BuildRequest(
                model=converted, device=device, precision=precision, batch=1, shapes=NETWORKS[name].shapes
            )
            with tempfile.TemporaryDirectory() as folder:
                begun = time.perf_counter()
                proof = Proof(**backend.build(request, Path(folder))["proof"])
                seconds = time.perf_counter() - begun
                size_mb = (Path(folder) / "plan.engine").stat().st_size / 1e6
            hold(proof, precision, name)
            proofs.append(replace(proof, weights=proof.weights or {precision: 1.0}))
            cells.append(f"{seconds:5.2f} s {size_mb:5.0f} MB")
    except InferError as error:
        what = "not what was asked" if isinstance(error, PrecisionError) else "not built"
        print(f"{name:12} {precision:9}  {what}: {' '.join(str(error).split())[:300]}", flush=True)
        return False
    layers, weights = (
        min(share) for share in zip(*((p.share(precision), p.weights.get(precision, 0)) for p in proofs), strict=True)
    )
    print(f"{name:12} {precision:9}  {layers:6.0%}  {weights:7.0%}  ", "  ".join(cells), flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
