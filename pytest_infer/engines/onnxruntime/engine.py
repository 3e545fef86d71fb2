"""A session and its bound buffers, in the host's memory or in a GPU's."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pytest_infer.device.launch import InParts
from pytest_infer.engines.onnxruntime.providers import onnxruntime
from pytest_infer.engines.outputs import as_array

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_infer.device.cuda_streams import Stream
    from pytest_infer.engines.base import Arrays
    from pytest_infer.engines.truth import Proof
    from pytest_infer.workload import TensorSpec


_NO_WAIT: Final = ("disable_synchronize_execution_providers", "1")
"""Of onnxruntime_run_options_config_keys.h: a run ends when it is enqueued."""


class OnnxRuntimeEngine:
    """A session whose provider takes what lies in the host's memory."""

    in_flight = 1

    def __init__(self, session: Any, inputs: tuple[TensorSpec, ...], proof: Proof, facts: Mapping[str, Any]) -> None:
        """Wrap a loaded session whose inputs were resolved."""
        self.costs: Mapping[str, float] = {}
        self.proof = proof
        self.inputs = inputs
        self.outputs = tuple(output.name for output in session.get_outputs())
        self.facts = facts
        self._session = session

    def infer(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run once."""
        values = self._session.run(list(self.outputs), dict(inputs))
        return {name: as_array(value) for name, value in zip(self.outputs, values, strict=True)}

    def bind(self, rotation: Sequence[Arrays]) -> Callable[[], object]:
        """Bind every set's buffers once; each call runs the next set."""
        ort = onnxruntime()
        bindings = []
        for arrays in rotation:
            binding = self._session.io_binding()
            for name, array in arrays.items():
                binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
            for name in self.outputs:
                binding.bind_output(name)
            bindings.append(binding)
        run = self._session.run_with_iobinding
        following = itertools.cycle(bindings).__next__
        return lambda: run(following())

    def close(self) -> None:
        """Drop the session."""
        self._session = None


class DeviceEngine(OnnxRuntimeEngine):
    """A session whose provider has memory of its own. Each call copies in, runs, and copies out, as applications do.

    Inputs and outputs keep their place in that memory from call to call, which a CUDA graph needs. On a stream of ours
    a run is enqueued and waited for by us; without one ONNX Runtime does both.
    """

    def __init__(  # noqa: D107 - described above
        self,
        session: Any,
        inputs: tuple[TensorSpec, ...],
        proof: Proof,
        facts: Mapping[str, Any],
        *,
        outputs: Sequence[TensorSpec],
        memory: str,
        stream: Stream | None = None,
    ) -> None:
        super().__init__(session, inputs, proof, facts)
        self.untimed = ""
        """Why there is no stream that its work could be timed on."""
        self._stream = stream
        self._options = None
        if stream is not None:
            self._options = onnxruntime().RunOptions()
            self._options.add_run_config_entry(*_NO_WAIT)
        create = onnxruntime().OrtValue.ortvalue_from_shape_and_type
        self._binding = session.io_binding()
        self._buffers = {spec.name: create(spec.shape, np.dtype(spec.dtype), memory, 0) for spec in inputs}
        self._kept: list[Any] = []
        self._loose: list[tuple[str, str, int]] = []
        for name, buffer in self._buffers.items():
            self._binding.bind_ortvalue_input(name, buffer)
        for spec in outputs:  # in the model's order: so they are copied out
            if any(isinstance(size, str) for size in spec.shape):
                self._loose.append((spec.name, memory, 0))
                self._binding.bind_output(*self._loose[-1])
            else:
                self._kept.append(create(spec.shape, np.dtype(spec.dtype), memory, 0))
                self._binding.bind_ortvalue_output(spec.name, self._kept[-1])

    def infer(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run once."""
        return {name: np.array(one) for name, one in zip(self.outputs, self._call(inputs), strict=True)}

    def bind(self, rotation: Sequence[Arrays]) -> Callable[[], object]:
        """Each call takes the next set."""
        if self._stream is not None:
            return _SessionLaunch(self, self._stream, rotation)
        following, call = itertools.cycle(rotation).__next__, self._call
        return lambda: call(following())

    def close(self) -> None:
        """Drop the session and the memory."""
        if self._stream is not None:
            self._stream.synchronize()
        super().close()
        self._binding, self._buffers, self._kept = None, {}, []

    def put(self, inputs: Arrays) -> None:
        """Copy inputs to where the session reads them."""
        for name, buffer in self._buffers.items():
            buffer.update_inplace(inputs[name])
        for place in self._loose:  # what the last run needed may be too small or too large
            self._binding.bind_output(*place)

    def run(self) -> None:
        """Run on what was put; on a stream of ours, enqueue that."""
        self._session.run_with_iobinding(self._binding, self._options)

    def take(self) -> list[NDArray[Any]]:
        """Wait for the outputs, and copy them out."""
        if self._stream is not None:
            self._stream.synchronize()
        copied: list[NDArray[Any]] = self._binding.copy_outputs_to_cpu()
        return copied

    def _call(self, inputs: Arrays) -> list[NDArray[Any]]:
        self.put(inputs)
        self.run()
        return self.take()


class _SessionLaunch(InParts):
    """Runs of a session on our stream."""

    def __init__(self, engine: DeviceEngine, stream: Stream, rotation: Sequence[Arrays]) -> None:
        self.stream = stream
        self.submit = engine.run  # not one call more than needed
        self.finish = engine.take  # type: ignore[method-assign]
        self._put = engine.put
        self._following = itertools.cycle(rotation).__next__

    def begin(self) -> None:
        self._put(self._following())
