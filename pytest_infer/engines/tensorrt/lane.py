"""One execution context with its stream and memory, and the sets of inputs that go through it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.device.cuda_streams import CaptureError
from pytest_infer.device.launch import InParts
from pytest_infer.errors import EngineBuildError, MeasurementError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pytest_infer.device.cuda_streams import Cuda, DeviceMemory, HostMemory
    from pytest_infer.engines.base import Arrays
    from pytest_infer.engines.tensorrt.library import Library
    from pytest_infer.workload import TensorSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensors:
    """What goes in and out of an engine, in the model's order; inputs have every dimension, outputs may lack some."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class Lane:
    """A context whose tensors have their addresses: the device's buffers are bound once and serve every set."""

    def __init__(self, library: Library, context: Any, tensors: Tensors, cuda: Cuda, where: str) -> None:
        """Set shapes and addresses.

        Raises:
            EngineBuildError: TensorRT refuses one.
        """
        self.tensors = tensors
        self.stream = cuda.stream()
        self.cuda = cuda
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.memory: dict[str, DeviceMemory] = {}
        self.late: dict[str, Any] = {}
        self._replay: Callable[[], object] | None = None
        self._library = library
        self._context = context
        with library.listening() as said:
            for spec in tensors.inputs:
                self._demand(context.set_input_shape(spec.name, spec.shape), said, where, spec.name)
            for spec in (*tensors.inputs, *tensors.outputs):
                shape = tuple(int(size) for size in context.get_tensor_shape(spec.name))
                if any(size < 0 for size in shape):  # known only once the data are
                    self.late[spec.name] = allocator = _output_allocator(library.trt, cuda)
                    self._demand(context.set_output_allocator(spec.name, allocator), said, where, spec.name)
                    continue
                self.shapes[spec.name] = shape
                self.memory[spec.name] = memory = cuda.allocate(max(1, byte_count(spec, shape)))
                self._demand(context.set_tensor_address(spec.name, memory.address), said, where, spec.name)

    @property
    def size(self) -> int:
        """Bytes of its device buffers."""
        late = [allocator.memory for allocator in self.late.values() if allocator.memory is not None]
        return sum(memory.size for memory in (*self.memory.values(), *late))

    def enqueue(self) -> None:
        """Enqueue one inference.

        Raises:
            MeasurementError: TensorRT refuses.
        """
        if not self._context.execute_async_v3(self.stream.handle):
            said = [*self._library.logger.said.errors][-2:]  # the older ones may be of other engines
            raise MeasurementError(f"TensorRT can't run the engine: {'; '.join(said) or 'it gave no reason'}")

    @property
    def run(self) -> Callable[[], object]:
        """What enqueues one inference: the launch of its graph, where one was captured."""
        return self.enqueue if self._replay is None else self._replay

    def capture(self) -> str | None:
        """Make each inference the launch of one CUDA graph; the reason where that can't be.

        The copies stay outside of it: every set of inputs has its own, and all go through the same device memory.
        """
        if self.late:
            return f"the shape of {', '.join(self.late)} depends on the data"
        try:
            self._replay = self.stream.capture(self.enqueue).launch
        except CaptureError as error:
            return str(error)
        return None

    @staticmethod
    def _demand(done: bool, said: Any, where: str, name: str) -> None:  # noqa: FBT001 - TensorRT's own kind of answer
        if not done:
            raise EngineBuildError(f"{where}: TensorRT refuses the shape or the address of {name!r}:\n{said.reason()}")


