"""Each library's calls in parts: what goes on the stream that they are handed, and who waits. No GPU result."""

from __future__ import annotations

import contextlib
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_infer.device.launch import Launch
from pytest_infer.engines.jax.launch import JaxLaunch
from pytest_infer.engines.on_stream import CallableLaunch, computes_here
from pytest_infer.errors import EngineBuildError, MeasurementError
from pytest_infer.measure.device_timer import DeviceTimer
from pytest_infer.workload import TensorSpec
from tests.measure_gpu.scripted import MS, US, Gpu

if TYPE_CHECKING:
    from collections.abc import Iterator


def stream(gpu: Gpu | None = None) -> Any:
    """The script's: no copies are asked of it."""
    return (gpu or Gpu()).stream()


# --- ONNX Runtime ----------------------------------------------------------------------------------------------------


@pytest.fixture
def doubling() -> Any:
    """A real session that doubles x into y."""
    ort = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    helper = onnx.helper
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "g", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def test_onnx_runtime_enqueues_and_we_wait(doubling: Any) -> None:
    """Copied in before, waited for on our stream and copied out behind; the run is told not to wait by itself."""
    from pytest_infer.engines.onnxruntime.engine import DeviceEngine
    from pytest_infer.engines.truth import Proof

    gpu = Gpu()
    engine = DeviceEngine(
        doubling,
        (TensorSpec(name="x", dtype="float32", shape=(2,)),),
        Proof(how="nothing"),
        {},
        outputs=(TensorSpec(name="y", dtype="float32", shape=(2,)),),
        memory="cpu",
        stream=stream(gpu),
    )
    options: Any = engine._options
    assert options.get_run_config_entry("disable_synchronize_execution_providers") == "1"
    run = engine.bind([{"x": np.array([1, 2], np.float32)}, {"x": np.array([3, 4], np.float32)}])
    assert isinstance(run, Launch)
    for wanted in ([2, 4], [6, 8], [2, 4]):
        run.begin()
        run.submit()
        assert gpu.log == []
        copied: Any = run.finish()
        assert [one.tolist() for one in copied] == [wanted]
        assert gpu.log == ["synchronize"]
        gpu.log.clear()
    assert engine.infer({"x": np.array([5, 5], np.float32)})["y"].tolist() == [10, 10]


# --- PyTorch ---------------------------------------------------------------------------------------------------------


class Tensor:
    """A tensor by name, and where it is."""

    def __init__(self, log: list[str], name: str, device: str = "cpu") -> None:
        """As said."""
        self.log, self.name, self.device = log, name, device

    def to(self, device: str) -> Tensor:
        """A copy there."""
        self.log.append(f"{self.name} to {device}")
        return Tensor(self.log, self.name, device)

    def clone(self) -> Tensor:
        """A copy beside it."""
        return Tensor(self.log, f"own {self.name}", self.device)

    def copy_(self, other: Tensor) -> None:
        """Another one's content."""
        self.log.append(f"{self.name} = {other.name}")


def named(log: list[str]) -> tuple[Any, Any]:
    """Tensors a and b."""
    return Tensor(log, "a"), Tensor(log, "b")


@contextlib.contextmanager
def within(log: list[str], name: str) -> Iterator[None]:
    """Written down."""
    log.append(f"in {name}")
    yield
    log.append(f"out of {name}")


@pytest.fixture
def torch_log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A PyTorch with CUDA that writes down what it is asked."""
    log: list[str] = []

    class Graph:
        def replay(self) -> None:
            log.append("replay")

    stream = SimpleNamespace(wait_stream=lambda _other: log.append("wait for the other"))
    cuda = SimpleNamespace(
        synchronize=lambda: log.append("synchronize"),
        ExternalStream=lambda handle: f"stream {handle}",
        stream=lambda one: within(log, one if isinstance(one, str) else "a side stream"),
        Stream=lambda: stream,
        current_stream=lambda: stream,
        CUDAGraph=Graph,
        graph=lambda _graph: within(log, "a capture"),
        is_initialized=lambda: True,
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    return log


def test_torch_computes_on_our_stream(torch_log: list[str]) -> None:
    """Inside `active`; inputs are copied before the work, outputs behind it, and the work can be repeated."""
    from pytest_infer.engines.torch.launch import TorchLaunch

    def call(x: Any, *, y: Any) -> str:
        torch_log.append(f"call {x.name} {y.name} on {x.device}")
        return "out"

    a, b = named(torch_log)
    run = TorchLaunch(
        call,
        [([a], {"y": b}), ([b], {"y": a})],
        stream(),
        lambda: within(torch_log, "settings"),
        copied_out=lambda returned: torch_log.append(f"copied {returned}"),
    )
    assert torch_log == ["synchronize"], "the weights came on another stream"
    torch_log.clear()
    with run.active():
        run()
        run.begin()
        run.submit()
        run.submit()
        run.finish()
    assert torch_log == [
        *["in settings", "in stream 7"],
        *["a to cuda", "b to cuda", "call a b on cuda", "copied out"],
        *["b to cuda", "a to cuda", *["call b a on cuda"] * 2, "copied out"],
        *["out of stream 7", "out of settings"],
    ]


def test_a_torch_graph_is_captured_once_and_replayed(torch_log: list[str]) -> None:
    """After three calls on another stream, on inputs of its own; then a call is a copy and a replay."""
    from pytest_infer.engines.torch.graphed import Graphed
    from pytest_infer.engines.torch.launch import GraphLaunch

    def call(x: Any) -> str:
        torch_log.append(f"call {x.name}")
        return "out"

    a, b = named(torch_log)
    graph = Graphed(call, [a], {}, "net")
    captured = ["in a capture", "call own a", "out of a capture"]
    calls = ["in a side stream", *["call own a"] * 3, "out of a side stream"]
    assert torch_log == ["wait for the other", *calls, "wait for the other", *captured]
    torch_log.clear()
    run = GraphLaunch(
        graph,
        [([a], {}), ([b], {})],
        stream(),
        contextlib.nullcontext,
        copied_out=lambda returned: torch_log.append(f"copied {returned}"),
    )
    torch_log.clear()
    run()
    run()
    assert torch_log == ["own a = a", "replay", "copied out", "own a = b", "replay", "copied out"]
    torch_log.clear()
    assert graph(b) == "out"
    assert torch_log == ["own a = b", "replay"]


def test_a_graph_that_torch_can_not_capture_is_an_error(torch_log: list[str]) -> None:
    """Never a plain run under a graph's name."""
    from pytest_infer.engines.torch.graphed import Graphed

    def call(_x: Any) -> None:
        if "in a capture" in torch_log:
            raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.raises(EngineBuildError, match=r"net: a CUDA graph was asked for.*not permitted when stream is cap"):
        Graphed(call, named(torch_log)[:1], {}, "net")


