"""Backends by name: `onnxruntime`, or with a variant after a colon, like `onnxruntime:cuda`."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_infer import spelling
from pytest_infer.errors import MissingDependencyError, UsageError

if TYPE_CHECKING:
    from pytest_infer.engines.base import Backend, CompilingBackend

CALLABLE: Final = "callable"
"""No backend, but the name under which a Python callable is measured as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _BuiltIn:
    """Where a backend is, and what it needs (any of `packages`): imported only when a test asks for it."""

    module: str
    name: str
    packages: tuple[str, ...]
    extra: str


_BUILT_IN: Final = {
    "onnxruntime": _BuiltIn(
        module="onnxruntime", name="OnnxRuntimeBackend", packages=("onnxruntime",), extra="onnxruntime"
    ),
    "openvino": _BuiltIn(module="openvino", name="OpenVinoBackend", packages=("openvino",), extra="openvino"),
    "tensorrt": _BuiltIn(
        module="tensorrt", name="TensorRTBackend", packages=("tensorrt", "tensorrt_bindings"), extra="tensorrt"
    ),
    "tensorrt-rtx": _BuiltIn(
        module="tensorrt",
        name="TensorRTRTXBackend",
        packages=("tensorrt_rtx", "tensorrt_rtx_bindings"),
        extra="tensorrt-rtx",
    ),
    "torch": _BuiltIn(module="torch", name="TorchBackend", packages=("torch",), extra="torch"),
    "jax": _BuiltIn(module="jax", name="JaxBackend", packages=("jax",), extra="jax"),
}


def find_backend(name: str) -> Backend | CompilingBackend:
    """The backend of that name; what stands behind a colon is its variant (an execution provider, a device).

    Raises:
        UsageError: no such backend. MissingDependencyError: its package is not installed.
    """
    base, _, variant = name.partition(":")
    known = _BUILT_IN.get(base)
    if known is None:
        names = (*_BUILT_IN, CALLABLE)
        hint = spelling.hint(base, names, f"there is {', '.join(names)}")
        raise UsageError(f"no backend {name!r}; {hint}")
    if all(importlib.util.find_spec(package) is None for package in known.packages):
        raise MissingDependencyError(known.packages[0], known.extra, f"backend {name!r}")
    backend: Backend | CompilingBackend = getattr(
        importlib.import_module(f"pytest_infer.engines.{known.module}"), known.name
    )(variant)
    return backend
