"""PyTorch: modules and exported programs, eager or compiled, in fp32 or with autocast."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.device.cuda_choice import try_cuda
from pytest_infer.engines.capability import forbidden
from pytest_infer.engines.inputs import rotation
from pytest_infer.engines.torch.compilation import EAGER, Options, compile_module
from pytest_infer.engines.torch.engine import Conditions, Program, TorchEngine, arrays, tensors
from pytest_infer.engines.torch.graphed import Graphed
from pytest_infer.engines.torch.module import open_module, own_dtype
from pytest_infer.errors import UsageError
from pytest_infer.workload import Precision, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.device.fingerprint import Device
    from pytest_infer.engines.base import CompileRequest

_CPU_REFUSALS: Final = {
    Precision.TF32: "tf32 is a mode of NVIDIA's matrix units",
    Precision.FP8: "PyTorch widens fp8 on CPUs: the time would stand under a wrong name",
}
_INSTRUCTIONS: Final = {
    Precision.BF16: ("avx512_bf16", "amx_bf16", "avx10_2", "bf16", "sve_bf16"),
    Precision.FP16: ("avx512_fp16", "amx_fp16", "avx10_2", "fp16_arith"),
}
"""Of these a CPU needs one: names of `torch.cpu.get_capabilities`, x86's and Arm's."""

_CAPABILITY: Final = {
    Precision.TF32: (8, 0),
    Precision.BF16: (8, 0),
    Precision.FP16: (5, 3),
    Precision.INT8: (6, 1),
    Precision.FP8: (8, 9),
}
"""The first compute capability with such arithmetic (CUDA C++ Programming Guide, table "Compute Capabilities")."""


class TorchBackend:
    """Runs a module as PyTorch does, on the CPU or (`torch:cuda`, not verified on hardware) on a GPU.

    fp32 runs with autocast off and without reduced-precision products. bf16 and fp16 run under autocast, which casts
    the weights at each call; but a module whose parameters all are in one other type runs in that as it is, its inputs
    cast to it. int8 and fp8 are a quantized module's own: nothing is quantized here.

    Options: `mode` (`eager`, or `torch.compile`'s `default`, `reduce-overhead`, `max-autotune`), `threads` (intra-op
    threads), `cuda_graph` (each call is the replay of one, captured of the module as it is or in mode `default`); for
    compiled modules `fullgraph` (True: a graph break is an error) and `dynamic` (False: one shape).
    """

    name = "torch"
    scenarios: Final = frozenset({Scenario.SINGLE_STREAM})

    def __init__(self, variant: str = "") -> None:
        """Compute on the CPU, or on the device `variant`."""
        if variant not in {"", "cuda"}:
            raise UsageError(f"no backend 'torch:{variant}'; there is 'torch', on the CPU, and 'torch:cuda'")
        torch: Any = importlib.import_module("torch")  # here, so that no build's time has these seconds in it
        if not hasattr(torch.backends.mkldnn, "matmul"):
            raise UsageError(
                f"PyTorch {torch.__version__} can't be told what to multiply float32 in, so fp32 could be something "
                "else; install torch>=2.9"
            )
        self._device = variant or "cpu"

    def refuses(self, precision: Precision, device: Device) -> str | None:
        """What the device has no instructions or PyTorch no kernels for."""
        if self._device == "cuda":
            return _cuda_refuses(precision, device)
        if device.kind != "cpu":
            return "backend 'torch' computes on the CPU; on a GPU use backend='torch:cuda'"
        if precision in _INSTRUCTIONS and not _cpu_computes(precision):
            return f"this CPU has no {precision} instructions: PyTorch would compute it in fp32"
        return _CPU_REFUSALS.get(precision)

    def compile(self, request: CompileRequest) -> TorchEngine:
        """Load the module, compile it where a mode asks for that, and call it until it runs as it will."""
        import torch

        options = Options.read(request)
        if options.cuda_graph and self._device != "cuda":
            raise UsageError("options={'cuda_graph': True}: the CPU has no CUDA graphs; use backend='torch:cuda'")
        where = request.model.name if isinstance(request.model, Path) else type(request.model).__name__
        module, signature = open_module(request, self._device, where)
        dtype = own_dtype(module)
        cast = {Precision.BF16: torch.bfloat16, Precision.FP16: torch.float16}.get(request.precision)
        conditions = Conditions(
            device=self._device,
            threads=options.threads,
            autocast=cast if dtype is torch.float32 else None,
            fp32="tf32" if request.precision is Precision.TF32 else "ieee",
        )
        example = tensors(rotation(request.example, signature.inputs, where)[0], dtype, self._device)
        args, kwargs = signature.arguments(example)
        compiled = None
        if options.mode != EAGER:
            compiled = compile_module(module, options, conditions, args, kwargs, fresh=request.fresh, where=where)
        function: Callable[..., Any] = module if compiled is None else compiled.function
        if options.cuda_graph:
            function = Graphed(conditions.around(function), args, kwargs, where)
        outputs = tuple(arrays(conditions.around(function)(*args, **kwargs)))
        if not outputs:
            raise UsageError(f"{where}: it returns nothing that could be looked at; a tensor, or several, are needed")
        facts: dict[str, Any] = {"device": self._device, "mode": options.mode, "threads": options.threads}
        if conditions.autocast is not None:
            facts["autocast"] = str(request.precision)
        if compiled is not None:
            facts["graphs"] = len(compiled.graphs)
        cuda, untimed = try_cuda(request.device) if self._device == "cuda" else (None, "")
        graph_captured = None if compiled is None else compiled.graph_captured
        program = Program(
            name=where,
            precision=request.precision,
            signature=signature,
            dtype=dtype,
            conditions=conditions,
            module=module,
            function=function,
            example=example,
            graphs=None if compiled is None else compiled.graphs,
            graph_captured=True if options.cuda_graph else graph_captured,
            stream=None if cuda is None else cuda.stream(),
            untimed=untimed,
        )
        return TorchEngine(program, outputs, facts)


def _cpu_computes(precision: Precision) -> bool:
    """Whether oneDNN has kernels for it on this CPU, and the CPU instructions for these, as far as PyTorch tells."""
    import torch

    kernels = getattr(torch.ops.mkldnn, f"_is_mkldnn_{precision}_supported")()
    told = getattr(torch.cpu, "get_capabilities", None)
    return bool(kernels and (told is None or any(told().get(name) for name in _INSTRUCTIONS[precision])))


def _cuda_refuses(precision: Precision, device: Device) -> str | None:
    import torch

    if device.kind != "gpu":
        return "backend 'torch:cuda' computes on a GPU; choose one with --infer-gpu"
    if (reason := forbidden(precision)) is not None:
        return reason
    if not torch.cuda.is_available():
        return f"this PyTorch ({torch.__version__}) sees no CUDA device"
    needed, has = _CAPABILITY.get(precision, (0, 0)), torch.cuda.get_device_capability()
    return None if has >= needed else f"needs compute capability {needed[0]}.{needed[1]}, this is {has[0]}.{has[1]}"
