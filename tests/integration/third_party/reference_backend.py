"""A backend as somebody else would write it: onnx's own reference evaluator. It uses public names only."""

from __future__ import annotations

import itertools
import shutil
from typing import TYPE_CHECKING, Any, Final

import onnx
import pytest
from onnx.helper import tensor_dtype_to_np_dtype
from onnx.reference import ReferenceEvaluator

from pytest_infer import Precision, Proof, Scenario, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from pytest_infer import Backend, BuildRequest, BuiltPlan, Device

    Arrays = Mapping[str, np.ndarray[Any, Any]]


class ReferenceBackend:
    """Computes in numpy, in what the model is in; it is proud of its options."""

    name = "reference"
    scenarios: Final = frozenset({Scenario.SINGLE_STREAM})

    def refuses(self, precision: Precision, device: Device) -> str | None:
        """It converts nothing."""
        return None if precision is Precision.FP32 else f"the reference on {device.kind} converts nothing"

    def key(self, request: BuildRequest) -> Mapping[str, Any]:
        """Its version."""
        return {"reference": onnx.__version__, "lies": request.options.get("lies", False)}

    def build(self, request: BuildRequest, folder: Path) -> Mapping[str, Any]:
        """Keep the model as it is."""
        shutil.copy(request.model, folder / "model.onnx")
        return {"built_by": "reference"}

    def load(self, request: BuildRequest, plan: BuiltPlan) -> ReferenceEngine:
        """Read it back."""
        return ReferenceEngine(onnx.load(plan.folder / "model.onnx"), request, dict(plan.facts))


class ReferenceEngine:
    """A model in the evaluator."""

    in_flight = 1

    def __init__(self, model: onnx.ModelProto, request: BuildRequest, facts: dict[str, Any]) -> None:
        """Tell its inputs, and what it computes in (where asked to, a lie)."""
        kind = "bf16" if request.options.get("lies") else "fp32"
        self._evaluator = ReferenceEvaluator(model)
        self.inputs = tuple(_spec(value).resolved(request.batch, request.shapes, "it") for value in model.graph.input)
        self.outputs = tuple(value.name for value in model.graph.output)
        self.proof = Proof(how="the source", nodes={kind: len(model.graph.node)})
        self.facts = facts
        self.costs: Mapping[str, float] = {}

    def infer(self, inputs: Arrays) -> dict[str, np.ndarray[Any, Any]]:
        """Run once."""
        return dict(zip(self.outputs, self._evaluator.run(None, dict(inputs)), strict=True))

    def bind(self, rotation: Sequence[Arrays]) -> Callable[[], object]:
        """Run one set after the other."""
        following = itertools.cycle(rotation).__next__
        return lambda: self._evaluator.run(None, dict(following()))

    def close(self) -> None:
        """Nothing is held."""


def _spec(value: onnx.ValueInfoProto) -> TensorSpec:
    tensor = value.type.tensor_type
    return TensorSpec(
        name=value.name,
        dtype=str(tensor_dtype_to_np_dtype(tensor.elem_type)),
        shape=tuple(d.dim_param or d.dim_value for d in tensor.shape.dim),
    )


@pytest.hookimpl
def pytest_infer_make_backend(name: str) -> Backend | None:
    """Make it by its name."""
    return ReferenceBackend() if name == "reference" else None
