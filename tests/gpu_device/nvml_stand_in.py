"""A stand-in for the module `pynvml`: machines made of plain values, and scripts of what their GPUs do look by look.

Constants and error classes are the real module's. A function that is not here is one that nobody may call.
"""

# ruff: noqa: N802 - the functions have NVML's names
from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import sys
import types
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

VARIABLE = "NVML_STAND_IN"
"""Where another process finds its machine, as JSON."""


@dataclass(frozen=True, kw_only=True)
class State:
    """What a GPU does during one look. `processes` are ids and bytes; `reasons` the ends of NVML's names."""

    sm_mhz: int = 1980
    reasons: tuple[str, ...] = ()
    temperature_c: int = 50
    power_mw: int = 300_000
    processes: tuple[tuple[int, int], ...] = ()
    lost: bool = False


@dataclass(frozen=True, kw_only=True)
class Board:
    """One GPU. `refuses` are functions that answer Not Supported, `forbids` those that take a right."""

    uuid: str = "GPU-aaaaaaaa-0000-4000-8000-000000000000"
    name: str = "NVIDIA H200"
    total_mib: int = 143_771
    capability: tuple[int, int] = (9, 0)
    limit_mw: int = 700_000
    default_limit_mw: int = 700_000
    compute_mode: str = "DEFAULT"
    ecc: bool = True
    instances: tuple[tuple[str, str, int], ...] | None = None
    script: tuple[State, ...] = (State(),)
    refuses: tuple[str, ...] = ()
    forbids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Its GPUs in nvidia-smi's order; without a driver nothing answers. What is set is written to `log`."""

    boards: tuple[Board, ...] = (Board(),)
    driver: bool = True
    log: str = ""

    def text(self) -> str:
        """The machine as JSON."""
        return json.dumps(asdict(self))


def machine_of(text: str) -> Machine:
    """The machine of a JSON text."""
    content = json.loads(text)
    boards = []
    for board in content["boards"]:
        states = [
            State(**{**s, "reasons": tuple(s["reasons"]), "processes": tuple(map(tuple, s["processes"]))})
            for s in board["script"]
        ]
        instances = board["instances"]
        tuples = {name: tuple(board[name]) for name in ("capability", "refuses", "forbids")}
        boards.append(
            Board(
                **{
                    **board,
                    **tuples,
                    "script": tuple(states),
                    "instances": None if instances is None else tuple(map(tuple, instances)),
                }
            )
        )
    return Machine(boards=tuple(boards), driver=content["driver"], log=content["log"])


@dataclass
class _Handle:
    """A GPU, or an instance of it, as NVML would hand it out."""

    board: Board
    position: int = 0
    energy_mj: int = 0
    instance: tuple[str, str, int] | None = None
    whole: _Handle | None = None

    @property
    def state(self) -> State:
        whole = self.whole or self
        return whole.board.script[min(whole.position, len(whole.board.script) - 1)]


