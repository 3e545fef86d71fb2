"""GPUs among processes: one alone in each, so that CUDA's GPU 0 is the one that is measured on, whoever asks for it.

- A process that measures on one GPU hides the others from CUDA before anything wakes it.
- With several and without xdist, tests run once on each, in processes of their own; the suite's stays away from CUDA.
- With xdist each worker takes one of them by its number: tests keep their ids, and run on whichever GPU is free.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pluggy

from pytest_infer.device.cuda import see_only, share_memory
from pytest_infer.device.gpu import open_gpus

if TYPE_CHECKING:
    import pytest

    from pytest_infer.config import Settings
    from pytest_infer.device.fingerprint import Device

PARAMETER: Final = "_infer_gpu"
_FIXTURES: Final = frozenset({"infer", "infer_engine"})
_ID: Final = re.compile(r"\[gpu\d+(-|\])")
_CHOSEN: Final = "infer_gpu"
"""What an xdist worker is told: the UUID of its GPU."""

hookimpl = pluggy.HookimplMarker("pytest")


class SeveralGpus:
    """Multiplies each infer test by the GPUs."""

    def __init__(self, count: int) -> None:
        """Run on GPUs 0 to `count` - 1, in the order in which they were asked for."""
        self._count = count

    @hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Parametrize before anybody else does: `gpu0` begins the id."""
        marked = metafunc.definition.get_closest_marker("infer") is not None
        if marked or not _FIXTURES.isdisjoint(metafunc.fixturenames):
            numbers = range(self._count)
            metafunc.fixturenames.append(PARAMETER)
            metafunc.parametrize(PARAMETER, numbers, ids=[f"gpu{i}" for i in numbers])


def without_gpu(nodeid: str) -> str:
    """A node id without the part that says on which of several GPUs it ran: baselines and workers know it so."""
    return _ID.sub(lambda found: "[" if found[1] == "-" else "", nodeid, count=1)


def number_of(item: pytest.Item) -> int:
    """Which of several GPUs a test runs on."""
    parameters = getattr(item, "callspec", None)
    return 0 if parameters is None else int(parameters.params.get(PARAMETER, 0))


def choose_gpus(config: pytest.Config, settings: Settings, *, in_worker: bool) -> tuple[Device, ...]:
    """The GPUs of `--infer-gpu` in this process; where it is one, CUDA sees no other from now on.

    Raises:
        DeviceError: no driver, no such GPU, one that may not be used, or a clock that it has not.
    """
    told: dict[str, Any] = getattr(config, "workerinput", {})
    devices = open_gpus(told.get(_CHOSEN, settings.gpu), first=not in_worker and not told)
    if settings.lock_clocks:
        from pytest_infer.device.clocks import check_clock

        for device in devices:
            check_clock(settings.lock_clocks, device.uuid)
    if len(devices) == 1:
        config.add_cleanup(see_only(devices[0].uuid))
        config.add_cleanup(share_memory())
    elif multiplies(config, devices):
        config.pluginmanager.register(SeveralGpus(len(devices)), "infer-several-gpus")
    return devices


def multiplies(config: pytest.Config, devices: tuple[Device, ...]) -> bool:
    """Whether tests run once on each of the devices: several, and no xdist that shares them out."""
    return len(devices) > 1 and getattr(config.option, "dist", "no") == "no"


def share_out(worker_input: dict[str, Any], devices: tuple[Device, ...]) -> None:
    """Give an xdist worker its GPU, by its number."""
    if devices:
        number = re.search(r"\d+", str(worker_input.get("workerid", "")))
        worker_input[_CHOSEN] = devices[int(number[0] if number else 0) % len(devices)].uuid
