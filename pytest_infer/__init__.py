"""Inference performance regression testing for pytest.

The names here are for annotations in tests (`infer: Infer`, `infer_engine: InferEngine`) and for those who write a
backend. Each loads when asked for.

PYTEST_DONT_REWRITE: a worker process imports this package before pytest starts.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_infer.accuracy import Accuracy
    from pytest_infer.case import InferCase as Infer
    from pytest_infer.device.fingerprint import Device
    from pytest_infer.engines.base import Backend, BuildRequest, BuiltPlan, CompileRequest, CompilingBackend
    from pytest_infer.engines.target import CallableTarget, InferEngine
    from pytest_infer.engines.truth import Proof
    from pytest_infer.measurement import Measurement
    from pytest_infer.workload import Precision, Scenario, TensorSpec

__version__ = "0.1.0"
__all__ = [
    "Accuracy",
    "Backend",
    "BuildRequest",
    "BuiltPlan",
    "CallableTarget",
    "CompileRequest",
    "CompilingBackend",
    "Device",
    "Infer",
    "InferEngine",
    "Measurement",
    "Precision",
    "Proof",
    "Scenario",
    "TensorSpec",
    "__version__",
]

_MODULES = {
    "accuracy": ("Accuracy",),
    "case": ("InferCase",),
    "device.fingerprint": ("Device",),
    "engines.base": ("Backend", "BuildRequest", "BuiltPlan", "CompileRequest", "CompilingBackend"),
    "engines.target": ("CallableTarget", "InferEngine"),
    "engines.truth": ("Proof",),
    "measurement": ("Measurement",),
    "workload": ("Precision", "Scenario", "TensorSpec"),
}
_WHERE = {name: (f"pytest_infer.{module}", name) for module, names in _MODULES.items() for name in names}
_WHERE["Infer"] = _WHERE.pop("InferCase")


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _WHERE[name]
    return getattr(import_module(module), attribute)
