"""The clock lock: which clock, refused where the right lacks, and given back however the process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import filelock
import pytest

from pytest_infer.device import clocks
from pytest_infer.device.clock_lock import ClockLock
from pytest_infer.device.fingerprint import Device
from pytest_infer.device.gpus import choose
from pytest_infer.errors import DeviceError
from tests.gpu_device.nvml_stand_in import Board

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.gpu_device.nvml_stand_in import StandIn

A = Board().uuid
GPU = Device(slug="gpu-x", kind="gpu", name="X", uuid=A)
FORBIDDEN = Board(forbids=("nvmlDeviceSetGpuLockedClocks",))

HOLD = """
import sys
from pytest_infer.device.clock_lock import ClockLock
from pytest_infer.device.fingerprint import Device

clocks = ClockLock(Device(slug="gpu-x", kind="gpu", name="X", uuid=sys.argv[1]), "1500")
with clocks.held():
    print(clocks._guard.pid, flush=True)
    sys.stdin.read()
"""
"""A process that holds a clock until its input ends, and says who guards it."""


# --- which clock -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "refuses", "told", "noted"),
    [
        ("1500", (), "locked at 1500 MHz", "1500 1500"),
        ("auto", (), "locked at the base clock", "base base"),
        ("auto", ("TDP",), "locked at 1575 MHz", "1575 1575"),
        ("auto", ("TDP", "nvmlDeviceGetSupportedMemoryClocks"), "locked at 1584 MHz", "1584 1584"),
    ],
)
def test_the_clock_that_is_locked(
    install: Callable[..., StandIn], tmp_path: Path, wanted: str, refuses: tuple[str, ...], told: str, noted: str
) -> None:
    """`auto` is the board's base clock by NVML's name for it, else the highest one within 80 % of the maximum."""
    log = tmp_path / "log"
    install(Board(refuses=refuses), log=str(log))
    (gpu,) = choose("0", {})
    assert clocks.lock(wanted, gpu) == told
    clocks.unlock(gpu)
    assert log.read_text().splitlines() == [f"lock {A} {noted}", f"reset {A}"]


def test_a_clock_that_it_has(install: Callable[..., StandIn]) -> None:
    """Supported ones, `auto`, and any where the board does not tell which it has."""
    install()
    clocks.check_clock("1500", A)
    clocks.check_clock("auto", A)
    install(Board(refuses=("nvmlDeviceGetSupportedMemoryClocks",)))
    clocks.check_clock("1234", A)


def test_a_clock_that_it_has_not(install: Callable[..., StandIn]) -> None:
    """The driver would take the next one in silence: an error that names the nearest."""
    install()
    with pytest.raises(
        DeviceError, match=r"--infer-lock-clocks=1234: .* no such clock; the nearest are 1230 and 1245 MHz"
    ):
        clocks.check_clock("1234", A)


def test_an_instance_s_clock_is_its_neighbours_too(install: Callable[..., StandIn]) -> None:
    """Locking it would slow others down: refused before anything runs."""
    name = "MIG-11111111-0000-4000-8000-000000000000"
    install(Board(instances=((name, "1g.18gb", 16_384),)))
    with pytest.raises(DeviceError, match="MIG instance, whose clocks are the whole GPU's"):
        clocks.check_clock("auto", name)


# --- holding it ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("elsewhere")
def test_held_and_given_back(share: Callable[..., Path]) -> None:
    """Locked for as long as the body runs, each time, by one guard; nothing of it is left."""
    log = share()
    lock = ClockLock(GPU, "auto")
    for _ in range(2):
        with lock.held():
            assert log.read_text().splitlines()[-1] == f"lock {A} base base"
        assert log.read_text().splitlines()[-1] == f"reset {A}"
    assert lock.state == "locked at the base clock"
    lock.close()
    assert len(log.read_text().splitlines()) == 4


@pytest.mark.usefixtures("elsewhere")
def test_a_failing_body(share: Callable[..., Path]) -> None:
    """Its error comes through, and the clock is free."""
    log = share()
    lock = ClockLock(GPU, "1500")
    with pytest.raises(ZeroDivisionError), lock.held():
        raise ZeroDivisionError
    lock.close()
    assert log.read_text().splitlines() == [f"lock {A} 1500 1500", f"reset {A}"]


@pytest.mark.usefixtures("elsewhere")
def test_without_the_right(share: Callable[..., Path]) -> None:
    """The body runs all the same, the state says why; the driver is not asked again, and nothing is reset."""
    log = share(FORBIDDEN)
    lock = ClockLock(GPU, "1500")
    for _ in range(2):
        with lock.held():
            assert lock.state == "not locked (Insufficient Permissions)"
    lock.close()
    assert log.read_text() == ""


@pytest.mark.usefixtures("elsewhere")
def test_a_gpu_that_is_gone(share: Callable[..., Path]) -> None:
    """The guard can't begin: an error with its reason."""
    share(Board(uuid="GPU-bbbbbbbb-0000-4000-8000-000000000000"))
    lock = ClockLock(GPU, "1500")
    with (
        pytest.raises(DeviceError, match=f"the process that holds the clocks of {A} ended .*there is no GPU"),
        lock.held(),
    ):
        pytest.fail("nothing is held")
    lock.close()


