"""A recording stand-in for a GPU: for `tensorrt` at run time and for CUDA, over numpy arrays. Never a GPU result.

It holds the run path to its rules where no GPU is: work is queued and done at `synchronize` only, so what was not
waited for is not there; an address that nobody allocated, a shape that was not set, a copy of the wrong size fails.
What it can't hold: that the real libraries behave so, that results are right, how long anything takes.
"""

from __future__ import annotations

import itertools
import json
import math
from enum import Enum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.device.cuda_streams import CaptureError
from pytest_infer.engines.tensorrt.engine import TensorRTEngine, open_engine
from pytest_infer.engines.tensorrt.library import Library, make_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Values = dict[str, NDArray[Any]]

DTYPES = {"FLOAT": "float32", "INT64": "int64", "INT32": "int32", "BF16": "float16"}
UNTOLD: dict[str, Any] = {
    "tf32": False,
    "version_compatible": False,
    "network": {"how": "types of the network"},
    "inputs": [],
    "outputs": [],
}
"""What a build found out, where it does not matter."""


class Cuda:
    """CUDA over host arrays, at addresses of its own. `log` is what was asked of it, in order."""

    name = "stand-in"

    def __init__(self) -> None:
        """Begin with empty memory."""
        self.log: list[tuple[Any, ...]] = []
        self.memory: dict[int, NDArray[np.uint8]] = {}
        self.streams: dict[int, Stream] = {}
        self.hosts: list[Host] = []
        self._addresses = itertools.count(0x1000, 0x1000)

    def allocate(self, size: int) -> Any:
        """Device memory, full of ones: nobody may count on zeros."""
        address = next(self._addresses)
        self.memory[address] = np.full(size, 1, np.uint8)
        self.log.append(("allocate", address, size))
        return SimpleNamespace(address=address, size=size)

    def pin(self, size: int) -> Host:
        """Host memory."""
        self.hosts.append(Host(size))
        return self.hosts[-1]

    def stream(self) -> Stream:
        """A new queue."""
        stream = Stream(self, handle=100 + len(self.streams))
        self.streams[stream.handle] = stream
        return stream

    def synchronize(self) -> None:
        """Do all that is queued anywhere."""
        for stream in self.streams.values():
            stream.synchronize()

    def words(self) -> list[str]:
        """What happened, without addresses and sizes; the log is emptied."""
        words = [str(entry[0]) for entry in self.log]
        self.log.clear()
        return words


class Host:
    """Pinned memory."""

    def __init__(self, size: int) -> None:
        """Full of ones."""
        self.content = np.full(size, 1, np.uint8)


class Stream:
    """A queue that is worked off when somebody waits for it."""

    timed_by = "a stand-in"

    def __init__(self, cuda: Cuda, handle: int) -> None:
        """An empty one."""
        self.cuda = cuda
        self.handle = handle
        self.queue: list[Callable[[], None]] = []
        self.refusal = ""

    def copy_in(self, target: Any, source: Any, size: int) -> Callable[[], object]:
        """A prepared copy to the device."""

        def work() -> None:
            self.cuda.memory[target.address][:size] = source.content[:size]

        return lambda: self.put(work, ("copy_in", target.address, size))

    def copy_out(self, target: Any, source: Any, size: int) -> Callable[[], object]:
        """A prepared copy to the host."""

        def work() -> None:
            target.content[:size] = self.cuda.memory[source.address][:size]

        return lambda: self.put(work, ("copy_out", source.address, size))

    def put(self, work: Callable[[], None], entry: tuple[Any, ...]) -> None:
        """Queue one piece of work."""
        self.queue.append(work)
        self.cuda.log.append(entry)

    def synchronize(self) -> None:
        """Do all that is queued."""
        self.cuda.log.append(("synchronize", self.handle))
        work, self.queue = self.queue, []
        for step in work:
            step()

    def event(self) -> Any:
        """A mark that has no time."""
        self.cuda.log.append(("event",))
        return SimpleNamespace(ms_since=lambda _earlier: 1.0)

    def record(self, event: Any) -> None:
        """Queue a mark."""
        assert event is not None
        self.put(lambda: None, ("record", self.handle))

    def flush(self) -> Callable[[], object]:
        """Queue a write over everything."""
        return lambda: self.put(lambda: None, ("flush", self.handle))

    def capture(self, work: Callable[[], object]) -> Any:
        """What `work` queues, kept instead of done."""
        if self.refusal:
            raise CaptureError(self.refusal)
        before, self.queue = self.queue, []
        work()
        steps, self.queue = self.queue, before
        self.cuda.log.append(("captured", len(steps)))

        def launch() -> None:
            self.queue.extend(steps)
            self.cuda.log.append(("launch", self.handle))

        return SimpleNamespace(launch=launch)


