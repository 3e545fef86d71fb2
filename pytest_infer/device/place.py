"""A device as one session measures on it: held alone, its clocks locked where that was asked, its state watched."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from pytest_infer.device.clock_lock import CLOCKS, UNLOCKED, ClockLock
from pytest_infer.device.cuda import check_first
from pytest_infer.device.energy import EnergyWindow, energy_window, idle_power_w
from pytest_infer.device.gpu_watch import GpuReader, GpuWatch
from pytest_infer.device.gpus import find
from pytest_infer.device.lock import device_lock
from pytest_infer.device.memory import MemoryMeter
from pytest_infer.device.nvml import ask, open_nvml
from pytest_infer.device.processes import kin, run_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_infer.device.fingerprint import Device


class Place:
    """One device, and how measurements have it to themselves."""

    def __init__(self, device: Device, *, lock_clocks: str | None = None, in_worker: bool = False) -> None:
        """Measure on `device`; in a worker process its parent holds the device and the clocks for it."""
        self.device = device
        self._in_worker = in_worker
        self._instruments: GpuInstruments | None = None
        self._is_held = False
        self._clocks = ClockLock(device, lock_clocks) if lock_clocks and device.uuid and not in_worker else None

    @contextlib.contextmanager
    def held(self, waiting: Callable[[str], None]) -> Iterator[None]:
        """Have the device alone while the body runs; `waiting` is told who has it when that takes a while.

        What is measured under it may itself build or measure something: it is held once then.
        """
        if self._in_worker or self._is_held:
            yield
            return
        with device_lock(self.device.lock_name, waiting=waiting, ours=kin(run_root(0))), self._locked():
            self._is_held = True
            try:
                yield
            finally:
                self._is_held = False

    def instruments(self) -> GpuInstruments | None:
        """What looks at the device while something is measured in this process; None on the CPU.

        Raises:
            DeviceError: CUDA in this process would compute on another GPU, or this one is gone.
        """
        if self.device.uuid and self._instruments is None:
            self._instruments = GpuInstruments(self.device, in_worker=self._in_worker)
        return self._instruments

    def clocks(self, waiting: Callable[[str], None]) -> str:
        """Whether the clocks are locked while we measure, and why not; empty on the CPU. Tries once to know."""
        if not self.device.uuid:
            return ""
        if self._clocks is None:
            return UNLOCKED
        if self._clocks.state is None:
            with self.held(waiting):
                pass
        return self._clocks.state or UNLOCKED

    def facts(self, clocks: str) -> dict[str, str]:
        """What is recorded of the device with each session and told where it differs; `clocks` is what it was told."""
        words = clocks.partition(" (")[0]  # why they are not locked makes no difference to a comparison
        return {**self.device.facts, **({CLOCKS: words} if words else {})}

    def close(self) -> None:
        """Give back what is still held."""
        if self._clocks is not None:
            self._clocks.close()

    def _locked(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self._clocks is None else self._clocks.held()


class GpuInstruments:
    """What can be seen of a GPU while something is measured on it."""

    def __init__(self, device: Device, *, in_worker: bool, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        """Look at `device` by NVML, at times of `clock` (ns); a worker's run began one process above it.

        Raises:
            DeviceError: CUDA in this process would compute on another GPU, or this one is gone.
        """
        check_first(device.uuid)
        self._gpu = find(device.uuid)
        self.memory = MemoryMeter(self._gpu)
        self._clock = clock
        self._root = run_root(int(in_worker))

    def watch(self) -> GpuWatch:
        """A `with` block's state, sampled."""
        return GpuWatch(GpuReader(self._gpu, self._root), self._clock)

    def idle_power_w(self) -> float | None:
        """The power before any work, in W; None where the board doesn't tell."""
        read = open_nvml().nvmlDeviceGetPowerUsage

        def watts() -> float | None:
            milliwatts = ask(read, self._gpu.board)
            return None if milliwatts is None else milliwatts / 1000

        return idle_power_w(watts)

    def energy(self, run: Callable[[], object], *, max_ns: int) -> EnergyWindow:
        """What a second and more of back-to-back work takes.

        Raises:
            MeasurementError: no counter, or the window is too short.
        """
        read = open_nvml().nvmlDeviceGetTotalEnergyConsumption
        # The counter is the whole board's: an instance's neighbours would be in it.
        return energy_window(
            run, lambda: None if self._gpu.mig else ask(read, self._gpu.board), self._clock, max_ns=max_ns
        )
