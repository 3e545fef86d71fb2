"""An ONNX network as a plain function, as an application without a framework has it: one ONNX Runtime session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Array = np.ndarray[Any, np.dtype[Any]]


def load(path: Path) -> Callable[..., Array]:
    """The network in `path`: a function that takes its inputs in order or by name, and gives its first output."""
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]

    def compute(*args: Array, **kwargs: Array) -> Array:
        return np.asarray(session.run(None, dict(zip(names, args, strict=False)) | kwargs)[0])

    compute.__qualname__ = path.stem
    return compute
