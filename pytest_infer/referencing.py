"""What an engine's outputs are held against: the same model in fp32, another model, a callable, another engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.accuracy import Accuracy, accuracy
from pytest_infer.deferred import refuse_deferred
from pytest_infer.engines.inputs import named
from pytest_infer.engines.outputs import as_array
from pytest_infer.engines.target import CallableTarget, InferEngine
from pytest_infer.errors import PrecisionError, UsageError
from pytest_infer.marker import reference_problem
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Outputs = Mapping[str, NDArray[Any]]


def hold(
    engine: InferEngine | CallableTarget,
    *,
    reference: Any,
    inputs: Any,
    labels: Any,
    open_engine: Callable[[Any, Precision], InferEngine | CallableTarget],
) -> Accuracy:
    """Figures of `engine` on `inputs` (its last ones where None) against `reference` and `labels`.

    `open_engine(model, precision)` makes another engine like this one; None as the model means the same file.

    Raises:
        UsageError: a reference, inputs or labels that don't fit the engine.
    """
    if isinstance(engine, CallableTarget):
        return _hold_callable(engine, reference, inputs, labels)
    sets = [inputs] if inputs is not None else engine.rotation()[:1]
    outputs = engine.run_all(sets[0])
    expected, note = _expected(engine, reference, sets[0], outputs, open_engine)
    return _accuracy(outputs, expected, labels, note)


def _expected(
    engine: InferEngine,
    reference: Any,
    inputs: Any,
    outputs: Outputs,
    open_engine: Callable[[Any, Precision], InferEngine | CallableTarget],
) -> tuple[Outputs | None, str]:
    asked = reference is not None
    if not asked:
        reference = Precision.FP32
    if isinstance(reference, InferEngine):
        return reference.run_all(_cast(inputs, reference)), f"reference: {reference!r}"
    if callable(reference):
        return _as_outputs(
            reference(*named(inputs, engine.inputs, engine.workload.target).values()), engine.outputs
        ), f"reference: {getattr(reference, '__qualname__', reference)}"
    if not isinstance(reference, str | os.PathLike):
        raise UsageError(f"reference={reference!r}: a precision, a model file, a callable or an engine is needed")
    if problem := reference_problem(reference):
        raise UsageError(f"reference={reference!r}: {problem}")
    model, precision = (
        (None, Precision(str(reference))) if str(reference) in list(Precision) else (reference, Precision.FP32)
    )
    if model is None and precision is engine.workload.precision:
        return (outputs, "reference: the engine itself") if precision is Precision.FP32 else (None, "")
    try:
        other = open_engine(model, precision)
    except PrecisionError as error:
        if asked:
            raise
        return None, f"no reference: there is no {precision} of the model ({error}); give one with reference=..."
    try:
        if not isinstance(other, InferEngine):
            raise UsageError(f"reference={reference!r} is no engine")
        theirs = other.run_all(_cast(inputs, other))
        return theirs, f"reference: {'the same model' if model is None else Path(model).name} in {precision}"
    finally:
        other.close()


def _cast(inputs: Any, engine: InferEngine) -> dict[str, Any]:
    """The inputs by name, arrays of floats in the type that `engine` takes: in another precision it may be another."""
    given = named(inputs, engine.inputs, engine.workload.target)
    wanted = {spec.name: np.dtype(spec.dtype) for spec in engine.inputs}
    return {
        name: value.astype(wanted[name]) if _is_float(getattr(value, "dtype", None), wanted[name]) else value
        for name, value in given.items()
    }


def _is_float(*dtypes: Any) -> bool:
    return all(getattr(dtype, "kind", "") == "f" for dtype in dtypes)


def _hold_callable(target: CallableTarget, reference: Any, inputs: Any, labels: Any) -> Accuracy:
    args, kwargs = target.arguments(inputs)[0]
    outputs = _as_outputs(target.apply(*args, **kwargs), ())
    expected: Outputs | None = None
    if isinstance(reference, InferEngine):
        expected = reference.run_all(kwargs or args)
    elif reference is not None:
        if not callable(reference):
            raise UsageError(f"reference={reference!r}: the reference of a callable is a callable")
        expected = _as_outputs(reference(*args, **kwargs), ())
    return _accuracy(outputs, expected, labels, "reference: a callable" if expected else "")


def _as_outputs(value: Any, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    refuse_deferred(value)
    if isinstance(value, dict):
        return {str(key): as_array(item) for key, item in value.items()}
    values = value if isinstance(value, tuple | list) else (value,)
    names = names if len(names) == len(values) else tuple(f"output {i}" for i in range(len(values)))
    return {name: as_array(item) for name, item in zip(names, values, strict=True)}


def _accuracy(outputs: Outputs, expected: Outputs | None, labels: Any, note: str) -> Accuracy:
    try:
        return accuracy(outputs, expected, None if labels is None else np.asarray(labels), (note,) if note else ())
    except ValueError as error:
        raise UsageError(f"the outputs can't be compared: {error}") from None