# --- JAX -------------------------------------------------------------------------------------------------------------


def test_jax_is_timed_by_its_own_waiting() -> None:
    """A mark is the host's time when all is ready: copies in are before the first, the work between both."""
    gpu = Gpu()

    def put(one: Any) -> Any:
        gpu.enqueue(500 * US, host_ns=2 * US)
        return one

    def call(x: int) -> int:
        gpu.enqueue(x * US, host_ns=10 * US)
        return x

    run = JaxLaunch(
        call,
        [((900,), {}), ((700,), {})],
        put=put,
        wait=lambda _pending: gpu.wait(),
        copied_out=lambda _out: gpu.wait(),
    )
    run.stream._clock = gpu.clock
    timer = DeviceTimer(run)
    timer.block(run, gpu.clock, 1)
    timer.block(run, gpu.clock, 3)
    times = timer.times()
    assert set(times.device_ns) == {910 * US, 710 * US}
    assert set(times.enqueue_ns) == {10 * US}
    assert times.timed_by.startswith("JAX's own waiting")


def test_jax_s_real_functions_fit() -> None:
    """On the CPU: what is put, called, waited for and copied out is what comes out."""
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    device = jax.devices("cpu")[0]
    run = JaxLaunch(
        jax.jit(lambda x: x * 2),
        [((np.ones(3, np.float32),), {})],
        put=lambda one: jax.device_put(one, device),
        wait=jax.block_until_ready,
        copied_out=np.asarray,
    )
    assert isinstance(run, Launch)
    assert np.array_equal(run(), [2, 2, 2])  # type: ignore[arg-type] # an array
    timer = DeviceTimer(run)
    assert len(timer.block(run, iter(range(10**6)).__next__, 3)) == 3
    assert len(timer.times().device_ns) >= 1


# --- any callable ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["CuPy 13", "CuPy 14"])
def cupy_log(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A CuPy that writes down what it is asked; PyTorch is not there."""
    log: list[str] = []
    cuda = SimpleNamespace(ExternalStream=lambda handle: within(log, f"stream {handle}"), Stream=SimpleNamespace())
    if request.param == "CuPy 14":
        cuda.ExternalStream = None  # it warns
        cuda.Stream.from_external = lambda one: within(log, f"stream {one.__cuda_stream__()[1]}")
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=cuda))
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    return log


def test_a_callable_runs_on_our_stream(cupy_log: list[str]) -> None:
    """CuPy's current stream is ours meanwhile; a call is over when the GPU is done with everything."""
    gpu = Gpu()
    run = CallableLaunch(lambda: cupy_log.append("call"), gpu)  # type: ignore[arg-type] # no memory is asked of it
    with run.active():
        run()
    assert cupy_log == ["in stream 7", "call", "out of stream 7"]
    assert gpu.log == ["wait", "wait"]


def test_pytorch_s_current_stream_is_ours_too(torch_log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where it is awake."""
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    assert computes_here()
    run = CallableLaunch(lambda: torch_log.append("call"), Gpu())  # type: ignore[arg-type]
    with run.active():
        run()
    assert torch_log == ["in stream 7", "call", "out of stream 7"]
    sys.modules["torch"].cuda.is_initialized = lambda: False
    assert not computes_here()


@pytest.mark.parametrize("elsewhere_us", [[0] * 4, [10] * 4, [3_000] * 3 + [10], [3_000] * 4])
def test_work_elsewhere_is_found(cupy_log: list[str], elsewhere_us: list[int]) -> None:
    """A callable with streams of its own would have another one's device time: an error instead, if it is so always."""
    assert cupy_log == []
    pauses = iter(elsewhere_us)
    gpu = Gpu()
    run = CallableLaunch(lambda: gpu.enqueue(MS, host_ns=5 * US), gpu)  # type: ignore[arg-type]
    whole = run.finish

    def finish() -> object:
        gpu.now_ns += next(pauses) * US
        return whole()

    run.finish = finish  # type: ignore[method-assign]
    if min(elsewhere_us) < 1_000:
        run.check(gpu.clock)
    else:
        with pytest.raises(MeasurementError, match="computes on streams of its own"):
            run.check(gpu.clock)