class Mode(Enum):
    """TensorIOMode."""

    INPUT = 0
    OUTPUT = 1


class Engine:
    """A deserialized engine.

    Attributes:
        tensors: name, mode, TensorRT's type, shape in the network (-1: dynamic), shape in the profile.
        compute: outputs from inputs, all arrays by name.
        late: outputs whose shape only the data tell.
        seen: what x was in each run that was done.
    """

    num_layers = 1
    device_memory_size_v2 = 1_000_000

    def __init__(
        self,
        cuda: Cuda,
        tensors: list[tuple[str, Mode, str, tuple[int, ...], tuple[int, ...]]],
        compute: Callable[[Values], Values],
        late: frozenset[str] = frozenset(),
    ) -> None:
        """As described."""
        self.cuda = cuda
        self.tensors = {tensor[0]: tensor for tensor in tensors}
        self.compute = compute
        self.late = late
        self.num_io_tensors = len(tensors)
        self.contexts: list[Context] = []
        self.layers: list[Any] = []
        self.seen: list[NDArray[Any]] = []

    def get_tensor_name(self, index: int) -> str:
        """As TensorRT's."""
        return list(self.tensors)[index]

    def get_tensor_mode(self, name: str) -> Mode:
        """As TensorRT's."""
        return self.tensors[name][1]

    def get_tensor_dtype(self, name: str) -> Any:
        """As TensorRT's."""
        return SimpleNamespace(name=self.tensors[name][2])

    def get_tensor_location(self, name: str) -> str:
        """As TensorRT's."""
        assert name in self.tensors
        return "DEVICE"

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        """As TensorRT's."""
        return self.tensors[name][3]

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, ...]]:
        """As TensorRT's."""
        assert profile == 0
        return [self.tensors[name][4]] * 3

    def create_execution_context(self) -> Context:
        """As TensorRT's."""
        self.contexts.append(Context(self))
        return self.contexts[-1]

    def create_engine_inspector(self) -> Any:
        """As TensorRT's."""
        text = json.dumps({"Layers": self.layers})
        return SimpleNamespace(get_engine_information=lambda form: text if form == "JSON" else "")


