"""The arrays that go through an engine: what users give checked, what nobody gave made up, seeded and never zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pytest_infer.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from pytest_infer.workload import TensorSpec

ROTATION: Final = 4
"""Distinct sets of generated inputs that a measurement goes through: one set would sit in the caches."""


def rotation(
    given: Any, specs: Sequence[TensorSpec], where: str, counting: Collection[str] | None = None
) -> list[dict[str, NDArray[Any]]]:
    """The input sets to measure on, each array of exactly its spec's shape.

    `given` is the user's: None, an array, a dict by name, a list of either (each a set), or a callable that gives one
    of these. A dict's value may be a `range` for an integer input: seeded integers are drawn from it. Batches smaller
    than the spec's are repeated up to it, at the inputs that `filled` may repeat.

    Raises:
        UsageError: names, types or shapes that don't fit, or an integer input that nobody gave.
    """
    if callable(given):
        given = given()
    rng = np.random.default_rng(20240501)
    if isinstance(given, list):
        if not given:
            raise UsageError(f"{where}: inputs=[] holds no input; leave it out or give at least one")
        return [filled(_drawn(named(one, specs, where), specs, rng, where), specs, where, counting) for one in given]
    mapping: dict[str, Any] = {} if given is None else named(given, specs, where)
    mapping |= {spec.name: None for spec in specs if spec.name not in mapping}
    count = ROTATION if any(isinstance(value, range | None) for value in mapping.values()) else 1
    return [filled(_drawn(mapping, specs, rng, where), specs, where, counting) for _ in range(count)]


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


def filled(
    given: Any, specs: Sequence[TensorSpec], where: str, counting: Collection[str] | None = None
) -> dict[str, NDArray[Any]]:
    """`given` as arrays by name of exactly the specs' shapes, a smaller batch repeated up to the engine's.

    Args:
        given: the user's.
        specs: what the engine takes.
        where: the model, for messages.
        counting: the inputs whose first dimension counts samples: the others must have their shape as it is. None for
            all of them.
    """
    mapping = named(given, specs, where)
    missing = [spec.name for spec in specs if spec.name not in mapping]
    if missing:
        raise UsageError(
            f"{where}: input {missing[0]!r} is missing; the model takes {', '.join(s.name for s in specs)}"
        )
    return {
        spec.name: _repeated(_checked(mapping[spec.name], spec, where, smaller=_counts(spec, counting)), spec)
        for spec in specs
    }


def batch_of(
    arrays: Mapping[str, NDArray[Any]], specs: Sequence[TensorSpec], counting: Collection[str] | None = None
) -> int | None:
    """How many samples a call brings, where these are fewer than the engine's; None where they are not.

    Raises:
        UsageError: the inputs that count samples bring different numbers of them.
    """
    sizes = {spec.name: len(np.asarray(arrays[spec.name])) for spec in specs if _counts(spec, counting)}
    if all(sizes.get(spec.name, size) == size for spec in specs for size in spec.shape[:1]):
        return None
    check_one_batch(sizes)
    return next(iter(sizes.values()))


def check_one_batch(sizes: Mapping[str, int]) -> None:
    """See that the inputs of one call bring as many samples each.

    Raises:
        UsageError: they don't.
    """
    if len(set(sizes.values())) > 1:
        raise UsageError(f"the inputs of one call bring different batches: {dict(sizes)}")


def _counts(spec: TensorSpec, counting: Collection[str] | None) -> bool:
    return bool(spec.shape) and (counting is None or spec.name in counting)


def _checked(value: Any, spec: TensorSpec, where: str, *, smaller: bool) -> NDArray[Any]:
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
    if not fits or (spec.shape and not (1 if smaller else int(spec.shape[0])) <= array.shape[0] <= int(spec.shape[0])):
        raise UsageError(
            f"{where}: input {spec.name!r} has shape {list(array.shape)}, the engine takes {list(spec.shape)}"
            + (" or a smaller first dimension" if smaller and int(spec.shape[0]) > 1 else "")
        )
    return array


def _repeated(array: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    if not spec.shape or array.shape[0] == spec.shape[0]:
        return np.asarray(array, order="C")  # np.ascontiguousarray would make one dimension of none
    wanted = int(spec.shape[0])
    times = -(-wanted // array.shape[0])
    return np.ascontiguousarray(np.concatenate([array] * times)[:wanted])


def _drawn(
    given: Mapping[str, Any], specs: Sequence[TensorSpec], rng: np.random.Generator, where: str
) -> dict[str, Any]:
    """`given` with an array in place of each range and of each None."""
    open_ = [spec for spec in specs if spec.name in given and isinstance(given[spec.name], range | None)]
    return {**given, **{spec.name: _made_up(spec, given[spec.name], rng, where) for spec in open_}}


def _made_up(spec: TensorSpec, given: range | None, rng: np.random.Generator, where: str) -> NDArray[Any]:
    dtype = np.dtype(spec.dtype)
    shape = tuple(int(d) for d in spec.shape)
    if given is not None:
        if not given:
            raise UsageError(f"{where}: input {spec.name!r} is to be drawn from the empty {given!r}")
        least, most = _reach(dtype)
        if min(given[0], given[-1]) < least or max(given[0], given[-1]) > most:
            raise UsageError(f"{where}: {given!r} goes beyond {dtype}, the type of input {spec.name!r}")
        return (rng.integers(0, len(given), shape) * given.step + given.start).astype(dtype)
    if dtype.kind == "f":
        return rng.standard_normal(shape, np.float32).astype(dtype)
    raise UsageError(
        f"{where}: nobody gave the input {spec.name!r} of type {dtype}, and made-up integers would mean nothing; give "
        f"inputs={{{spec.name!r}: array}}, or a range to draw from: inputs={{{spec.name!r}: range(0, 1000)}}"
    )


def _reach(dtype: np.dtype[Any]) -> tuple[float, float]:
    """The least and the largest number of a type; of the truth values 0 and 1."""
    if dtype.kind == "b":
        return 0, 1
    if dtype.kind in "iu":
        return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    return float(np.finfo(dtype).min), float(np.finfo(dtype).max)
