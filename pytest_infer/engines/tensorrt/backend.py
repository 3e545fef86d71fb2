"""TensorRT as a backend: what it refuses, what a plan depends on, building and loading one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pytest_infer.device.cuda_choice import open_cuda
from pytest_infer.engines.capability import capability, forbidden, tf32_forbidden
from pytest_infer.engines.tensorrt.builder import build_plan
from pytest_infer.engines.tensorrt.engine import TensorRTEngine, open_engine
from pytest_infer.engines.tensorrt.library import find_library
from pytest_infer.engines.tensorrt.options import build_options, capabilities, check_options
from pytest_infer.errors import UsageError
from pytest_infer.precision import conversion_options, convert
from pytest_infer.precision.model import inputs, output_names
from pytest_infer.workload import Precision, Scenario, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_infer.device.fingerprint import Device
    from pytest_infer.engines.base import BuildRequest, BuiltPlan

_PLAN: Final = "plan.engine"
_OFFLINE_CONTEXTS: Final = 2
"""Enough for the copies of one inference to hide behind the other's kernels."""


class TensorRTBackend:
    """Builds a plan for exactly the asked shapes, strongly typed, and runs it on our own stream from bound buffers.

    Precision is in the ONNX file that is built; TF32 alone is a flag of the builder.

    Options: `optimization_level` (0 to 5), `workspace_mb`, `sparsity`, `tf32` (beside a narrower precision),
    `hardware_compatibility` (`none`, `ampere_plus`, `same_compute_capability`), `version_compatible`, `refit`,
    `compute_capability` (text like `8.6`, or a list: TensorRT-RTX builds for other GPUs, and where there is none),
    `timing_cache` (False: time every kernel anew), `calibration_method` (`minmax`, `entropy`, `percentile`),
    those of `precision.conversion_options`,
    `cuda_graph` (each run is the launch of one), `contexts` (inferences in flight in scenario offline, 2 by default).

    Attributes:
        tell: is given a line for every step of a build.
    """

    name = "tensorrt"
    scenarios: Final = frozenset({Scenario.SINGLE_STREAM, Scenario.OFFLINE})

    floors: ClassVar[Mapping[Precision, tuple[int, int]]] = {
        Precision.TF32: (8, 0),
        Precision.FP16: (5, 3),
        Precision.BF16: (8, 0),
        Precision.INT8: (6, 1),
        Precision.FP8: (8, 9),
    }
    """Compute capabilities from which a GPU computes in a precision.

    From the table "Hardware and Precision" of NVIDIA's TensorRT support matrix (int8 and fp16 as in that of TensorRT 8,
    the last one to list GPUs so old: TensorRT 10 itself wants 7.5).
    """

    def __init__(self, variant: str = "") -> None:
        """Take no variant: options say everything."""
        if variant:
            raise UsageError(f"backend '{self.name}:{variant}' is none; use backend={self.name!r} and its options")
        self.tell: Callable[[str], None] = lambda _line: None

    def refuses(self, precision: Precision, device: Device) -> str | None:
        """No GPU, or one that lacks the arithmetic."""
        if device.kind != "gpu":
            return "TensorRT runs on NVIDIA GPUs: choose one with --infer-gpu"
        floor = self.floors.get(precision)
        has = capability(device)
        if floor is not None and has is not None and has < floor:
            wanted, found = (".".join(map(str, one)) for one in (floor, has))
            return f"{precision} needs compute capability {wanted} or later, this GPU has {found}"
        return forbidden(precision)

    def key(self, request: BuildRequest) -> Mapping[str, Any]:
        """The library, the driver, the shapes, those options that change the plan, and whether TF32 is forbidden."""
        self._check(request)
        return {
            "library": find_library(self.name).version,
            "driver": request.device.facts.get("gpu driver"),
            "batch": request.batch,
            "shapes": {name: list(shape) for name, shape in sorted(request.shapes.items())},
            "options": plain(build_options(request.options)),
            **({"tf32": "forbidden"} if tf32_forbidden() else {}),
        }

    def build(self, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Convert to the precision, let TensorRT build, save."""
        self._check(request)
        library = find_library(self.name)
        # TF32 is how products of fp32 are computed; the file is the same.
        written = Precision.FP32 if request.precision is Precision.TF32 else request.precision
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            conversion = convert(
                request.model,
                written,
                Path(scratch) / "converted.onnx",
                calibration=request.calibration,
                method=str(request.options.get("calibration_method", "minmax")),
                symmetric=True,
                options=conversion_options(request.options),
                ranges=request.ranges,
            )
            built = build_plan(library, conversion.path, request, self.tell)
        (folder / _PLAN).write_bytes(built.plan)
        return {
            "proof": built.proof.plain(),
            "network": built.network.plain(),
            "tf32": built.tf32,
            "version_compatible": request.options.get("version_compatible", False),
            "inputs": [spec.name for spec in inputs(request.model)],
            "outputs": output_names(request.model),
        }

    def _check(self, request: BuildRequest) -> None:
        check_options(request.options, request.precision, self.name)
        if "contexts" in request.options and request.scenario is not Scenario.OFFLINE:
            raise UsageError("options={'contexts': ...}: inferences are in flight together in scenario='offline' only")

    def load(self, request: BuildRequest, plan: BuiltPlan) -> TensorRTEngine:
        """Load a plan on the request's GPU.

        Raises:
            DeviceError: no such GPU. EngineBuildError: TensorRT can't load it there.
        """
        offline = request.scenario is Scenario.OFFLINE
        return open_engine(
            find_library(self.name),
            open_cuda(request.device),
            (plan.folder / _PLAN).read_bytes(),
            built=plan.facts,
            where=str(request.model),
            contexts=int(request.options.get("contexts", _OFFLINE_CONTEXTS)) if offline else 1,
            graph=bool(request.options.get("cuda_graph", False)),
        )


class TensorRTRTXBackend(TensorRTBackend):
    """TensorRT for RTX GPUs: the same Python API; it builds without a GPU, and picks kernels where it runs."""

    name = "tensorrt-rtx"

    floors: ClassVar[Mapping[Precision, tuple[int, int]]] = {
        **TensorRTBackend.floors,
        Precision.FP32: (7, 5),
        Precision.FP16: (7, 5),
        Precision.INT8: (8, 0),
    }
    """As TensorRT's, with what the support matrix of TensorRT-RTX says of Turing: no int8 there."""

    def refuses(self, precision: Precision, device: Device) -> str | None:
        """As TensorRT does, and a GPU that this TensorRT-RTX is not made for, as no release is for Hopper."""
        if (reason := super().refuses(precision, device)) is not None:
            return reason
        library, found = find_library(self.name), device.identity.get("compute_capability")
        known = capabilities(library.trt)
        if not found or found in known:
            return None
        return (
            f"{library.version} runs on GPUs of compute capability {', '.join(known)}, this one has {found}; "
            "backend='tensorrt' is for it"
        )
