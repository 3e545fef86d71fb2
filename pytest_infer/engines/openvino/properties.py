"""OpenVINO itself, its devices, and the properties that an engine is compiled with."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.engines.options import check_names
from pytest_infer.errors import EngineBuildError, MissingDependencyError, UsageError
from pytest_infer.precision import METHODS, conversion_options
from pytest_infer.workload import Precision, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_infer.engines.base import BuildRequest

HINTS: Final[Mapping[Precision, str]] = {
    Precision.FP32: "f32",
    Precision.FP16: "f16",
    Precision.BF16: "bf16",
    Precision.INT8: "f32",  # what the model leaves unquantized
}
"""What `INFERENCE_PRECISION_HINT` is set to. Without it a CPU with BF16 units runs fp32 networks in bf16, also those
that were compiled for fp32, exported and imported again."""

_MODES: Final = {Scenario.SINGLE_STREAM: "LATENCY", Scenario.OFFLINE: "THROUGHPUT"}
_OPTIONS: Final = ("calibration_method", "config", "exclude_nodes", "exclude_ops", "per_channel", "threads")
_SET_BY: Final = {
    "INFERENCE_PRECISION_HINT": "precision",
    "PERFORMANCE_HINT": "scenario",
    "INFERENCE_NUM_THREADS": "options={'threads': ...}",
}


def openvino() -> Any:
    """The package.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import openvino as package
    except ImportError:
        raise MissingDependencyError("openvino", "openvino", "backend 'openvino'") from None
    return package


@functools.cache
def core() -> Any:
    """The runtime: one for the process, since each has thread pools of its own."""
    return openvino().Core()


def find_device(variant: str) -> str:
    """The device that the backend's variant names; the CPU where it names none.

    Raises:
        UsageError: OpenVINO finds no such device here.
    """
    device, found = variant or "CPU", core().available_devices
    if device not in {name for one in found for name in (one, one.partition(".")[0])}:
        raise UsageError(
            f"backend 'openvino:{device}': OpenVINO finds no device {device!r} here; it finds {', '.join(found)}"
        )
    return device


def properties(device: str, request: BuildRequest) -> dict[str, Any]:
    """What an engine is compiled with, and loaded with again."""
    known = core().get_property(device, "SUPPORTED_PROPERTIES")
    chosen = {"INFERENCE_PRECISION_HINT": HINTS[request.precision], "PERFORMANCE_HINT": _MODES[request.scenario]}
    if "INFERENCE_NUM_THREADS" in known:
        chosen["INFERENCE_NUM_THREADS"] = request.options.get("threads", request.threads)
    return {**chosen, **request.options.get("config", {})}


def check_options(device: str, options: Mapping[str, Any]) -> None:
    """Hold the user's options against what there is.

    Raises:
        UsageError: an option that isn't there, or can't be right.
    """
    check_names("openvino", options, _OPTIONS)
    known = core().get_property(device, "SUPPORTED_PROPERTIES")
    threads = options.get("threads", 1)
    if not isinstance(threads, int) or threads < 1:
        raise UsageError(f"options={{'threads': {threads!r}}}: a whole number of at least 1 is needed")
    if "threads" in options and "INFERENCE_NUM_THREADS" not in known:
        raise UsageError(f"options={{'threads': {threads}}}: OpenVINO's {device} does not compute on host threads")
    method = options.get("calibration_method", METHODS[0])
    if method not in METHODS:
        raise UsageError(f"options={{'calibration_method': {method!r}}}: choose {', '.join(METHODS)}")
    conversion_options(options)
    config = options.get("config", {})
    if not isinstance(config, Mapping):
        raise UsageError(f"options={{'config': {config!r}}}: a dict of OpenVINO's properties by name is needed")
    writable = sorted(name for name, access in known.items() if access != "RO" and name not in _SET_BY)
    for name in config:
        if name in _SET_BY:
            raise UsageError(f"options={{'config': ...}} names {name}, which {_SET_BY[name]} sets")
        if name not in writable:
            raise UsageError(f"options={{'config': ...}}: {device} has no property {name!r}; it takes {writable}")


def check_nothing_excluded(request: BuildRequest) -> None:
    """OpenVINO itself puts a network into 16 bits, all of it: what was to be left out would not be.

    Raises:
        UsageError: something was.
    """
    for name in ("exclude_nodes", "exclude_ops"):
        if request.options.get(name):
            raise UsageError(
                f"{request.model}: options={{{name!r}: ...}}: OpenVINO puts a whole network into {request.precision}; "
                "leave nothing out, or use another backend"
            )


@contextlib.contextmanager
def errors_told(model: Path) -> Iterator[None]:
    """Raise OpenVINO's exceptions as ours, less the places in its own source.

    Raises:
        EngineBuildError: whatever it raised.
    """
    try:
        yield
    except RuntimeError as error:
        lines = (line.strip() for line in str(error).splitlines())
        told = " ".join(line for line in lines if line and not line.startswith(("Exception from ", "Check '")))
        raise EngineBuildError(f"{model}: OpenVINO can't build or load it: {told or error}") from error
