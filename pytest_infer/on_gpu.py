"""What a measurement on a GPU needs beside the loop: a way to time the device, its memory, words when that runs out."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.deferred import refuse_deferred
from pytest_infer.device.cuda import waiter
from pytest_infer.device.cuda_choice import try_cuda
from pytest_infer.device.launch import Launch, Surrounded
from pytest_infer.device.memory import CONTEXT, MEMORY_BY
from pytest_infer.device.out_of_memory import give_back, shortage, told
from pytest_infer.engines.on_stream import CallableLaunch, computes_here
from pytest_infer.engines.open import COLD
from pytest_infer.engines.target import CallableTarget
from pytest_infer.errors import DeviceError, MeasurementError, UsageError
from pytest_infer.measure.device_timer import DeviceTimer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from contextlib import AbstractContextManager

    from pytest_infer.device.fingerprint import Device
    from pytest_infer.device.place import GpuInstruments
    from pytest_infer.engines.target import Target

    State = dict[str, str | int | float]

NO_GPU_STREAM: Final = "nothing in it is CuPy's or PyTorch's, which could be handed a stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How one target is called and timed on a GPU.

    Attributes:
        run: calls it once, and waits.
        launch: its parts, where the device's time can be taken; else None.
        flush: enqueues a flush of the L2 cache before each timed call; None leaves it warm.
    """

    run: Callable[[], object]
    launch: Launch | None = None
    flush: Callable[[], object] | None = None

    def timer(self) -> DeviceTimer | None:
        """One for a measurement; None where the host's clock is all there is."""
        return None if self.launch is None else DeviceTimer(self.launch, flush=self.flush)

    def active(self) -> AbstractContextManager[Any]:
        """Calls belong into its body."""
        return active(self.run)


def active(run: Callable[[], object]) -> AbstractContextManager[Any]:
    """What has to be around the calls of `run`, where it says so: its library's settings, the stream it is timed on."""
    return run.active() if isinstance(run, Launch | Surrounded) else contextlib.nullcontext()


def timing(target: Target, inputs: Any, device: Device, wanted: Collection[str]) -> Timing:
    """How `target` is timed on `device`; on the CPU, and where nothing else is possible, by the host alone.

    Raises:
        UsageError: `wanted` has the device's time, or the target a cold cache, and that is not possible.
        MeasurementError: so, since a callable computes elsewhere than on the stream that it is handed.
    """
    run = target.runnable(inputs)
    if device.kind != "gpu":
        return Timing(run=run)
    if isinstance(target, CallableTarget):
        refuse_deferred(run())  # what it uses of CUDA is awake from here on
    launch, reason = _launch(run, target, device)
    if launch is None and isinstance(target, CallableTarget):
        run = _waited_for(run)
    if isinstance(launch, CallableLaunch):
        run = launch  # also where it is timed by the host alone: a call is over when the GPU is done
        try:
            launch.check()
        except MeasurementError as error:
            if "device" in wanted:
                raise
            launch, reason = None, str(error)
    cold = bool(target.workload.options.get(COLD))
    if launch is None and "device" in wanted:
        raise UsageError(f"the metric 'device' can't be measured here ({device.name}): {reason}")
    flush = getattr(None if launch is None else launch.stream, "flush", None)
    if cold and flush is None:
        why = reason or "what it computes on takes no other work"
        raise UsageError(f"options={{{COLD!r}: True}}: the L2 cache can't be flushed here ({device.name}): {why}")
    return Timing(run=run, launch=launch, flush=flush() if cold and flush is not None else None)


def _launch(run: Callable[[], object], target: Target, device: Device) -> tuple[Launch | None, str]:
    if isinstance(run, Launch):
        return run, ""
    if isinstance(target, CallableTarget):
        if not computes_here():
            return None, NO_GPU_STREAM
        cuda, reason = try_cuda(device)
        return (None, reason) if cuda is None else (CallableLaunch(run, cuda), "")
    if target.in_flight > 1:
        return None, f"{target.in_flight} inferences are in flight together; ask for throughput"
    return None, target.untimed or f"backend {target.workload.backend!r} takes no stream of ours"


def _waited_for(run: Callable[[], object]) -> Callable[[], object]:
    """`run` with a wait for the GPU behind it, where this process uses CUDA at all: JAX and others only enqueue."""
    if (wait := waiter()) is None:
        return run

    def call() -> object:
        found = run()
        if (jax := sys.modules.get("jax")) is not None:
            with contextlib.suppress(ValueError, TypeError):  # nothing of JAX's, and no tree that it can walk
                jax.block_until_ready(found)  # some of its clients enqueue from a thread of their own
        wait()
        return found

    return call


def memory_state(gpu: GpuInstruments, target: Target, state: State) -> tuple[dict[str, float], State]:
    """The metric `device_memory`, and what is told beside it; a backend's own figure of its engine wins."""
    beside: State = {}
    if gpu.memory.context_mb is not None:
        beside[CONTEXT] = round(gpu.memory.context_mb, 3)
    if "device_memory" in target.costs:
        return {}, beside | {MEMORY_BY: f"the engine, by {target.workload.backend}"}
    use = gpu.memory.use(target.workload.backend, state)
    if use is None:
        return {}, beside | {MEMORY_BY: "nobody: the driver tells nothing of it"}
    return {"device_memory": use.peak_mb}, beside | {MEMORY_BY: use.told_by}


@contextlib.contextmanager
def telling_shortage(
    device: Device, instruments: Callable[[], GpuInstruments | None], where: str, batch: int | None
) -> Iterator[None]:
    """Make of a GPU that has no memory left in the body an error that says so, and get the memory back.

    Raises:
        MeasurementError: that one.
    """
    if device.kind != "gpu":
        yield
        return
    try:
        yield
    except Exception as error:
        if (short := shortage(error)) is None:
            raise
        free = None
        with contextlib.suppress(DeviceError):
            gpu = instruments()
            free = None if gpu is None else gpu.memory.free_and_total_mb()
        give_back(error)
        raise MeasurementError(told(short, batch=batch, free=free, where=where)) from None
