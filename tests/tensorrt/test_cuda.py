"""The two ways to CUDA: against recording stand-ins of their APIs, and cuda-core's names against the real package.

No GPU result: only calls, arguments and order are held.
"""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_infer.device.cuda_choice import open_cuda
from pytest_infer.device.cuda_streams import CaptureError
from pytest_infer.device.fingerprint import Device
from pytest_infer.errors import DeviceError, MissingDependencyError

if TYPE_CHECKING:
    from pytest_infer.device.cuda_streams import Cuda

GPU = Device(slug="gpu", kind="gpu", name="a GPU", uuid="GPU-2")


class CoreBuffer:
    """cuda-core's Buffer over host memory."""

    def __init__(self, handle: int, size: int, owner: Any = None) -> None:
        """Memory that is there."""
        self.handle, self.size, self.owner = handle, size, owner

    @staticmethod
    def from_handle(handle: int, size: int, *, owner: Any) -> CoreBuffer:
        """A view."""
        return CoreBuffer(handle, size, owner)

    def copy_to(self, target: CoreBuffer, *, stream: CoreStream) -> None:
        """Both as long as each other, as the real one wants it."""
        assert self.size == target.size
        stream.log.append("copy")
        ctypes.memmove(target.handle, self.handle, self.size)

    def fill(self, value: int, *, stream: CoreStream) -> None:
        """All of it."""
        stream.log.append(f"fill {self.size} with {value}")


class CoreEvent:
    """cuda-core's Event: a difference is a time in ms."""

    def __init__(self, options: str) -> None:
        """Not recorded yet."""
        self.options = options
        self.at_ms: float | None = None

    def __sub__(self, other: CoreEvent) -> float:
        """Only of two that were recorded."""
        assert self.at_ms is not None
        assert other.at_ms is not None
        return self.at_ms - other.at_ms


class CoreStream:
    """cuda-core's Stream; `broken` fails a capture."""

    handle = 7

    def __init__(self, log: list[str]) -> None:
        """Writes into `log`."""
        self.log = log
        self.broken = False

    def sync(self) -> None:
        """Recorded."""
        self.log.append("sync")

    def record(self, event: Any) -> Any:
        """Recorded."""
        event.at_ms = 1.5 * len(self.log)
        self.log.append(f"record {event.options}")
        return event

    def create_graph_builder(self) -> Any:
        """A builder that captures what comes next."""

        def end_building() -> Any:
            if self.broken:
                raise RuntimeError("CUDA_ERROR_STREAM_CAPTURE_INVALIDATED")
            self.log.append("end")
            return SimpleNamespace(complete=lambda: SimpleNamespace(launch=lambda _stream: self.log.append("launch")))

        return SimpleNamespace(
            begin_building=lambda mode: self.log.append(f"begin {mode}"),
            end_building=end_building,
            close=lambda: self.log.append("close"),
        )


class Core:
    """The module `cuda.core`."""

    Buffer = CoreBuffer

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self.log: list[str] = []
        self.streams: list[CoreStream] = []
        self.alive: list[Any] = []

    def Device(self, number: int) -> Any:  # noqa: N802 - its name there
        """The only one that is to be seen."""
        return SimpleNamespace(
            set_current=lambda: self.log.append(f"current {number}"),
            allocate=lambda size, stream: self.buffer(size) if stream else None,
            default_stream=CoreStream(self.log),
            create_stream=self.stream,
            create_event=CoreEvent,
            properties=SimpleNamespace(l2_cache_size=100),
            sync=lambda: self.log.append("device sync"),
        )

    def stream(self) -> CoreStream:
        """A new one."""
        self.streams.append(CoreStream(self.log))
        return self.streams[-1]

    def buffer(self, size: int) -> CoreBuffer:
        """Memory that lives as long as the test."""
        content = np.zeros(size, np.uint8)
        self.alive.append(content)
        return CoreBuffer(content.ctypes.data, size)

    def EventOptions(self, *, timing_enabled: bool) -> str:  # noqa: N802 - its name there
        """Which events."""
        return f"timing={timing_enabled}"

    def LegacyPinnedMemoryResource(self) -> Any:  # noqa: N802 - its name there
        """Pinned memory."""
        return SimpleNamespace(allocate=self.buffer)


