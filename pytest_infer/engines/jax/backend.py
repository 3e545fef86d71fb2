"""JAX: a function of arrays, compiled by XLA ahead of time, in whatever precision it is written in."""

from __future__ import annotations

import contextlib
import importlib
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.engines.capability import forbidden
from pytest_infer.engines.inputs import rotation
from pytest_infer.engines.jax.engine import Executable, JaxEngine
from pytest_infer.engines.options import check_names
from pytest_infer.engines.signature import named_outputs, read_signature
from pytest_infer.errors import EngineBuildError, UsageError
from pytest_infer.workload import Precision, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_infer.device.fingerprint import Device
    from pytest_infer.engines.base import CompileRequest
    from pytest_infer.engines.signature import Signature

_OPTIONS: Final = ("donate", "xla")


class JaxBackend:
    """Compiles a function for the CPU or (`jax:cuda`, not verified on hardware) a GPU.

    Nothing is converted: `precision` says what the function is written in, and XLA's program is held to it.

    Options: `xla` (XLA's compiler options by name), `donate` (names of inputs whose memory the outputs may take).
    """

    name = "jax"
    scenarios: Final = frozenset({Scenario.SINGLE_STREAM})

    def __init__(self, variant: str = "") -> None:
        """Compute on the CPU, or on the device `variant`."""
        if variant not in {"", "cuda"}:
            raise UsageError(f"no backend 'jax:{variant}'; there is 'jax', on the CPU, and 'jax:cuda'")
        self._jax: Any = importlib.import_module(
            "jax"
        )  # here, so that no build's time has the seconds in it that this takes
        self._platform = variant or "cpu"

    def refuses(self, precision: Precision, device: Device) -> str | None:
        """What no function could compute in there; what this function does is found by compiling it."""
        if self._platform == "cpu":
            if device.kind != "cpu":
                return "backend 'jax' computes on the CPU; on a GPU use backend='jax:cuda'"
            return "tf32 is a mode of NVIDIA's matrix units" if precision is Precision.TF32 else None
        if device.kind != "gpu":
            return "backend 'jax:cuda' computes on a GPU; choose one with --infer-gpu"
        if (reason := forbidden(precision)) is not None:
            return reason
        try:
            self._jax.devices(self._platform)
        except RuntimeError as error:
            return f"this JAX ({self._jax.__version__}) has no such device: {error}"
        return None

    def compile(self, request: CompileRequest) -> JaxEngine:
        """Trace, lower and compile the function for the shapes of its inputs."""
        jax = self._jax
        _check_options(request.options)
        function = request.model
        if not callable(function):
            raise UsageError(f"backend 'jax' takes a function of arrays, not a {type(function).__name__}")
        where = getattr(function, "__qualname__", type(function).__name__)
        signature = read_signature(function, request, where)
        donated = _donated(request.options, signature, where)
        jitted: Any = function  # the user's own way, where it is jitted already
        if donated or not (hasattr(function, "trace") and hasattr(function, "lower")):
            by_position = [spec.name for spec in signature.inputs[: signature.positional]]
            jitted = jax.jit(
                function,
                donate_argnums=[by_position.index(name) for name in donated if name in by_position],
                donate_argnames=[name for name in donated if name not in by_position],
            )
        args, kwargs = signature.arguments(
            {
                spec.name: jax.ShapeDtypeStruct(spec.shape, jax.dtypes.canonicalize_dtype(spec.dtype))
                for spec in signature.inputs
            }
        )
        device = jax.devices(self._platform)[0]
        with _caches(jax, fresh=request.fresh), jax.default_device(device):
            traced = jitted.trace(*args, **kwargs)
            lowered = traced.lower()
            try:
                compiled = lowered.compile(compiler_options=request.options.get("xla"))
            except jax.errors.JaxRuntimeError as error:
                raise EngineBuildError(f"{where}: XLA can't compile it: {error}") from error
        args, kwargs = signature.arguments(rotation(request.example, signature.inputs, where)[0])
        outputs = tuple(named_outputs(jax.block_until_ready(compiled(*args, **kwargs))))
        if not outputs:
            raise UsageError(f"{where}: it returns nothing that could be looked at; an array, or several, are needed")
        executable = Executable(
            name=where,
            precision=request.precision,
            signature=signature,
            compiled=compiled,
            jaxpr=traced.jaxpr,
            device=device,
            donates=any(one.donated for one in jax.tree.leaves(lowered.args_info)),
        )
        return JaxEngine(executable, outputs)


def _check_options(options: Mapping[str, Any]) -> None:
    if "threads" in options:
        raise UsageError(
            "options={'threads': ...}: JAX makes its threads when it starts, one for each core that the process may "
            "use; limit these for the whole process, with taskset or the environment variable NPROC"
        )
    check_names("jax", options, _OPTIONS)


def _donated(options: Mapping[str, Any], signature: Signature, where: str) -> tuple[str, ...]:
    names = options.get("donate", ())
    known = [spec.name for spec in signature.inputs]
    if isinstance(names, str) or not all(name in known for name in names):
        raise UsageError(
            f"{where}: options={{'donate': {names!r}}}: a tuple of inputs is needed, of {', '.join(known)}"
        )
    return tuple(names)


@contextlib.contextmanager
def _caches(jax: Any, *, fresh: bool) -> Iterator[None]:
    """What JAX keeps of earlier compilations, in memory and on disk, or none of it."""
    if not fresh:
        yield
        return
    kept = jax.config.jax_enable_compilation_cache
    jax.clear_caches()  # what is compiled stays so; who calls the function itself again waits for it once more
    jax.config.update("jax_enable_compilation_cache", val=False)
    try:
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", val=kept)
