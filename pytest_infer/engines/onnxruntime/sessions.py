"""Sessions: opened without any fallback, and the shapes that they are fixed to."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.engines.onnxruntime.options import LEVELS
from pytest_infer.engines.onnxruntime.providers import CPU, onnxruntime
from pytest_infer.errors import EngineBuildError, UsageError
from pytest_infer.workload import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_infer.engines.base import BuildRequest

_DTYPES: Final = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(bool)": "bool",
    **{f"tensor({kind}{bits})": f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)},
}


def session_options(request: BuildRequest, level: str) -> Any:
    """Options for any session of the request's."""
    ort = onnxruntime()
    options = ort.SessionOptions()
    options.log_severity_level = 4  # errors come as exceptions; its log would only repeat them on stderr
    options.intra_op_num_threads = int(request.options.get("threads", request.threads))
    options.inter_op_num_threads = 1
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, LEVELS[level])
    for key, value in request.options.get("config", {}).items():
        options.add_session_config_entry(key, str(value))
    return options


def watch_placement(options: Any, *, allow_fallback: bool) -> bool:
    """Let a session tell who runs its nodes; whether this ONNX Runtime can.

    Where it can't, the session is let refuse to open with a node on the CPU, unless that is allowed. That is as strict,
    but says nothing of which nodes.
    """
    if hasattr(onnxruntime().InferenceSession, "get_provider_graph_assignment_info"):
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        return True
    if not allow_fallback:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return False


def open_session(model: Path, options: Any, providers: Sequence[tuple[str, Mapping[str, str]]] = ((CPU, {}),)) -> Any:
    """A session over `model`.

    Raises:
        EngineBuildError: ONNX Runtime can't build or load it.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # that a provider is not there is told by what it runs on
            session = onnxruntime().InferenceSession(
                str(model), options, providers=[(name, dict(given)) for name, given in providers], enable_fallback=0
            )
    except Exception as error:
        raise EngineBuildError(f"{model}: ONNX Runtime can't build or load it: {error}") from error
    session.disable_fallback()  # a run that fails would be tried again on the CPU
    return session


def declared(values: Iterable[Any], model: Path) -> tuple[TensorSpec, ...]:
    """The inputs or outputs of a session, dynamic dimensions by name.

    Raises:
        UsageError: one that numpy has no type for.
    """
    specs = []
    for value in values:
        if value.type not in _DTYPES:
            raise UsageError(f"{model}: {value.name!r} is a {value.type}, which can't be measured")
        shape = tuple(size if isinstance(size, int) else str(size or "?") for size in value.shape)
        specs.append(TensorSpec(name=value.name, dtype=_DTYPES[value.type], shape=shape))
    return tuple(specs)


def fix_shapes(options: Any, dynamic: Sequence[TensorSpec], fixed: Sequence[TensorSpec]) -> None:
    """Give each named dimension of `dynamic` the number that it has in `fixed`.

    What only computes shapes is then computed once: providers leave such nodes to the CPU.
    """
    for before, after in zip(dynamic, fixed, strict=True):
        for name, size in zip(before.shape, after.shape, strict=True):
            if isinstance(name, str) and name != "?":
                options.add_free_dimension_override_by_name(name, int(size))
