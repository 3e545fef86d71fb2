"""A GPU as a device: what must match is its slug, what may differ is recorded, what may not be used is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_infer.device.gpu import open_gpus
from pytest_infer.errors import DeviceError
from tests.gpu_device.nvml_stand_in import Board, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.device.fingerprint import Device
    from tests.gpu_device.nvml_stand_in import StandIn

A = Board().uuid
MIG = "MIG-11111111-0000-4000-8000-000000000000"


def device(selection: str = "0") -> Device:
    """The one GPU of a selection."""
    (found,) = open_gpus(selection, {})
    return found


def test_what_must_match(install: Callable[..., StandIn]) -> None:
    """Product, memory and compute capability; the default power limit is not worth a word."""
    install()
    found = device()
    assert (found.slug, found.kind, found.name) == ("gpu-nvidia-h200-140gb", "gpu", "NVIDIA H200")
    assert found.identity == {"name": "NVIDIA H200", "memory_gib": 140, "compute_capability": "9.0"}
    assert found.uuid == found.lock_name == A


def test_another_power_limit_is_another_device(install: Callable[..., StandIn]) -> None:
    """A GPU that may draw less is slower: its baselines lie in another folder."""
    install(Board(limit_mw=400_000))
    found = device()
    assert found.slug == "gpu-nvidia-h200-140gb-400w"
    assert found.identity["power_limit_w"] == 400
    assert found.facts["gpu power limit"] == "400 W"


def test_an_instance_is_its_profile(install: Callable[..., StandIn]) -> None:
    """Its memory and its share of the GPU, whoever its neighbours are; power and driver facts are the board's."""
    install(Board(instances=((MIG, "1g.18gb", 16_384),)))
    found = device(MIG)
    assert found.slug == "gpu-nvidia-h200-16gb-mig-1g.18gb"
    assert (found.name, found.identity["mig"]) == ("NVIDIA H200 MIG 1g.18gb", "1g.18gb")
    assert found.facts["gpu power limit"] == "700 W (default)"


def test_an_instance_whose_name_does_not_tell(install: Callable[..., StandIn]) -> None:
    """Then slices and memory make the profile's name."""
    install(Board(instances=((MIG, "", 18_432),)))
    assert device(MIG).identity["mig"] == "1g.18gb"


def test_an_old_instance_s_lock_is_a_file(install: Callable[..., StandIn]) -> None:
    """Its name has slashes in it; a lock's file has none."""
    install(Board(instances=((f"MIG-{A}/7/0", "1g.18gb", 16_384),)))
    assert device().lock_name == f"MIG-{A}-7-0"


def test_what_is_recorded(install: Callable[..., StandIn]) -> None:
    """Who it is, driver and settings, as people write them."""
    install(Board(ecc=False))
    assert device().facts == {
        "gpu uuid": A,
        "gpu driver": "580.159.04",
        "gpu cuda": "13.1",
        "gpu vbios": "96.00.99.00.01",
        "gpu memory": "143771 MiB",
        "gpu ecc": "off",
        "gpu persistence": "on",
        "gpu power limit": "700 W (default)",
        "gpu compute mode": "default",
    }


def test_what_the_board_does_not_tell_is_left_out(install: Callable[..., StandIn]) -> None:
    """A desktop's board has no ECC and no such limits: nothing is made up."""
    refuses = ("EccMode", "PowerManagementLimit", "PowerManagementDefaultLimit", "PersistenceMode")
    forbids = ("nvmlDeviceGetVbiosVersion",)
    install(Board(refuses=tuple(f"nvmlDeviceGet{name}" for name in refuses), forbids=forbids))
    found = device()
    assert found.slug == "gpu-nvidia-h200-140gb"
    assert set(found.facts) == {"gpu uuid", "gpu driver", "gpu cuda", "gpu memory", "gpu compute mode"}


def test_nobody_may_use_it(install: Callable[..., StandIn]) -> None:
    """Compute mode Prohibited is an error at once, with the way out."""
    install(Board(compute_mode="PROHIBITED"))
    with pytest.raises(DeviceError, match=rf"--infer-gpu=0: {A} is in compute mode Prohibited; .*nvidia-smi -c 0"):
        device()


def test_somebody_holds_it_alone(install: Callable[..., StandIn]) -> None:
    """A GPU of another process's exclusive mode is an error that names the holder; a free one is not."""
    install(Board(compute_mode="EXCLUSIVE_PROCESS"))
    assert device().facts["gpu compute mode"] == "exclusive process"
    install(Board(compute_mode="EXCLUSIVE_PROCESS", script=(State(processes=((4_194_303, 1),)),)))
    with pytest.raises(DeviceError, match="exclusive mode and held by process 4194303; wait for it"):
        device()
    assert open_gpus("0", {}, first=False), "in a worker it is the parent who has looked"


def test_messages_name_the_option(install: Callable[..., StandIn]) -> None:
    """What was asked stands before what is wrong, and what to do behind it, once."""
    install(driver=False)
    with pytest.raises(DeviceError, match=r"^--infer-gpu=0: no NVIDIA driver .*; leave the option out .* the CPU$"):
        device()
    install()
    with pytest.raises(DeviceError, match=rf"^--infer-gpu=1: there is no GPU 1; there is 0 \({A}\)$"):
        device("1")
