"""What goes into a Python object and what comes out of it: names, types and shapes, by its signature and an example."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.errors import UsageError
from pytest_infer.workload import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_infer.engines.base import CompileRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """How arrays reach a function.

    Attributes:
        inputs: what it takes, every dimension a number.
        positional: how many of them go by position, the first ones; the others go by name.
    """

    inputs: tuple[TensorSpec, ...]
    positional: int

    def arguments(self, values: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """`values` by input name as the function's positional and keyword arguments."""
        names = [spec.name for spec in self.inputs]
        by_name = names[self.positional :]
        return tuple(values[name] for name in names[: self.positional]), {name: values[name] for name in by_name}


def read_signature(function: Callable[..., Any], request: CompileRequest, where: str) -> Signature:
    """The arrays that `function` takes: its parameters without a default, and those that an example or a shape names.

    Types and shapes are the example's; float32 of the shape in `shapes` where there is none, and int64 where it is a
    `range`. A batch that was asked for replaces the example's first dimension, and stands before those in `shapes`.

    Raises:
        UsageError: an input that the function doesn't take, or one whose type and shape nobody gave.
    """
    parameters = _parameters(function)
    kinds = {parameter.kind for parameter in parameters}
    by_position = [p.name for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    by_name = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    needed = [p.name for p in parameters if p.default is p.empty and p.name in {*by_position, *by_name}]
    if inspect.Parameter.VAR_POSITIONAL in kinds and isinstance(request.example, tuple):
        by_position += [f"input_{i}" for i in range(len(by_position), len(request.example))]
    example = one_example(request.example, by_position, where)
    wanted = dict.fromkeys((*needed, *example, *request.shapes))
    unknown = [name for name in wanted if name not in {*by_position, *by_name}]
    if unknown and inspect.Parameter.VAR_KEYWORD not in kinds:
        raise _no_input(unknown[0], (*by_position, *by_name), where)
    positional = list(itertools.takewhile(wanted.__contains__, by_position))
    rest = [name for name in (*by_position[len(positional) :], *by_name, *unknown) if name in wanted]
    if not (positional or rest):
        raise UsageError(f"{where}: nothing says what it takes; give inputs=(array, ...), or a dict of them by name")
    batch = _batch(example.values())
    return Signature(
        inputs=tuple(_spec(name, example.get(name), batch, request, where) for name in (*positional, *rest)),
        positional=len(positional),
    )


def resolve_signature(
    declared: Sequence[TensorSpec], positional: int, request: CompileRequest, where: str
) -> Signature:
    """The arrays that a program takes which declares its inputs: `batch`, `shapes` and the example set what is dynamic.

    Raises:
        UsageError: an input that it hasn't, a dimension that nothing sets, or one that contradicts it.
    """
    names = [spec.name for spec in declared]
    example = one_example(request.example, names, where)
    for name in (*example, *request.shapes):
        if name not in names:
            raise _no_input(name, names, where)
    shapes = {name: _shape(value) for name, value in example.items() if not isinstance(value, range)}
    if request.batch is not None:
        dynamic = {spec.name for spec in declared if spec.shape and isinstance(spec.shape[0], str)}
        if not dynamic:
            raise UsageError(
                f"{where}: batch={request.batch} was asked for, but its first dimensions are fixed at "
                f"{[spec.shape[:1] for spec in declared]}; export it with a dynamic one, or drop batch"
            )
        shapes |= {name: (request.batch, *shape[1:]) for name, shape in shapes.items() if name in dynamic}
    shapes |= request.shapes
    return Signature(
        inputs=tuple(spec.resolved(request.batch, shapes, where) for spec in declared), positional=positional
    )


def one_example(given: Any, names: Sequence[str], where: str) -> dict[str, Any]:
    """One set of the inputs that a user gave, by name: the first of a list, a tuple in order, an array the first input.

    Raises:
        UsageError: an empty list, or more arrays than there are `names`.
    """
    if callable(given):
        given = given()
    if isinstance(given, list):
        if not given:
            raise UsageError(f"{where}: inputs=[] holds no input; leave it out or give at least one")
        given = given[0]
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return dict(given)
    values = given if isinstance(given, tuple) else (given,)
    if len(values) > len(names):
        raise UsageError(f"{where}: {len(values)} input(s) given, it takes {len(names)}: {', '.join(map(repr, names))}")
    return dict(zip(names, values, strict=False))


def named_outputs(value: Any, name: str = "") -> dict[str, Any]:
    """What a function returned, flat: `output`, or `output_0` and so on, or under its keys; None is left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, Mapping | type):
        value = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        parts = {f"{name}.{key}" if name else str(key): part for key, part in value.items()}
    elif isinstance(value, tuple | list):
        parts = {f"{name or 'output'}_{i}": part for i, part in enumerate(value)}
    else:
        return {} if value is None else {name or "output": value}
    return {key: leaf for part_name, part in parts.items() for key, leaf in named_outputs(part, part_name).items()}


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # it is not written in Python and doesn't tell
        kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        return [inspect.Parameter(name, kind) for name, kind in zip(("args", "kwargs"), kinds, strict=True)]


def _no_input(name: str, names: Sequence[str], where: str) -> UsageError:
    return UsageError(f"{where}: no input {name!r}; its inputs are {', '.join(map(repr, names)) or 'none'}")


def _spec(name: str, value: Any, batch: int | None, request: CompileRequest, where: str) -> TensorSpec:
    shape = request.shapes.get(name)
    if shape is not None:
        shape = shape if request.batch is None else (request.batch, *shape)
    elif value is None or isinstance(value, range):
        raise UsageError(
            f"{where}: nothing says what shape the input {name!r} has; give inputs={{{name!r}: array}}, or "
            f"shapes={{{name!r}: (...)}} with one number a dimension, the batch left out if batch= is given"
        )
    else:
        shape = _shape(value)
        if request.batch is not None and shape[:1] == (batch,):
            shape = (request.batch, *shape[1:])
    return TensorSpec(name=name, dtype=_dtype(name, value, where), shape=shape)


def _dtype(name: str, value: Any, where: str) -> str:
    if value is None or isinstance(value, range):
        return "float32" if value is None else "int64"
    plain = not hasattr(value, "dtype")
    dtype = str(np.asarray(value).dtype if plain else value.dtype).removeprefix("torch.")
    if plain and dtype == "float64":  # plain numbers: what networks take
        return "float32"
    try:
        kind = np.dtype(dtype).kind
    except TypeError:
        kind = "O"
    if kind == "O":
        raise UsageError(
            f"{where}: input {name!r} is a {type(value).__name__} of {dtype}, which numpy arrays can't hold; give an "
            "array of float32 (it is cast to what the model is in)"
        )
    return dtype


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(int(d) for d in (value.shape if hasattr(value, "shape") else np.shape(value)))


def _batch(values: Iterable[Any]) -> int | None:
    """The first dimension of the first array that has one."""
    shapes = (_shape(value) for value in values if not isinstance(value, range))
    return next((shape[0] for shape in shapes if shape), None)
