"""A compiled model and its infer requests."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pytest_infer.engines.openvino.properties import openvino
from pytest_infer.workload import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_infer.engines.base import Arrays
    from pytest_infer.engines.truth import Proof

ROUNDS: Final = 4
"""Offline, how often one call fills all requests: only when the last ones finish is a stream left without work."""


class OpenVinoEngine:
    """Runs a compiled model whose input shapes are fixed, one request at a time or several in flight."""

    def __init__(
        self,
        compiled: Any,
        *,
        names: tuple[Sequence[str], Sequence[str]],
        requests: int | None,
        proof: Proof,
        facts: Mapping[str, Any],
    ) -> None:
        """Wrap `compiled`, whose inputs and outputs the model calls by `names`.

        `requests` are kept in flight, None where each call is to run a single one.
        """
        inputs, outputs = names
        self.costs: Mapping[str, float] = {}
        self.in_flight = 1 if requests is None else requests * ROUNDS
        self.proof = proof
        self.facts = facts
        self.inputs = tuple(
            TensorSpec(
                name=name,
                dtype=str(np.dtype(port.get_element_type().to_dtype())),
                shape=tuple(port.get_shape()),
            )
            for name, port in _by_name(compiled.inputs, inputs)
        )
        self.outputs = tuple(name for name, _ in _by_name(compiled.outputs, outputs))
        self._compiled = compiled
        self._requests = requests
        self._request = compiled.create_infer_request()

    def infer(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run once, on copies."""
        results = self._request.infer(dict(inputs))
        return {name: np.asarray(results[position]) for position, name in enumerate(self.outputs)}

    def bind(self, rotation: Sequence[Arrays]) -> Callable[[], object]:
        """The inputs are copied once, into memory that is aligned as OpenVINO likes it."""
        tensor = openvino().Tensor
        sets = [{name: tensor(array) for name, array in arrays.items()} for arrays in rotation]
        return self._one(sets) if self._requests is None else self._many(sets, self._requests)

    def _one(self, sets: Sequence[Mapping[str, Any]]) -> Callable[[], object]:
        """Each set has a request of its own: giving another tensor to the same one would cost 1 us a call."""
        bound = []
        for tensors in sets:
            request = self._compiled.create_infer_request()
            for name, tensor in tensors.items():
                request.set_tensor(name, tensor)
            bound.append(request)
        following = itertools.cycle(bound).__next__
        return lambda: following().infer(share_outputs=True)

    def _many(self, sets: Sequence[Mapping[str, Any]], requests: int) -> Callable[[], object]:
        """Each set goes to the first request that is free, at last all are waited for."""
        queue = openvino().AsyncInferQueue(self._compiled, requests)
        following, count = itertools.cycle(sets).__next__, self.in_flight

        def run() -> object:
            for _ in range(count):
                queue.start_async(following(), share_inputs=True)
            queue.wait_all()
            return queue

        return run

    def close(self) -> None:
        """Drop the model; requests that are still bound keep it until they go."""
        self._compiled = self._request = None


def _by_name(ports: Iterable[Any], names: Sequence[str]) -> list[tuple[str, Any]]:
    """Ports by what the model calls them.

    One has several names where the network does nothing between them: of an output that is an input handed on, any may
    come first.
    """
    left, found = list(names), []
    for port in ports:
        own = port.get_names()
        name = next((one for one in left if one in own), None)
        if name is None:
            name = port.get_any_name()
        else:
            left.remove(name)
        found.append((name, port))
    return found
