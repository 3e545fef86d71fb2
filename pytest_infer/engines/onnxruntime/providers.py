"""Execution providers: their names, what each computes in, and the options that make it compute in it."""

from __future__ import annotations

import contextlib
import io
import re
from typing import TYPE_CHECKING, Any, Final

from pytest_infer import spelling
from pytest_infer.engines.capability import TF32_OVERRIDE, capability, forbidden, tf32_forbidden, too_old
from pytest_infer.errors import MissingDependencyError, UsageError
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.device.fingerprint import Device

CPU: Final = "CPUExecutionProvider"
CUDA: Final = "CUDAExecutionProvider"
OPENVINO: Final = "OpenVINOExecutionProvider"
TENSORRT: Final = "TensorrtExecutionProvider"
TENSORRT_RTX: Final = "NvTensorRTRTXExecutionProvider"
ON_NVIDIA: Final = frozenset({CUDA, TENSORRT, TENSORRT_RTX})

_ALIASES: Final = {"trt": TENSORRT, "tensorrtrtx": TENSORRT_RTX, "trtrtx": TENSORRT_RTX}
_WHERE_FROM: Final = {
    CUDA: "pip uninstall onnxruntime, then pip install 'pytest-infer[onnxruntime-gpu]'",
    TENSORRT: "pip uninstall onnxruntime, then pip install 'pytest-infer[onnxruntime-gpu]'",
    OPENVINO: "pip uninstall onnxruntime, then pip install onnxruntime-openvino, or use backend='openvino'",
}
_ON_CPU: Final = {
    Precision.TF32: "tf32 is a mode of NVIDIA's matrix units",
    Precision.FP16: "ONNX Runtime's CPU provider computes fp16 in fp32: the time would stand under a wrong name",
    Precision.BF16: "ONNX Runtime's CPU provider has no bf16 kernels for whole networks",
    Precision.FP8: "ONNX Runtime's CPU provider has no fp8 kernels",
}
_ON_CUDA: Final = {
    Precision.INT8: "ONNX Runtime's CUDA provider computes what is quantized in float; use onnxruntime:tensorrt",
    Precision.FP8: "ONNX Runtime's CUDA provider has no fp8 kernels for whole networks; use backend tensorrt",
}
_ON_TENSORRT: Final = {Precision.FP8: "ONNX Runtime's TensorRT provider can't be asked for it; use backend tensorrt"}
_ON_OPENVINO: Final = dict.fromkeys(
    (Precision.TF32, Precision.FP16, Precision.BF16, Precision.FP8),
    "ONNX Runtime's OpenVINO provider computes in fp32 and int8 on CPUs; use backend openvino",
)

RESERVED: Final[Mapping[str, str]] = {
    "device_id": "--infer-gpu",
    "user_compute_stream": "the device timer",
    "has_user_compute_stream": "the device timer",
    "use_tf32": "precision",
    "trt_fp16_enable": "precision",
    "trt_bf16_enable": "precision",
    "trt_int8_enable": "precision",
    "precision": "precision",
    "enable_cuda_graph": "options={'cuda_graph': True}",
    "trt_cuda_graph_enable": "options={'cuda_graph': True}",
}
"""Provider options that something else sets."""
_HINT: Final = "INFERENCE_PRECISION_HINT"
_PLACE: Final = "device_type"  # of the OpenVINO provider


