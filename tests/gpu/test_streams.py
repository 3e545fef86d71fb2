"""Our CUDA on a real GPU: streams, events, copies, flushes and graphs do what the stand-ins claim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_infer.device.cuda import driver_memory, wake
from pytest_infer.device.cuda_streams import CaptureError
from pytest_infer.engines.on_stream import CallableLaunch
from pytest_infer.errors import MeasurementError

if TYPE_CHECKING:
    from pytest_infer.device.cuda_streams import Cuda


def test_copies_go_there_and_back(cuda: Cuda) -> None:
    """Through pinned memory, in the order in which they were enqueued."""
    stream, memory, there, back = cuda.stream(), cuda.allocate(4096), cuda.pin(4096), cuda.pin(4096)
    copy_in, copy_out = stream.copy_in(memory, there, 4000), stream.copy_out(back, memory, 4000)
    back.content[:] = 0
    for value in (3, 5):
        there.content[:] = value
        copy_in()
        copy_out()
        stream.synchronize()
        assert set(back.content[:4000].tolist()) == {value}
        assert not back.content[4000:].any()


def test_events_tell_the_time_between(cuda: Cuda) -> None:
    """Of work on the stream; the same events again and again; nothing between two is next to no time."""
    stream = cuda.stream()
    first, last, flush = stream.event(), stream.event(), stream.flush()
    flush()
    for work, low_ms, high_ms in ((flush, 0.002, 50.0), (lambda: None, 0.0, 0.1), (flush, 0.002, 50.0)):
        stream.record(first)
        work()
        stream.record(last)
        stream.synchronize()
        assert low_ms <= last.ms_since(first) < high_ms


def test_a_graph_is_replayed(cuda: Cuda) -> None:
    """What was captured runs at each launch, and not when it is captured."""
    stream, memory, there, back = cuda.stream(), cuda.allocate(64), cuda.pin(64), cuda.pin(64)
    there.content[:], back.content[:] = 7, 0
    copies = [stream.copy_in(memory, there, 64), stream.copy_out(back, memory, 64)]
    try:
        graph = stream.capture(lambda: [copy() for copy in copies])
    except CaptureError as error:
        pytest.skip(f"{cuda.name}: {error}")
    stream.synchronize()
    assert not back.content.any()
    for value in (7, 8):
        there.content[:] = value
        graph.launch()
        stream.synchronize()
        assert set(back.content.tolist()) == {value}


def test_the_context_is_there(cuda: Cuda) -> None:
    """Whoever comes second does not make it, and the driver tells its memory."""
    cuda.synchronize()
    assert not wake()
    found = driver_memory()
    assert found is not None
    assert 0 < found[0] <= found[1]


def test_cupy_computes_on_our_stream(cuda: Cuda, cupy: Any) -> None:
    """What it enqueues can be waited for there, and nowhere else is anything left."""
    a = cupy.ones((2048, 2048), cupy.float32)
    launch = CallableLaunch(lambda: a @ a, cuda)
    launch.check()
    with launch.active():
        assert cupy.cuda.get_current_stream().ptr == launch.stream.handle
        assert np.allclose(cupy.asnumpy(a @ a)[0, 0], 2048)


def test_work_on_another_stream_is_found(cuda: Cuda, cupy: Any) -> None:
    """A callable with a stream of its own has no device time of ours."""
    other = cupy.cuda.Stream(non_blocking=True)
    a = cupy.ones((8192, 8192), cupy.float32)

    def call() -> None:
        with other:
            a @ a

    with pytest.raises(MeasurementError, match="streams of its own"):
        CallableLaunch(call, cuda).check()


def test_torch_computes_on_our_stream(cuda: Cuda, torch: Any) -> None:
    """The same for PyTorch."""
    a = torch.ones((2048, 2048), device="cuda")
    launch = CallableLaunch(lambda: a @ a, cuda)
    launch.check()
    with launch.active():
        assert torch.cuda.current_stream().cuda_stream == launch.stream.handle
        assert float((a @ a)[0, 0]) == 2048
