"""One measurement at a time on a device."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, NoReturn

import pytest

from pytest_infer.device import lock
from pytest_infer.device.lock import device_lock, lock_folder

if TYPE_CHECKING:
    from pathlib import Path


class ToldError(Exception):
    """Ends the wait, so that no test waits."""


def refuse(text: str) -> NoReturn:
    """Give up instead of waiting."""
    raise ToldError(text)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PATIENCE_S", 0)


def test_a_held_device_is_waited_for_and_its_holder_told(tmp_path: Path) -> None:
    """The second of two learns who has it, and the device's name."""
    with (
        device_lock("cpu-x", folder=tmp_path, waiting=refuse),
        pytest.raises(ToldError, match=rf"device cpu-x, held by process {os.getpid()}"),
        device_lock("cpu-x", folder=tmp_path, waiting=refuse),
    ):
        pytest.fail("two hold one device")


def test_who_waited_gets_it(tmp_path: Path) -> None:
    """When the first is done the second goes on, without another word."""
    first = ExitStack()
    first.enter_context(device_lock("cpu-x", folder=tmp_path, waiting=refuse))
    told: list[str] = []

    def waiting(text: str) -> None:
        told.append(text)
        first.close()

    with device_lock("cpu-x", folder=tmp_path, waiting=waiting):
        assert len(told) == 1


def test_turns_within_one_run_are_no_news(tmp_path: Path) -> None:
    """Who holds it is told when it is a stranger, not while it is a process of the same run."""
    seen: list[int] = []

    def ours(pid: int) -> bool:
        seen.append(pid)
        if len(seen) > 1:
            (tmp_path / "cpu-x.holder").write_text("process 77")
        return pid == os.getpid()

    with (
        device_lock("cpu-x", folder=tmp_path, waiting=refuse),
        pytest.raises(ToldError, match="held by process 77"),
        device_lock("cpu-x", folder=tmp_path, waiting=refuse, ours=ours),
    ):
        pytest.fail("two hold one device")
    assert seen == [os.getpid(), os.getpid(), 77]


def test_different_devices_don_t_wait_for_each_other(tmp_path: Path) -> None:
    """One lock a device."""
    with device_lock("cpu-x", folder=tmp_path, waiting=refuse), device_lock("gpu-1", folder=tmp_path, waiting=refuse):
        pass


def test_a_failing_body_gives_the_device_back(tmp_path: Path) -> None:
    """Its error comes through, and the next one gets in at once; nobody is called the holder any more."""
    with pytest.raises(ZeroDivisionError), device_lock("cpu-x", folder=tmp_path, waiting=refuse):
        raise ZeroDivisionError
    assert not list(tmp_path.glob("*.holder"))
    with device_lock("cpu-x", folder=tmp_path, waiting=refuse):
        pass


def test_a_holder_that_did_not_sign_is_somebody(tmp_path: Path) -> None:
    """A message without a name is still a message."""
    with device_lock("cpu-x", folder=tmp_path, waiting=refuse):
        (tmp_path / "cpu-x.holder").unlink()
        with (
            pytest.raises(ToldError, match="held by another process"),
            device_lock("cpu-x", folder=tmp_path, waiting=refuse),
        ):
            pytest.fail("two hold one device")


def test_a_killed_process_leaves_no_lock_behind(tmp_path: Path) -> None:
    """The operating system gives back what a process held that never said goodbye."""
    code = (
        "import os, sys, pathlib\n"
        "from pytest_infer.device.lock import device_lock\n"
        "with device_lock('cpu-x', folder=pathlib.Path(sys.argv[1]), waiting=print):\n"
        "    os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    with device_lock("cpu-x", folder=tmp_path, waiting=refuse):
        pass


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="links are followed on this platform")
def test_the_holder_s_name_is_not_written_through_a_link(tmp_path: Path) -> None:
    """The folder is shared by users: a planted link must not let one overwrite another's file."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / "cpu-x.holder").symlink_to(precious)
    with device_lock("cpu-x", folder=tmp_path, waiting=refuse):
        assert precious.read_text() == "mine"
    assert precious.read_text() == "mine"


def test_the_default_folder_is_shared_by_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made where temporary files go, writable for all, and found again."""
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    folder = lock_folder()
    assert folder.parent == tmp_path
    if os.name == "posix":
        assert folder.stat().st_mode & 0o777 == 0o777
    assert lock_folder() == folder
    with device_lock("cpu-x", waiting=refuse):
        assert (folder / "cpu-x.holder").read_text() == f"process {os.getpid()}"