def onnxruntime() -> Any:
    """The package.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import onnxruntime as package
    except ImportError:
        raise MissingDependencyError("onnxruntime", "onnxruntime", "backend 'onnxruntime'") from None
    return package


def find_provider(variant: str) -> str:
    """The provider of the backend's variant: `cuda`, `CUDA` or `CUDAExecutionProvider`; the CPU's where it is empty.

    Raises:
        UsageError: there is no such provider, or the installed ONNX Runtime hasn't it.
    """
    if not variant:
        return CPU
    ort = onnxruntime()
    available: list[str] = ort.get_available_providers()
    named: dict[str, str] = {_plain(name): name for name in (*ort.get_all_providers(), *available)} | _ALIASES
    name = named.get(_plain(variant))
    backend = f"backend 'onnxruntime:{variant}'"
    if name is None:
        hint = spelling.hint(_plain(variant), named, f"here are {_listed(available)}")
        raise UsageError(f"{backend}: ONNX Runtime has no such provider; {hint}")
    if name not in available:
        way = _WHERE_FROM.get(name, "install a build of ONNX Runtime that has it")
        raise UsageError(f"{backend}: the installed ONNX Runtime has no {name}, only {_listed(available)}; {way}")
    return name


def preload(provider: str) -> None:
    """Let an NVIDIA provider find CUDA and cuDNN where pip's packages have them. What is missing there is told later.

    Not verified on hardware.
    """
    load = getattr(onnxruntime(), "preload_dlls", None)
    if provider in ON_NVIDIA and load is not None:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it doesn't find
            load()


def refusal(provider: str, precision: Precision, device: Device) -> str | None:
    """Why `provider` can't compute in `precision` on `device`, or None."""
    if (provider in ON_NVIDIA) is not (device.kind == "gpu"):
        if provider in ON_NVIDIA:
            return f"{provider} runs on NVIDIA GPUs: choose one with --infer-gpu"
        return f"{provider} does not run on this {device.kind}; measure it with --infer-gpu=none"
    if provider in ON_NVIDIA and (reason := too_old(precision, device)) is not None:
        return reason
    table = {CPU: _ON_CPU, CUDA: _ON_CUDA, TENSORRT: _ON_TENSORRT, OPENVINO: _ON_OPENVINO}.get(provider, {})
    return table.get(precision) or _tf32_refusal(provider, precision, device)


def _tf32_refusal(provider: str, precision: Precision, device: Device) -> str | None:
    """TensorRT multiplies fp32 in TF32 where the GPU can, and its providers have no option for it.

    Source: github.com/microsoft/onnxruntime/issues/26029. One environment variable forbids it to all libraries.
    """
    if precision is Precision.TF32:
        return forbidden(precision)
    able = (capability(device) or (8, 0)) >= (8, 0)
    if precision is Precision.FP32 and provider in {TENSORRT, TENSORRT_RTX} and able and not tf32_forbidden():
        return (
            f"{provider} multiplies fp32 in TF32 here, and has no option against it; ask for tf32, set the environment "
            f"variable {TF32_OVERRIDE}=0, or use backend tensorrt"
        )
    return None


def provider_options(
    provider: str, precision: Precision, given: Mapping[str, Any], *, threads: int, cuda_graph: bool
) -> dict[str, str]:
    """What `provider` is set to: what precision, threads and CUDA graph need, and what the user gave.

    TensorRT is not told of a precision: `trt_fp16_enable` and its like make ONNX Runtime build a network that takes the
    types of ours for hints (read in its source; not verified on hardware).
    """
    chosen: dict[str, str] = {}
    if provider in ON_NVIDIA:
        chosen["device_id"] = "0"  # in the process that measures, CUDA sees no other
    if provider == CUDA:
        chosen["use_tf32"] = str(int(precision is Precision.TF32))
    if provider == OPENVINO:
        chosen["num_of_threads"] = str(threads)
    if cuda_graph:
        chosen["trt_cuda_graph_enable" if provider == TENSORRT else "enable_cuda_graph"] = "1"
    return {**chosen, **{name: str(value) for name, value in given.items()}}


def check_provider_options(given: Mapping[str, Any]) -> None:
    """See that the user's options contradict nothing.

    Raises:
        UsageError: one does.
    """
    for name, value in given.items():
        if name == _PLACE and str(value) != "CPU":
            raise UsageError(
                f"options={{'provider_options': {{{name!r}: {value!r}}}}}: the CPU is measured, and another device "
                "would stand under its name; leave it out, or use backend='openvino:GPU'"
            )
        if name in RESERVED or _HINT in str(value):
            by = RESERVED.get(name, "precision")
            raise UsageError(f"options={{'provider_options': {{{name!r}: {value!r}}}}}: {by} sets that; leave it out")


def _plain(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower()).removesuffix("executionprovider")


def _listed(names: list[str]) -> str:
    return ", ".join(sorted(names))
