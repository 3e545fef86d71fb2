"""The shapes that an engine runs at: the model's, every dimension made a number; and what in them counts samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pytest_infer.engines.base import BuildRequest
    from pytest_infer.workload import TensorSpec


def resolved(specs: Sequence[TensorSpec], request: BuildRequest) -> tuple[TensorSpec, ...]:
    """The model's inputs as `request` asks for them: dynamic dimensions from its batch and shapes.

    Raises:
        UsageError: shapes for an input that isn't there, a dimension that stays dynamic, a batch that fits nowhere.
    """
    names = [spec.name for spec in specs]
    for name in request.shapes:
        if name not in names:
            inputs = ", ".join(f"{spec.name} {list(spec.shape)}" for spec in specs)
            raise UsageError(f"{request.model}: shapes names {name!r}; it is by input, and those are {inputs}")
    found = tuple(spec.resolved(request.batch, request.shapes, str(request.model)) for spec in specs)
    if request.batch is not None and found and all(spec.shape[:1] != (request.batch,) for spec in found):
        raise UsageError(
            f"{request.model}: batch={request.batch} was asked for, but its first dimensions are fixed at "
            f"{[spec.shape[0] if spec.shape else None for spec in found]}; export it with a dynamic one, or drop batch"
        )
    return found


def counting(
    specs: Sequence[TensorSpec], open_first: Collection[str] | None, asked: int | None
) -> tuple[int | None, frozenset[str]]:
    """How many samples an engine takes at once (None if nothing says that), and which inputs count them.

    Only these may bring fewer, and are cut into batches: a first dimension that a model fixes may mean anything.

    Args:
        specs: what the engine takes.
        open_first: the inputs whose first dimension the model's file leaves open; None where there is no such file:
            then all may.
        asked: the batch that was asked for.
    """
    sizes = {
        spec.name: int(spec.shape[0])
        for spec in specs
        if spec.shape and (open_first is None or spec.name in open_first)
    }
    batch = asked if asked in sizes.values() else next(iter(sizes.values()), None)
    return batch, frozenset(name for name, size in sizes.items() if size == batch)
