"""GPUs where there are none: in this process, and in those that tests start."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.gpu_device import nvml_stand_in
from tests.gpu_device.nvml_stand_in import Board, Machine, StandIn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHADOW = f"""
import importlib.util
import sys

spec = importlib.util.spec_from_file_location("nvml_stand_in", {nvml_stand_in.__file__!r})
module = importlib.util.module_from_spec(spec)
sys.modules["nvml_stand_in"] = module
spec.loader.exec_module(module)
sys.modules[__name__] = module.from_environment()
"""
"""A module `pynvml` that stands before the real one."""


@pytest.fixture(autouse=True)
def _no_cuda_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., StandIn]:
    """Put a machine with these boards into this process."""

    def put(*boards: Board, driver: bool = True, log: str = "") -> StandIn:
        module = StandIn(Machine(boards=boards or (Board(),), driver=driver, log=log))
        monkeypatch.setitem(sys.modules, "pynvml", module)
        return module

    return put


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for temporary files: locks lie there, and nobody else's measurement is to be waited for."""
    tmp_path_factory.getbasetemp()  # made now, it does not come to lie in a folder that goes with this test
    with tempfile.TemporaryDirectory(prefix="i-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(folder)


@pytest.fixture
def share(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Put a machine into every process that is started from now on; the file in which its settings are noted.

    The id 0 in a board's processes is the process that looks.
    """
    folder = tmp_path_factory.mktemp("shadow")
    (folder / "pynvml.py").write_text(SHADOW)
    log = folder / "log"
    log.touch()
    path = [str(folder), str(Path(nvml_stand_in.__file__).parents[2])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([*path, *filter(None, [os.environ.get("PYTHONPATH")])]))

    def put(*boards: Board, driver: bool = True) -> Path:
        machine = Machine(boards=boards or (Board(),), driver=driver, log=str(log))
        monkeypatch.setenv(nvml_stand_in.VARIABLE, machine.text())
        return log

    return put