# --- the end of whoever holds it -------------------------------------------------------------------------------------


def freed(elsewhere: Path, log: Path) -> bool:
    """Wait for the guard's turn to be over; whether the clock was given back."""
    with filelock.FileLock(elsewhere / f"pytest-infer-locks/{A}.clocks.lock", timeout=60):
        return log.read_text().splitlines() == [f"lock {A} 1500 1500", f"reset {A}"]


@pytest.fixture
def holder(share: Callable[..., Path], elsewhere: Path) -> tuple[subprocess.Popen[str], int, Path]:
    """A process that holds the clock, its guard's id, and the log."""
    log = share()
    assert elsewhere.exists()
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, A],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline()), log


@pytest.mark.skipif("sys.platform == 'win32'", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_holder_ends(
    holder: tuple[subprocess.Popen[str], int, Path], elsewhere: Path, number: signal.Signals
) -> None:
    """Killed, ended, interrupted or hung up on: the guard gives the clock back."""
    process, _, log = holder
    process.send_signal(number)
    process.communicate()
    assert freed(elsewhere, log)


@pytest.mark.skipif("sys.platform == 'win32'", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_whole_group_ends(
    holder: tuple[subprocess.Popen[str], int, Path], elsewhere: Path, number: signal.Signals
) -> None:
    """A Ctrl-C in a terminal, or who clears up a job, ends all processes of the group: the guard is none of them."""
    process, _, log = holder
    os.killpg(process.pid, number)
    process.communicate()
    assert freed(elsewhere, log)


@pytest.mark.skipif("sys.platform == 'win32'", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_guard_ends(
    holder: tuple[subprocess.Popen[str], int, Path], elsewhere: Path, number: signal.Signals
) -> None:
    """Asked to end it gives the clock back; killed, its parent does, and says what happened."""
    process, guard, log = holder
    os.kill(guard, number)
    if number is signal.SIGTERM:
        assert freed(elsewhere, log)
    process.communicate()
    assert process.returncode == 1
    assert log.read_text().splitlines()[:2] == [f"lock {A} 1500 1500", f"reset {A}"]


@pytest.mark.skipif("not hasattr(os, 'fork')", reason="no fork on this platform")
def test_a_forked_child_does_not_keep_it(share: Callable[..., Path], elsewhere: Path) -> None:
    """A child of the holder may hold the guard's line open: that the parent is gone is noticed all the same."""
    log = share()
    source = HOLD.replace(
        "    sys.stdin.read()",
        "    import os, signal\n"
        "    if os.fork() == 0:\n"
        "        sys.stdin.read()\n"
        "        os._exit(0)\n"
        "    signal.pause()",
    )
    process = subprocess.Popen(
        [sys.executable, "-c", source, A],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    process.kill()
    process.wait()
    assert freed(elsewhere, log)
    process.communicate()