class PyCudaDriver:
    """The module `pycuda.driver`, over host memory."""

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self.log: list[str] = []
        self.alive: dict[int, Any] = {}
        self.Context = SimpleNamespace(
            get_current=lambda: "a context of the test's",
            get_device=lambda: SimpleNamespace(get_attribute={"l2": 100}.get),
            synchronize=lambda: self.log.append("device sync"),
        )
        self.device_attribute = SimpleNamespace(L2_CACHE_SIZE="l2")

    def mem_alloc(self, size: int) -> int:
        """An address."""
        content = np.zeros(size, np.uint8)
        self.alive[content.ctypes.data] = content
        return int(content.ctypes.data)

    def pagelocked_empty(self, shape: int, dtype: Any) -> Any:
        """An array."""
        return np.empty(shape, dtype)

    def Stream(self) -> Any:  # noqa: N802 - its name there
        """A stream."""
        return SimpleNamespace(handle=7, synchronize=lambda: self.log.append("sync"))

    def Event(self) -> Any:  # noqa: N802 - its name there
        """An event."""
        return SimpleNamespace(time_since=lambda _other: 1.5, record=lambda _stream: self.log.append("record"))

    def memset_d8_async(self, address: int, value: int, size: int, stream: Any) -> None:
        """All of it."""
        assert address in self.alive
        assert stream.handle == 7
        self.log.append(f"fill {size} with {value}")

    def memcpy_htod_async(self, dest: int, src: Any, stream: Any) -> None:
        """To an address."""
        assert stream.handle == 7
        self.log.append("copy")
        self.alive[dest][: src.size] = src

    def memcpy_dtoh_async(self, dest: Any, src: int, stream: Any) -> None:
        """From an address."""
        assert stream.handle == 7
        self.log.append("copy")
        dest[...] = self.alive[src][: dest.size]


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> Core:
    """Instead of the real one."""
    found = Core()
    monkeypatch.setitem(sys.modules, "cuda.core", found)
    monkeypatch.delitem(sys.modules, "pycuda.driver", raising=False)
    return found


@pytest.fixture(params=["cuda-core", "pycuda"])
def opened(request: pytest.FixtureRequest, core: Core, monkeypatch: pytest.MonkeyPatch) -> tuple[Cuda, Any]:
    """Each way, and its stand-in."""
    if request.param == "cuda-core":
        return open_cuda(GPU), core
    driver = PyCudaDriver()
    monkeypatch.setitem(sys.modules, "pycuda.driver", driver)
    return open_cuda(GPU), driver


def test_data_go_to_the_device_and_back(opened: tuple[Cuda, Any]) -> None:
    """Prepared copies move what is in pinned memory when they are enqueued, on the stream, and no more than asked."""
    cuda, library = opened
    stream, memory, host, back = cuda.stream(), cuda.allocate(8), cuda.pin(8), cuda.pin(8)
    copy_in, copy_out = stream.copy_in(memory, host, 6), stream.copy_out(back, memory, 6)
    back.content[:] = 9
    library.log.clear()
    for value in (1, 2):
        host.content[:] = value
        copy_in()
        copy_out()
        stream.synchronize()
        assert back.content.tolist() == [value] * 6 + [9, 9]
    assert library.log == ["copy", "copy", "sync"] * 2
    assert (stream.handle, memory.size, str(host.content.dtype)) == (7, 8, "uint8")


