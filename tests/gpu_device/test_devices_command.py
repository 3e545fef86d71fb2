"""`pytest-infer devices`: what could be measured on, and what stands in the way, without changing anything."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from pytest_infer.cli import main
from tests.gpu_device.nvml_stand_in import Board, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.gpu_device.nvml_stand_in import StandIn

A = Board().uuid
MIG = "MIG-11111111-0000-4000-8000-000000000000"
BUSY = Board(
    uuid="GPU-bbbbbbbb-0000-4000-8000-000000000000",
    compute_mode="EXCLUSIVE_PROCESS",
    script=(State(reasons=("HwThermalSlowdown",), processes=((4_194_303, 1),)),),
)


def listed() -> dict[str, Any]:
    """The devices as plain values."""
    done = CliRunner().invoke(main, ["devices", "--json"])
    assert done.exit_code == 0, done.output
    content: dict[str, Any] = json.loads(done.output)
    return content


def test_a_table(install: Callable[..., StandIn], monkeypatch: pytest.MonkeyPatch) -> None:
    """A line a device, the CPU first."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    module = install(Board(), BUSY)
    done = CliRunner().invoke(main, ["devices"])
    assert done.exit_code == 0, done.output
    head, cpu, quiet, busy = done.output.splitlines()
    assert head.split("  ")[0] == "--infer-gpu"
    assert cpu.startswith("none ")
    assert quiet.split() == [
        "0", "gpu-nvidia-h200-140gb", "NVIDIA", "H200", "1980", "MHz,", "50", "°C,", "300", "W", "nothing",
    ]  # fmt: skip
    assert "held alone by process 4194303; the hardware held the clocks down because of heat, now" in busy
    assert not [name for name in module.calls if "Set" in name or "Reset" in name]


def test_without_the_right_to_lock_clocks(install: Callable[..., StandIn], monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes root, and an instance has none of its own."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    install(Board(), Board(uuid=BUSY.uuid, instances=((MIG, "1g.18gb", 16_384),)))
    _, board, instance = listed()["devices"]
    assert board["obstacles"] == ["clocks can't be locked: it takes root"]
    assert instance["obstacles"] == ["clocks can't be locked: they are the whole GPU's"]
    assert (instance["option"], instance["uuid"]) == ("1", MIG)


def test_plain_values(install: Callable[..., StandIn]) -> None:
    """Everything that a session would record of it."""
    install()
    cpu, gpu = listed()["devices"]
    assert (cpu["option"], cpu["uuid"]) == ("none", "")
    assert (gpu["slug"], gpu["uuid"], gpu["facts"]["gpu driver"]) == ("gpu-nvidia-h200-140gb", A, "580.159.04")


@pytest.mark.parametrize(
    ("driver", "variable", "note"),
    [
        (False, None, "no NVIDIA driver answers here (NVML Shared Library Not Found)"),
        (True, "", "the driver shows no GPU that CUDA could use CUDA_VISIBLE_DEVICES="),
        (True, "0", ""),
    ],
)
def test_why_there_is_no_more(
    install: Callable[..., StandIn],
    monkeypatch: pytest.MonkeyPatch,
    driver: bool,  # noqa: FBT001 - pytest gives it by position
    variable: str | None,
    note: str,
) -> None:
    """Without a driver, or with all hidden: the CPU, a note, and status 0."""
    install(driver=driver)
    if variable is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    found = listed()
    assert found["note"] == note
    assert len(found["devices"]) == (1 if note else 2)
