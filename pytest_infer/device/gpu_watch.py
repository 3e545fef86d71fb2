"""Looks at a GPU again and again while something is measured on it."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final, Self

from pytest_infer.device.gpu_state import REASONS, GpuSample, disturbance, summarise
from pytest_infer.device.nvml import ask, compute_processes, open_nvml
from pytest_infer.device.processes import count_kin, ids_are_the_machine_s, kin, process_name, strangers
from pytest_infer.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from pytest_infer.device.gpu_state import GpuSummary
    from pytest_infer.device.gpus import Gpu

INTERVAL_S: Final = 0.02
"""Time between two looks (DESIGN 4.7: 10 to 100 ms)."""


def clock_reasons(gpu: Gpu) -> frozenset[str]:
    """Why the clocks are what they are now, by the names of `gpu_state.REASONS`.

    Raises:
        DeviceError: the GPU is lost.
    """
    nvml = open_nvml()
    mask = ask(nvml.nvmlDeviceGetCurrentClocksEventReasons, gpu.board)
    if mask is None:  # its name until driver 535
        mask = ask(nvml.nvmlDeviceGetCurrentClocksThrottleReasons, gpu.board) or 0
    return frozenset(name for name, end in REASONS.items() if mask & getattr(nvml, f"nvmlClocksEventReason{end}"))


class GpuReader:
    """Reads one GPU's state. NVML's calls let other threads run while they wait for the driver."""

    def __init__(self, gpu: Gpu, root: int) -> None:
        """Read `gpu`; processes that descend from `root` are this run's own."""
        self._gpu = gpu
        self._nvml = open_nvml()
        self._is_kin = kin(root)
        self._family = count_kin(root)
        self._same_ids = ids_are_the_machine_s()
        self._before: frozenset[int] | None = None

    def __call__(self, at_ns: int) -> GpuSample:
        """Read now.

        Raises:
            DeviceError: the GPU is lost.
        """
        nvml, board = self._nvml, self._gpu.board
        utilisation = ask(nvml.nvmlDeviceGetUtilizationRates, board)
        power = ask(nvml.nvmlDeviceGetPowerUsage, board)
        memory = ask(nvml.nvmlDeviceGetMemoryInfo, self._gpu.handle)
        sizes = compute_processes(self._gpu.handle) or {}
        listed = frozenset(sizes)
        if self._before is None:
            self._before = listed
        return GpuSample(
            at_ns=at_ns,
            sm_mhz=ask(nvml.nvmlDeviceGetClockInfo, board, nvml.NVML_CLOCK_SM),
            memory_mhz=ask(nvml.nvmlDeviceGetClockInfo, board, nvml.NVML_CLOCK_MEM),
            reasons=clock_reasons(self._gpu),
            temperature_c=ask(nvml.nvmlDeviceGetTemperature, board, nvml.NVML_TEMPERATURE_GPU),
            power_w=None if power is None else power / 1000,
            utilisation=None if utilisation is None else utilisation.gpu,
            memory_used_mb=None if memory is None else memory.used / 1e6,
            process_memory_mb=sizes[os.getpid()] / 1e6 if sizes.get(os.getpid()) else None,
            processes=listed,
            strangers=strangers(
                listed, self._before, is_kin=self._is_kin, same_ids=self._same_ids, family=self._family
            ),
        )


class GpuWatch:
    """Samples in a thread while its `with` body runs, and at both ends.

    A thread, since a process would cost a start a measurement; every look costs the one that measures some
    microseconds in which Python runs here, on both sides of a comparison alike.
    """

    def __init__(
        self,
        read: Callable[[int], GpuSample],
        clock: Callable[[], int],
        *,
        wait: Callable[[threading.Event], bool] = lambda stop: stop.wait(INTERVAL_S),
    ) -> None:
        """Sample with `read` at the times of `clock` (ns); `wait` passes the time between, true when it is over."""
        self._read = read
        self._clock = clock
        self._wait = wait
        self._stop = threading.Event()
        self._samples: list[GpuSample] = []
        self._lost: DeviceError | None = None
        self._thread = threading.Thread(target=self._run, name="pytest-infer-gpu", daemon=True)

    def __enter__(self) -> Self:
        """Look, and go on looking."""
        self._samples.append(self._read(self._clock()))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop, and look a last time.

        Raises:
            DeviceError: the GPU was lost meanwhile: whatever else went wrong, that is why.
        """
        self._stop.set()
        self._thread.join()
        self._look()
        if self._lost is not None and (error is None or isinstance(error, Exception)):
            raise self._lost from error

    def summary(self, last_ns: int) -> GpuSummary:
        """What was seen in the last `last_ns` of the body: what lies before is warm-up."""
        return summarise(self._samples, self._timed(last_ns))

    def disturbance(self, last_ns: int) -> tuple[str, ...]:
        """Why what was timed in the last `last_ns` is not to be believed."""
        return disturbance(self._timed(last_ns), process_name)

    def _timed(self, last_ns: int) -> Sequence[GpuSample]:
        begin = self._samples[-1].at_ns - last_ns
        return [sample for sample in self._samples if sample.at_ns >= begin]

    def _run(self) -> None:
        while not self._wait(self._stop) and self._lost is None:
            self._look()

    def _look(self) -> None:
        if self._lost is not None:
            return
        try:
            self._samples.append(self._read(self._clock()))
        except DeviceError as error:
            self._lost = error
