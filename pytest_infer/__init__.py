"""Inference performance regression testing for pytest.

The names here are for annotations in tests: `infer: Infer`, `infer_engine: InferEngine`. Each loads when asked for.

PYTEST_DONT_REWRITE: a worker process imports this package before pytest starts.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_infer.accuracy import Accuracy
    from pytest_infer.case import InferCase as Infer
    from pytest_infer.engines.target import CallableTarget, InferEngine
    from pytest_infer.measurement import Measurement

__version__ = "0.1.0"
__all__ = ["Accuracy", "CallableTarget", "Infer", "InferEngine", "Measurement", "__version__"]

_WHERE = {
    "Accuracy": ("pytest_infer.accuracy", "Accuracy"),
    "CallableTarget": ("pytest_infer.engines.target", "CallableTarget"),
    "Infer": ("pytest_infer.case", "InferCase"),
    "InferEngine": ("pytest_infer.engines.target", "InferEngine"),
    "Measurement": ("pytest_infer.measurement", "Measurement"),
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _WHERE[name]
    return getattr(import_module(module), attribute)