def test_the_only_device_is_made_current(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process sees one; where CUDA's first is another one, that is an error."""
    assert open_cuda(GPU).name == "cuda-core"
    assert core.log == ["current 0"]

    def other(uuid: str) -> None:
        raise DeviceError(f"measuring on {uuid}, but CUDA's first is another")

    monkeypatch.setattr("pytest_infer.device.cuda_core.check_first", other)
    with pytest.raises(DeviceError, match=r"^measuring on GPU-2, but CUDA's first is another$"):
        open_cuda(GPU)


def test_no_driver_is_an_error_in_words(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the layer under it raises."""

    def broken(_number: int) -> Any:
        raise RuntimeError("libcuda.so.1 is not there")

    monkeypatch.setattr(core, "Device", broken)
    with pytest.raises(DeviceError, match=r"CUDA can't be used here: libcuda\.so\.1 is not there"):
        open_cuda(GPU)


@pytest.mark.parametrize(
    ("error", "package"),
    [
        (ModuleNotFoundError("No module named 'cuda'", name="cuda"), "cuda-core"),
        (ModuleNotFoundError("No module named 'cuda.bindings'", name="cuda.bindings"), "cuda-bindings"),
        (ImportError("cannot import name 'bindings' from 'cuda'", name="cuda"), "cuda-bindings"),
    ],
)
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, error: ImportError, package: str) -> None:
    """Cuda-core does not bring the bindings under it by itself."""

    def fail(_name: str) -> Any:
        raise error

    monkeypatch.delitem(sys.modules, "pycuda.driver", raising=False)
    monkeypatch.setattr("pytest_infer.device.cuda_core.import_module", fail)
    with pytest.raises(MissingDependencyError, match=rf"{package}.*pip install 'pytest-infer\[cuda\]'"):
        open_cuda(GPU)


def test_packages_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cuda-core 1.0.0 over cuda-bindings 13.0.3: both are there, and what keeps them apart is told."""

    def fail(_name: str) -> Any:
        raise ImportError("cydriver does not export expected C function cuDevSmResourceSplit", name="cuda.core")

    monkeypatch.delitem(sys.modules, "pycuda.driver", raising=False)
    monkeypatch.setattr("pytest_infer.device.cuda_core.import_module", fail)
    with pytest.raises(DeviceError, match=r"can't be imported \(cydriver does not export .*pip install --upgrade"):
        open_cuda(GPU)


def test_events_of_an_older_cuda_core(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 1.0 the option had another name; before 0.5 nothing of it was where it is."""
    monkeypatch.setattr(core, "EventOptions", lambda *, enable_timing: f"timing={enable_timing}")
    open_cuda(GPU).stream().event()
    monkeypatch.delattr(Core, "Device")
    with pytest.raises(MissingDependencyError, match=r"cuda-core 0\.5 or later"):
        open_cuda(GPU)


def test_pycuda_is_for_tests_that_live_in_its_context(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """Merely imported it changes nothing."""
    assert core.log == []
    driver = PyCudaDriver()
    monkeypatch.setitem(sys.modules, "pycuda.driver", driver)
    assert open_cuda(GPU).name == "pycuda"
    driver.Context.get_current = lambda: None
    assert open_cuda(GPU).name == "cuda-core"


def test_a_graph_is_captured_on_the_stream(core: Core) -> None:
    """What is enqueued between begin and end; launched as one."""
    stream = open_cuda(GPU).stream()
    core.log.clear()
    graph = stream.capture(lambda: core.log.append("work"))
    assert core.log == ["begin thread_local", "work", "end", "close"]
    graph.launch()
    assert core.log[-1] == "launch"


def test_a_broken_capture_is_ended_and_told(core: Core) -> None:
    """With CUDA's reason, or that of the work."""
    stream = open_cuda(GPU).stream()
    core.streams[0].broken = True
    with pytest.raises(CaptureError, match="CAPTURE_INVALIDATED"):
        stream.capture(lambda: None)
    assert core.log[-1] == "close"

    def refused() -> None:
        raise ValueError("TensorRT can't")

    with pytest.raises(CaptureError, match="TensorRT can't"):
        stream.capture(refused)


def test_pycuda_has_no_graphs(opened: tuple[Cuda, Any]) -> None:
    """It says so, instead of running plainly."""
    cuda, _ = opened
    if cuda.name == "pycuda":
        with pytest.raises(CaptureError, match="PyCUDA has no CUDA graphs"):
            cuda.stream().capture(lambda: None)


def test_events_are_made_once_and_recorded_with_timing(opened: tuple[Cuda, Any]) -> None:
    """cuda-core's have none unless asked; recording makes none."""
    cuda, library = opened
    stream = cuda.stream()
    first, last = stream.event(), stream.event()
    library.log.clear()
    for _ in range(2):
        stream.record(first)
        stream.record(last)
        assert last.ms_since(first) == 1.5
    assert [word.partition(" ")[0] for word in library.log] == ["record"] * 4
    assert cuda.name == "pycuda" or library.log[0] == "record timing=True"


def test_the_cache_is_flushed_on_the_stream(opened: tuple[Cuda, Any]) -> None:
    """By writing over twice its size, in memory that is taken once."""
    cuda, library = opened
    flush = cuda.stream().flush()
    library.log.clear()
    flush()
    flush()
    assert library.log == ["fill 200 with 0"] * 2


def test_waiting_for_everything(opened: tuple[Cuda, Any]) -> None:
    """Of all streams."""
    cuda, library = opened
    cuda.synchronize()
    assert library.log[-1] == "device sync"


def test_cuda_core_has_what_we_call() -> None:
    """The real package, no driver needed."""
    core = pytest.importorskip("cuda.core", reason="cuda-core and its bindings are not installed", exc_type=ImportError)
    called: dict[Any, tuple[str, ...]] = {
        core: ("EventOptions", "LegacyPinnedMemoryResource"),
        core.Device: (
            *("allocate", "create_event", "create_stream", "default_stream", "properties", "set_current", "sync"),
        ),
        core.Buffer: ("copy_to", "fill", "from_handle", "handle", "size"),
        core.Stream: ("create_graph_builder", "handle", "record", "sync"),
        core.graph.GraphBuilder: ("begin_building", "close", "complete", "end_building"),
        core.graph.Graph: ("launch",),
    }
    missing = [f"{owner}.{name}" for owner, names in called.items() for name in names if not hasattr(owner, name)]
    assert not missing
    assert core.EventOptions(timing_enabled=True)