class Context:
    """An execution context that knows what was set."""

    def __init__(self, engine: Engine) -> None:
        """Nothing is set yet."""
        self.engine = engine
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.addresses: dict[str, int] = {}
        self.allocators: dict[str, Any] = {}
        self.refuses: Callable[[], None] | None = None

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        """Only what the profile allows."""
        self.shapes[name] = tuple(shape)
        return tuple(shape) == self.engine.tensors[name][4]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        """Known once the inputs' shapes are, but for late ones."""
        _, mode, _, shape, at_profile = self.engine.tensors[name]
        if mode is Mode.INPUT:
            return self.shapes[name]
        inputs = {n for n, t in self.engine.tensors.items() if t[1] is Mode.INPUT}
        return shape if name in self.engine.late or set(self.shapes) != inputs else at_profile

    def set_tensor_address(self, name: str, address: int) -> bool:
        """Only what is allocated."""
        self.addresses[name] = address
        return address in self.engine.cuda.memory

    def set_output_allocator(self, name: str, allocator: Any) -> bool:
        """For late outputs."""
        self.allocators[name] = allocator
        return name in self.engine.late

    def execute_async_v3(self, stream_handle: int) -> bool:
        """Queue the computation at the addresses as they are now."""
        if self.refuses is not None:
            self.refuses()
            return False
        stream = self.engine.cuda.streams[stream_handle]
        if self.engine.late:
            self._shape_late(stream)
        addresses = dict(self.addresses)
        stream.put(lambda: self._write(addresses), ("execute", stream_handle))
        return True

    def _shape_late(self, stream: Stream) -> None:
        """TensorRT waits inside here for what the shapes depend on, then asks for memory."""
        work, stream.queue = stream.queue, []
        for step in work:
            step()
        for name, value in self.engine.compute(self._read(self.addresses)).items():
            if name in self.engine.late:
                allocator = self.allocators[name]
                self.addresses[name] = allocator.reallocate_output_async(name, 0, value.nbytes, 256, stream.handle)
                allocator.notify_shape(name, value.shape)

    def _read(self, addresses: Mapping[str, int]) -> Values:
        values = {}
        for name, shape in self.shapes.items():
            dtype = np.dtype(DTYPES[self.engine.tensors[name][2]])
            content = self.engine.cuda.memory[addresses[name]][: dtype.itemsize * math.prod(shape)]
            values[name] = content.view(dtype).reshape(shape)
        return values

    def _write(self, addresses: Mapping[str, int]) -> None:
        values = self._read(addresses)
        self.engine.seen.append(values["x"].copy())
        for name, value in self.engine.compute(values).items():
            content = np.ascontiguousarray(value).view(np.uint8).reshape(-1)
            self.engine.cuda.memory[addresses[name]][: content.size] = content


def library(engine: Engine | None) -> Library:
    """A library whose runtime gives `engine` for any plan; none at all where that is None."""

    class Base:
        """Of loggers and allocators."""

    def deserialize_cuda_engine(_plan: bytes) -> Engine | None:
        if engine is None:
            said.logger.log(SimpleNamespace(name="ERROR"), "the plan is of another GPU")
        return engine

    trt = SimpleNamespace(
        __version__="0.0 (stand-in)",
        ILogger=Base,
        IOutputAllocator=Base,
        TensorIOMode=Mode,
        TensorLocation=SimpleNamespace(DEVICE="DEVICE"),
        LayerInformationFormat=SimpleNamespace(JSON="JSON"),
        Runtime=lambda _logger: SimpleNamespace(deserialize_cuda_engine=deserialize_cuda_engine),
    )
    said = Library(name="tensorrt", trt=trt, logger=make_logger(trt))
    return said


def opened(engine: Engine, *, contexts: int = 1, graph: bool = False) -> TensorRTEngine:
    """Our engine over the stand-in."""
    return open_engine(
        library(engine), engine.cuda, b"plan", built=UNTOLD, where="model.onnx", contexts=contexts, graph=graph
    )


def doubling(cuda: Cuda, shape: tuple[int, ...] = (2, 3)) -> Engine:
    """Doubles x into y; the first dimension is dynamic."""
    dynamic = (-1, *shape[1:])
    return Engine(
        cuda,
        [("x", Mode.INPUT, "FLOAT", dynamic, shape), ("y", Mode.OUTPUT, "FLOAT", dynamic, shape)],
        lambda values: {"y": values["x"] * 2},
    )


def nonzero(cuda: Cuda) -> Engine:
    """The places of x that are not zero: as many as there are, and how many (float)."""

    def compute(values: Values) -> Values:
        found = np.argwhere(values["x"]).astype(np.int64)
        return {"places": found, "count": np.array([len(found)], np.float32)}

    return Engine(
        cuda,
        [
            ("x", Mode.INPUT, "FLOAT", (4, 2), (4, 2)),
            ("places", Mode.OUTPUT, "INT64", (-1, 2), ()),
            ("count", Mode.OUTPUT, "FLOAT", (1,), (1,)),
        ],
        compute,
        late=frozenset({"places"}),
    )
