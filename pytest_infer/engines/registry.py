"""Backends by name."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from pytest_infer.engines.onnxruntime import OnnxRuntimeBackend
from pytest_infer.errors import MissingDependencyError, UsageError

if TYPE_CHECKING:
    from pytest_infer.engines.base import Backend

BUILT_IN: Final = ("onnxruntime", "callable")
_EXTRAS: Final = {"tensorrt": "tensorrt", "openvino": "openvino", "torch": "torch"}
"""Packages whose backends are on the way: named, so that nobody gets another engine in their place."""


def find_backend(name: str) -> Backend:
    """The backend of that name.

    Raises:
        UsageError: no such backend, or not in this version. MissingDependencyError: its package is not installed.
    """
    if name == "onnxruntime":
        return OnnxRuntimeBackend()
    base = name.partition(":")[0]
    if base in _EXTRAS:
        import importlib.util

        if importlib.util.find_spec(base) is None:
            raise MissingDependencyError(base, _EXTRAS[base], f"backend {name!r}")
    if base in _EXTRAS or base == "onnxruntime":
        raise UsageError(f"backend {name!r} is not in this version of pytest-infer; use backend='onnxruntime'")
    close = difflib.get_close_matches(name, BUILT_IN, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else f"; there is {', '.join(BUILT_IN)}"
    raise UsageError(f"no backend {name!r}{hint}")