@dataclass(eq=False)
class StandIn(types.ModuleType):
    """The module. Each look at a GPU (it begins with the utilisation) goes on in its script; the last state stays."""

    machine: Machine
    real: Any = field(default_factory=lambda: _real())  # noqa: PLW0108 - defined below

    def __post_init__(self) -> None:
        """Make the handles."""
        super().__init__("pynvml")
        self.handles = [_Handle(board) for board in self.machine.boards]
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        """Constants and errors are the real ones; of the functions only those below exist."""
        if name.startswith("__"):
            raise AttributeError(name)
        if not name.startswith("nvml") or name.startswith("nvmlClocks"):
            return getattr(self.real, name)
        call = getattr(type(self), f"_{name}", None)
        if call is None:
            raise AssertionError(f"{name} is not to be called")

        def answer(*args: Any) -> Any:
            self.calls.append(name)
            handle = args[0] if args and isinstance(args[0], _Handle) else None
            if handle is not None:
                self._check(name, handle)
            return call(self, *args)

        return answer

    def _check(self, name: str, handle: _Handle) -> None:
        whole = handle.whole or handle
        if name == "nvmlDeviceGetUtilizationRates":
            whole.position += 1
        if handle.state.lost:
            raise self.real.NVMLError_GpuIsLost
        if name in handle.board.refuses:
            raise self.real.NVMLError_NotSupported
        if name in handle.board.forbids:
            raise self.real.NVMLError_NoPermission

    def _note(self, *words: object) -> None:
        if self.machine.log:
            with Path(self.machine.log).open("a") as file:
                file.write(" ".join(map(str, words)) + "\n")

    # --- the system --------------------------------------------------------------------------------------------------

    def _nvmlInit(self) -> None:
        if not self.machine.driver:
            raise self.real.NVMLError_LibraryNotFound

    def _nvmlDeviceGetCount(self) -> int:
        return len(self.handles)

    def _nvmlSystemGetDriverVersion(self) -> str:
        return "580.159.04"

    def _nvmlSystemGetCudaDriverVersion(self) -> int:
        return 13_010

    # --- who it is ---------------------------------------------------------------------------------------------------

    def _nvmlDeviceGetHandleByIndex(self, index: int) -> _Handle:
        handle = self.handles[index]
        self._check("nvmlDeviceGetHandleByIndex", handle)
        return handle

    def _nvmlDeviceGetUUID(self, handle: _Handle) -> str:
        return handle.instance[0] if handle.instance else handle.board.uuid

    def _nvmlDeviceGetName(self, handle: _Handle) -> str:
        profile = handle.instance[1] if handle.instance else ""
        return f"{handle.board.name} MIG {profile}" if profile else handle.board.name

    def _nvmlDeviceGetMigMode(self, handle: _Handle) -> list[int]:
        return [int(handle.board.instances is not None)] * 2

    def _nvmlDeviceGetMaxMigDeviceCount(self, _handle: _Handle) -> int:
        return 7

    def _nvmlDeviceGetMigDeviceHandleByIndex(self, handle: _Handle, index: int) -> _Handle:
        instances = handle.board.instances or ()
        if index >= len(instances):
            raise self.real.NVMLError_NotFound
        return _Handle(handle.board, instance=instances[index], whole=handle)

    def _nvmlDeviceGetAttributes_v2(self, handle: _Handle) -> Any:
        size = handle.instance[2] if handle.instance else handle.board.total_mib
        return types.SimpleNamespace(gpuInstanceSliceCount=1, memorySizeMB=size)

    def _nvmlDeviceGetMemoryInfo(self, handle: _Handle) -> Any:
        size = handle.instance[2] if handle.instance else handle.board.total_mib
        used = sum(held for _, held in handle.state.processes)
        return types.SimpleNamespace(total=size * 2**20, used=used, free=size * 2**20 - used)

    def _nvmlDeviceGetCudaComputeCapability(self, handle: _Handle) -> tuple[int, int]:
        return handle.board.capability

    def _nvmlDeviceGetVbiosVersion(self, _handle: _Handle) -> str:
        return "96.00.99.00.01"

    def _nvmlDeviceGetEccMode(self, handle: _Handle) -> list[int]:
        return [int(handle.board.ecc)] * 2

    def _nvmlDeviceGetPersistenceMode(self, _handle: _Handle) -> int:
        return 1

    def _nvmlDeviceGetComputeMode(self, handle: _Handle) -> int:
        return int(getattr(self.real, f"NVML_COMPUTEMODE_{handle.board.compute_mode}"))

    def _nvmlDeviceGetPowerManagementLimit(self, handle: _Handle) -> int:
        return handle.board.limit_mw

    def _nvmlDeviceGetPowerManagementDefaultLimit(self, handle: _Handle) -> int:
        return handle.board.default_limit_mw

    # --- what it does ------------------------------------------------------------------------------------------------

    def _nvmlDeviceGetUtilizationRates(self, _handle: _Handle) -> Any:
        return types.SimpleNamespace(gpu=97, memory=40)

    def _nvmlDeviceGetClockInfo(self, handle: _Handle, kind: int) -> int:
        return handle.state.sm_mhz if kind == self.real.NVML_CLOCK_SM else 3201

    def _nvmlDeviceGetCurrentClocksEventReasons(self, handle: _Handle) -> int:
        return sum(getattr(self.real, f"nvmlClocksEventReason{end}") for end in handle.state.reasons)

    def _nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: _Handle) -> int:
        return self._nvmlDeviceGetCurrentClocksEventReasons(handle)

    def _nvmlDeviceGetTemperature(self, handle: _Handle, _sensor: int) -> int:
        return handle.state.temperature_c

    def _nvmlDeviceGetPowerUsage(self, handle: _Handle) -> int:
        return handle.state.power_mw

    def _nvmlDeviceGetTotalEnergyConsumption(self, handle: _Handle) -> int:
        handle.energy_mj += 1_000
        return handle.energy_mj

    def _nvmlDeviceGetComputeRunningProcesses_v3(self, handle: _Handle) -> list[Any]:
        return [types.SimpleNamespace(pid=pid, usedGpuMemory=held) for pid, held in handle.state.processes]

    def _nvmlDeviceGetComputeRunningProcesses_v2(self, handle: _Handle) -> list[Any]:
        return self._nvmlDeviceGetComputeRunningProcesses_v3(handle)

    # --- its clocks --------------------------------------------------------------------------------------------------

    def _nvmlDeviceGetSupportedMemoryClocks(self, _handle: _Handle) -> list[int]:
        return [3201, 1600]

    def _nvmlDeviceGetSupportedGraphicsClocks(self, _handle: _Handle, memory_mhz: int) -> list[int]:
        assert memory_mhz == 3201
        return list(range(1980, 330, -15))

    def _nvmlDeviceGetMaxClockInfo(self, _handle: _Handle, _kind: int) -> int:
        return 1980

    def _nvmlDeviceSetGpuLockedClocks(self, handle: _Handle, low: int, high: int) -> None:
        if low > 0xFFFFFF00 and "TDP" in handle.board.refuses:
            raise self.real.NVMLError_InvalidArgument
        self._note("lock", handle.board.uuid, *("base" if mhz > 0xFFFFFF00 else mhz for mhz in (low, high)))

    def _nvmlDeviceResetGpuLockedClocks(self, handle: _Handle) -> None:
        self._note("reset", handle.board.uuid)


def from_environment() -> StandIn:
    """The module for a process whose environment holds a machine."""
    machine = machine_of(os.environ[VARIABLE])
    own = str(os.getpid())
    boards = tuple(
        replace(
            board,
            script=tuple(
                replace(state, processes=tuple((int(own) if pid == 0 else pid, held) for pid, held in state.processes))
                for state in board.script
            ),
        )
        for board in machine.boards
    )
    return StandIn(replace(machine, boards=boards))


def _real() -> Any:
    """The real module, whatever stands under its name."""
    if "real_pynvml" in sys.modules:
        return sys.modules["real_pynvml"]
    path = importlib.metadata.distribution("nvidia-ml-py").locate_file("pynvml.py")
    spec = importlib.util.spec_from_file_location("real_pynvml", str(path))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["real_pynvml"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
