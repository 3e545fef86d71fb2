"""What is measured, as a test sees it: an engine to call, or any Python callable."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pytest_infer.engines.arguments import arguments_of, check_fit
from pytest_infer.engines.inputs import batch_of, check_one_batch, filled, named, rotation
from pytest_infer.engines.shapes import counting
from pytest_infer.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from pytest_infer.engines.base import LoadedEngine
    from pytest_infer.workload import TensorSpec, Workload

_MOST_TOLD: Final = 1000
"""Arrays and counts of a callable's arguments: a list of inputs may be long."""


class InferEngine:
    """An engine that is built and loaded. Call it with arrays, or a dict of them, and get arrays.

    One output comes as an array, several as a tuple in the model's order. A batch smaller than the engine's is padded
    and its outputs cut back; inputs that don't count samples have their exact shape.

    Attributes:
        workload: what a measurement of this engine means.
        costs: what getting it cost: `build` (s), `load` (ms), `engine_size` (MB), by metric name.
        model_digest: content of the model's file.
        load_memory_mb: host memory that stayed, and peaked, while loading; None where it can't be told.
        facts: what the engine proved to be, and what else a report should tell.
        guard: what is around each single call: it finds words for what can go wrong on this device.
    """

    def __init__(  # noqa: D107 - described above
        self,
        loaded: LoadedEngine,
        *,
        workload: Workload,
        costs: Mapping[str, float],
        facts: Mapping[str, Any],
        model_digest: str | None,
        load_memory_mb: tuple[float, float] | None,
        given_inputs: Any = None,
        open_first: Collection[str] | None = None,
    ) -> None:
        self.workload = workload
        self.costs = dict(costs)
        self.facts = dict(facts)
        self.model_digest = model_digest
        self.load_memory_mb = load_memory_mb
        self.guard: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
        self._loaded = loaded
        self._given = given_inputs
        self._batch, self._counting = counting(loaded.inputs, open_first, workload.batch)
        self._last: dict[str, NDArray[Any]] | None = None

    def __repr__(self) -> str:
        """Say which engine this is."""
        return f"<InferEngine {self.workload.target} {self.workload.backend} {self.workload.precision}>"

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Names, types and shapes of the inputs."""
        return self._loaded.inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return self._loaded.outputs

    @property
    def untimed(self) -> str:
        """Why the device's time of its runs can't be taken, where its backend says that."""
        return str(getattr(self._loaded, "untimed", ""))

    @property
    def in_flight(self) -> int:
        """How many inferences one call of `runnable` makes."""
        return self._loaded.in_flight

    def __call__(self, *inputs: Any) -> Any:
        """Run once.

        Raises:
            UsageError: names, types or shapes that the model doesn't take.
        """
        given = inputs[0] if len(inputs) == 1 else inputs
        mapping = named(given, self.inputs, self.workload.target)
        self._last, batch = self._prepared(mapping)
        outputs = self._cut(self._infer(self._last), batch)
        values = tuple(outputs[name] for name in self.outputs)
        return values[0] if len(values) == 1 else values

    def run_all(self, inputs: Any) -> dict[str, NDArray[Any]]:
        """Outputs for any number of samples, taken through the engine batch by batch. It is measured on what it was.

        Raises:
            UsageError: inputs that don't fit, also by their number where the model has a fixed one.
        """
        arrays = {name: np.asarray(value) for name, value in named(inputs, self.inputs, self.workload.target).items()}
        batch, names = (self._batch, self._counting) if self._counting else self._repeating(arrays)
        sizes = {name: len(array) for name, array in arrays.items() if name in names and array.ndim}
        check_one_batch(sizes)
        total = next(iter(sizes.values()), 0)
        if batch is None or total <= batch:
            return self._run(arrays)
        pieces = [
            self._run({n: a[i : i + batch] if n in names else a for n, a in arrays.items()})
            for i in range(0, total, batch)
        ]
        return {name: _joined([piece[name] for piece in pieces]) for name in self.outputs}

    def runnable(self, inputs: Any = None) -> Callable[[], object]:
        """A callable for the loop: buffers bound, on `inputs`, else the last ones, else the marker's, else made up."""
        return self._loaded.bind(self.rotation(inputs))

    def rotation(self, inputs: Any = None) -> list[dict[str, NDArray[Any]]]:
        """The input sets that a measurement goes through."""
        if inputs is None and self._last is not None:
            return [self._last]
        given = self._given if inputs is None else inputs
        return rotation(given, self.inputs, self.workload.target, self._counting)

    def close(self) -> None:
        """Give back what it holds."""
        self._loaded.close()

    def _repeating(self, arrays: Mapping[str, NDArray[Any]]) -> tuple[int | None, frozenset[str]]:
        """Where a model has fixed its first dimensions: how many samples fill them, and which inputs bring more."""
        more = {
            spec.name: int(spec.shape[0])
            for spec in self.inputs
            if spec.shape and spec.name in arrays and arrays[spec.name].ndim == len(spec.shape)
            if len(arrays[spec.name]) > int(spec.shape[0]) > 0
        }
        if len(set(more.values())) != 1 or any(len(arrays[name]) % size for name, size in more.items()):
            return None, frozenset()
        return next(iter(more.values())), frozenset(more)

    def _run(self, mapping: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        arrays, batch = self._prepared(mapping)
        return self._cut(self._infer(arrays), batch)

    def _prepared(self, mapping: Mapping[str, Any]) -> tuple[dict[str, NDArray[Any]], int | None]:
        """What goes in, and how many samples of it count; None where all do."""
        arrays = filled(mapping, self.inputs, self.workload.target, self._counting)
        return arrays, batch_of(mapping, self.inputs, self._counting)

    def _infer(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        with self.guard():
            return self._loaded.infer(arrays)

    def _cut(self, outputs: dict[str, NDArray[Any]], batch: int | None) -> dict[str, NDArray[Any]]:
        if batch is None:
            return outputs
        return {n: a[:batch] if a.ndim and a.shape[0] == self._batch else a for n, a in outputs.items()}


class CallableTarget:
    """Any Python callable under measurement. It computes as it is; what it does is the caller's word."""

    def __init__(self, function: Callable[..., Any], *, workload: Workload, given_inputs: Any = None) -> None:
        """Wrap `function`; `given_inputs` are the marker's."""
        self.workload = workload
        self.costs: dict[str, float] = {}
        self.model_digest: str | None = None
        self.load_memory_mb: tuple[float, float] | None = None
        self.facts: Mapping[str, Any] = {}
        self.in_flight = 1
        self.untimed = ""
        self.guard: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
        self._function = function
        self._given = given_inputs
        self._last: tuple[tuple[Any, ...], dict[str, Any]] | None = None
        self._ready_on: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def __repr__(self) -> str:
        """Say which callable this is."""
        return f"<CallableTarget {self.workload.target}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function; its arguments are those that a later measurement uses."""
        self._last = (args, kwargs)
        return self._function(*args, **kwargs)

    def apply(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, and leave alone what it is measured on, if anything said that before."""
        if self._last is None and self._given is None:
            self._last = (args, kwargs)
        return self._function(*args, **kwargs)

    def runnable(self, inputs: Any = None) -> Callable[[], object]:
        """A callable for the loop: the function on each of its argument sets in turn."""
        sets = self.arguments(inputs)
        self._ready_on = sets
        function = self._function
        if len(sets) == 1:
            args, kwargs = sets[0]
            if not args and not kwargs:
                return function
            return lambda: function(*args, **kwargs)
        following = itertools.cycle(sets).__next__

        def run() -> object:
            args, kwargs = following()
            return function(*args, **kwargs)

        return run

    def measured_on(self) -> list[dict[str, Any]]:
        """Types and shapes of the arguments that it was last made ready on, as a workload tells inputs; not too many.

        Whole numbers count by what they are, lists by their length; other values may differ from run to run.
        """
        given = (pair for args, kwargs in self._ready_on for pair in (*enumerate(args), *kwargs.items()))
        return list(itertools.islice((leaf for name, value in given for leaf in _leaves(str(name), value)), _MOST_TOLD))

    def arguments(self, inputs: Any = None) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        """The argument sets: a list holds several; a tuple is positional, a dict by keyword, the rest one argument.

        Raises:
            UsageError: there is none, or the function does not take them.
        """
        if inputs is None and self._last is not None:
            return [self._last]
        given = self._given if inputs is None else inputs
        if callable(given):
            given = given()
        if isinstance(given, list):
            if not given:
                raise UsageError(f"{self.workload.target}: inputs=[] holds no input; leave it out or give at least one")
        else:
            given = [given]
        sets = [arguments_of(one) for one in given]
        check_fit(self._function, sets, self.workload.target)
        return sets

    def close(self) -> None:
        """Nothing to give back."""


Target = InferEngine | CallableTarget


def _joined(pieces: list[NDArray[Any]]) -> NDArray[Any]:
    """The pieces of one output behind each other; those without a dimension make one."""
    joined: NDArray[Any] = np.concatenate([np.atleast_1d(piece) for piece in pieces])
    return joined


def _leaves(name: str, value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, int):
        yield {"name": name, "dtype": str(value), "shape": []}
    else:
        yield from _arrays(name, value)


def _arrays(name: str, value: Any) -> Iterator[dict[str, Any]]:
    """The arrays in a value, however deep, and the lengths of what holds them."""
    if isinstance(value, dict | list | tuple):
        yield {"name": name, "dtype": type(value).__name__, "shape": [str(len(value))]}
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _arrays(f"{name}.{key}", one)
    elif isinstance(shape := getattr(value, "shape", None), tuple):
        yield {"name": name, "dtype": str(getattr(value, "dtype", "")), "shape": [*map(str, shape)]}