class Slot:
    """One set of inputs and the outputs that it gives, in pinned host memory."""

    def __init__(self, lane: Lane, arrays: Arrays | None = None) -> None:
        """Pin memory for the lane's tensors, `arrays` in it, and prepare the steps of a run."""
        self._lane = lane
        self._hosts: dict[str, HostMemory] = {}
        stream = lane.stream
        copies_in: list[Callable[[], object]] = []
        for spec in lane.tensors.inputs:
            host, size = self._pin(spec)
            copies_in += [stream.copy_in(lane.memory[spec.name], host, size)] * (size > 0)
        copies_out: list[Callable[[], object]] = []
        for spec in lane.tensors.outputs:
            if spec.name not in lane.late:
                host, size = self._pin(spec)
                copies_out += [stream.copy_out(host, lane.memory[spec.name], size)] * (size > 0)
        copies_out += [self._late_copy(spec) for spec in lane.tensors.outputs if spec.name in lane.late]
        self._copies_in, self._copies_out = tuple(copies_in), tuple(copies_out)
        self.wait = stream.synchronize
        if arrays is not None:
            self.fill(arrays)

    def submit(self) -> None:
        """Enqueue a run: copies in, the inference, copies out."""
        self.copy_in()
        self._lane.run()
        self.copy_out()

    def copy_in(self) -> None:
        """Enqueue the copies of the inputs."""
        for copy in self._copies_in:
            copy()

    def copy_out(self) -> None:
        """Enqueue the copies of the outputs."""
        for copy in self._copies_out:
            copy()

    def fill(self, arrays: Arrays) -> None:
        """Put `arrays` where the next run copies from."""
        for spec in self._lane.tensors.inputs:
            self._view(spec, self._lane.shapes[spec.name])[...] = arrays[spec.name]

    def outputs(self) -> dict[str, NDArray[Any]]:
        """Copies of what the last run gave."""
        late = {name: allocator.shape for name, allocator in self._lane.late.items()}
        shapes = {**self._lane.shapes, **late}
        return {spec.name: self._view(spec, shapes[spec.name]).copy() for spec in self._lane.tensors.outputs}

    def _pin(self, spec: TensorSpec) -> tuple[HostMemory, int]:
        size = byte_count(spec, self._lane.shapes[spec.name])
        self._hosts[spec.name] = host = self._lane.cuda.pin(max(1, size))
        host.content[...] = 0  # a first run without inputs must not look up whatever lay there in a table
        return host, size

    def _late_copy(self, spec: TensorSpec) -> Callable[[], object]:
        """The copy of an output whose size is known when the inference is enqueued, and not before."""
        lane, hosts = self._lane, self._hosts  # not this slot: it would keep itself, and pinned memory, alive
        allocator = lane.late[spec.name]

        def copy() -> None:
            size = byte_count(spec, allocator.shape)
            host = hosts.get(spec.name)
            if host is None or host.content.size < size:
                hosts[spec.name] = host = lane.cuda.pin(max(1, size))
            if size:
                lane.stream.copy_out(host, allocator.memory, size)()

        return copy

    def _view(self, spec: TensorSpec, shape: tuple[int, ...]) -> NDArray[Any]:
        content = self._hosts[spec.name].content[: byte_count(spec, shape)]
        view: NDArray[Any] = content.view(spec.dtype).reshape(shape)
        return view


class LaneLaunch(InParts):
    """Runs of one lane, through its sets of inputs in turn; what is enqueued between the copies is the inference."""

    def __init__(self, lane: Lane, slots: Sequence[Slot]) -> None:
        """Begin with the first set."""
        self.stream = lane.stream
        self.submit = lane.run  # not one call more than needed
        self._following = itertools.cycle(slots).__next__
        self._slot = slots[0]

    def begin(self) -> None:
        """Copy the next set in."""
        self._slot = slot = self._following()
        slot.copy_in()

    def finish(self) -> None:
        """Copy its outputs out, and wait."""
        self._slot.copy_out()
        self._slot.wait()


def byte_count(spec: TensorSpec, shape: tuple[int, ...]) -> int:
    """Bytes of a tensor of that shape."""
    return math.prod(shape) * np.dtype(spec.dtype).itemsize


def _output_allocator(trt: Any, cuda: Cuda) -> Any:
    class Allocator(trt.IOutputAllocator):  # type: ignore[misc] # the module is known when it is there
        def __init__(self) -> None:
            trt.IOutputAllocator.__init__(self)
            self.memory: DeviceMemory | None = None
            self.shape: tuple[int, ...] = ()

        def reallocate_output(self, _tensor_name: str, _memory: int, size: int, _alignment: int) -> int:
            if self.memory is None or self.memory.size < size:  # it only grows: a warm run allocates nothing
                self.memory = cuda.allocate(max(1, size))
            return self.memory.address

        def reallocate_output_async(
            self, tensor_name: str, memory: int, size: int, alignment: int, _stream: int
        ) -> int:
            return self.reallocate_output(tensor_name, memory, size, alignment)

        def notify_shape(self, _tensor_name: str, shape: Any) -> None:
            self.shape = tuple(int(size) for size in shape)

    return Allocator()
