"""The arrays that go through an engine: what users give checked, what nobody gave made up, seeded and never zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pytest_infer.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_infer.workload import TensorSpec

ROTATION: Final = 4
"""Distinct sets of generated inputs that a measurement goes through: one set would sit in the caches."""


def rotation(given: Any, specs: Sequence[TensorSpec], where: str) -> list[dict[str, NDArray[Any]]]:
    """The input sets to measure on, each array of exactly its spec's shape.

    `given` is the user's: None, an array, a dict by name, a list of either (each a set), or a callable that gives one
    of these. A dict's value may be a `range` for an integer input: seeded integers are drawn from it. Batches smaller
    than the spec's are repeated up to it.

    Raises:
        UsageError: names, types or shapes that don't fit, or an integer input that nobody gave.
    """
    if callable(given):
        given = given()
    if isinstance(given, list):
        if not given:
            raise UsageError(f"{where}: inputs=[] holds no input; leave it out or give at least one")
        return [filled(one, specs, where) for one in given]
    mapping = named(given, specs, where) if given is not None else {}
    generated = [spec for spec in specs if isinstance(mapping.get(spec.name), range | None)]
    if not generated:
        return [filled(mapping, specs, where)]
    rng = np.random.default_rng(20240501)
    return [
        filled({**mapping, **{s.name: _made_up(s, mapping.get(s.name), rng, where) for s in generated}}, specs, where)
        for _ in range(ROTATION)
    ]


def named(given: Any, specs: Sequence[TensorSpec], where: str) -> dict[str, Any]:
    """`given` as a dict by input name: a dict is checked, a tuple is taken in order, one array is the only input."""
    names = [spec.name for spec in specs]
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in names]
        if unknown:
            raise UsageError(f"{where}: no input {unknown[0]!r}; the model's inputs are {', '.join(map(repr, names))}")
        return dict(given)
    values = given if isinstance(given, tuple) else (given,)
    if len(values) != len(names):
        raise UsageError(
            f"{where}: {len(values)} input(s) given, the model takes {len(names)}: {', '.join(map(repr, names))}"
        )
    return dict(zip(names, values, strict=True))


def filled(given: Any, specs: Sequence[TensorSpec], where: str) -> dict[str, NDArray[Any]]:
    """`given` as arrays by name of exactly the specs' shapes, a smaller batch repeated up to the engine's."""
    mapping = named(given, specs, where)
    missing = [spec.name for spec in specs if spec.name not in mapping]
    if missing:
        raise UsageError(
            f"{where}: input {missing[0]!r} is missing; the model takes {', '.join(s.name for s in specs)}"
        )
    return {spec.name: _repeated(_checked(mapping[spec.name], spec, where), spec) for spec in specs}


def batch_of(arrays: Mapping[str, NDArray[Any]], specs: Sequence[TensorSpec]) -> int | None:
    """The first dimension that a call brings, where it is smaller than the engine's; None where nothing is.

    Raises:
        UsageError: the inputs bring different ones.
    """
    sizes = {
        spec.name: int(np.asarray(arrays[spec.name]).shape[0])
        for spec in specs
        if spec.shape and np.asarray(arrays[spec.name]).shape[0] != spec.shape[0]
    }
    if len(set(sizes.values())) > 1:
        raise UsageError(f"the inputs of one call bring different batches: {sizes}")
    return next(iter(sizes.values()), None)


def _checked(value: Any, spec: TensorSpec, where: str) -> NDArray[Any]:
    wanted = np.dtype(spec.dtype)
    try:
        array = np.asarray(value)
        # What has a type must have the right one; plain numbers take it, if they fit.
        if (
            not hasattr(value, "dtype")
            and array.dtype.kind in "iuf"
            and (wanted.kind == "f" or array.dtype.kind != "f")
        ):
            array = np.asarray(value, wanted)
    except (ValueError, TypeError, OverflowError) as error:
        raise UsageError(f"{where}: input {spec.name!r} can't be an array of {wanted}: {error}") from None
    if array.dtype != wanted:
        raise UsageError(
            f"{where}: input {spec.name!r} has type {array.dtype}, the model takes {wanted}; convert it with "
            f".astype({str(wanted)!r})"
        )
    fits = array.ndim == len(spec.shape) and array.shape[1:] == spec.shape[1:]
    if not fits or (spec.shape and not 1 <= array.shape[0] <= int(spec.shape[0])):
        raise UsageError(
            f"{where}: input {spec.name!r} has shape {list(array.shape)}, the engine takes {list(spec.shape)}"
            + (" or a smaller first dimension" if spec.shape and int(spec.shape[0]) > 1 else "")
        )
    return array


def _repeated(array: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    if not spec.shape or array.shape[0] == spec.shape[0]:
        return np.asarray(array, order="C")  # np.ascontiguousarray would make one dimension of none
    wanted = int(spec.shape[0])
    times = -(-wanted // array.shape[0])
    return np.ascontiguousarray(np.concatenate([array] * times)[:wanted])


def _made_up(spec: TensorSpec, given: range | None, rng: np.random.Generator, where: str) -> NDArray[Any]:
    dtype = np.dtype(spec.dtype)
    shape = tuple(int(d) for d in spec.shape)
    if given is not None:
        if not given:
            raise UsageError(f"{where}: input {spec.name!r} is to be drawn from the empty {given!r}")
        reach = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype)
        if min(given[0], given[-1]) < reach.min or max(given[0], given[-1]) > reach.max:
            raise UsageError(f"{where}: {given!r} goes beyond {dtype}, the type of input {spec.name!r}")
        return (rng.integers(0, len(given), shape) * given.step + given.start).astype(dtype)
    if dtype.kind == "f":
        return rng.standard_normal(shape, np.float32).astype(dtype)
    raise UsageError(
        f"{where}: nobody gave the input {spec.name!r} of type {dtype}, and made-up integers would mean nothing; give "
        f"inputs={{{spec.name!r}: array}}, or a range to draw from: inputs={{{spec.name!r}: range(0, 1000)}}"
    )
