"""Which GPUs `--infer-gpu` means, by number and UUID, inside what CUDA_VISIBLE_DEVICES leaves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pytest_infer.device.gpus import choose, find
from pytest_infer.errors import DeviceError
from tests.gpu_device.nvml_stand_in import Board, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.gpu_device.nvml_stand_in import StandIn

A, B, C = (f"GPU-{letter * 8}-0000-4000-8000-000000000000" for letter in "abc")
AB = "GPU-aaaaaaab-0000-4000-8000-000000000000"
MIG = tuple(f"MIG-{digit * 8}-0000-4000-8000-000000000000" for digit in "12")
BOARDS = [Board(uuid=uuid) for uuid in (A, B, C)]
SPLIT = Board(uuid=C, instances=tuple((uuid, "1g.18gb", 16_384) for uuid in MIG))


def uuids(selection: str, **environment: str) -> list[str]:
    """The UUIDs that a selection means."""
    return [gpu.uuid for gpu in choose(selection, environment)]


@pytest.mark.parametrize(
    ("selection", "found"),
    [
        ("0", [A]),
        ("2", [C]),
        ("2,0", [C, A]),
        (" 0 , 1,", [A, B]),
        ("0,0", [A]),
        ("all", [A, B, C]),
        (B, [B]),
        ("GPU-c", [C]),
        (f"GPU-b,{A}", [B, A]),
    ],
)
def test_numbers_and_uuids(install: Callable[..., StandIn], selection: str, found: list[str]) -> None:
    """Numbers are nvidia-smi's, UUIDs may be cut short, the order is the asked one, none comes twice."""
    install(*BOARDS)
    assert uuids(selection) == found


@pytest.mark.parametrize(
    ("selection", "told"),
    [
        ("3", rf"there is no GPU 3; there is 0 \({A}\), 1 \({B}\), 2 \({C}\)"),
        ("GPU-d", r"there is no GPU 'GPU-d'; there is 0"),
        ("first", r"there is no GPU 'first'"),
        ("-1", r"there is no GPU '-1'"),
        (",", r"it names no GPU"),
    ],
)
def test_no_such_gpu(install: Callable[..., StandIn], selection: str, told: str) -> None:
    """The message says what there is."""
    install(*BOARDS)
    with pytest.raises(DeviceError, match=told):
        uuids(selection)


def test_an_ambiguous_beginning(install: Callable[..., StandIn]) -> None:
    """A beginning that several share names none of them, and both are told."""
    install(Board(uuid=A), Board(uuid=AB))
    assert uuids("GPU-aaaaaaab") == [AB]
    with pytest.raises(DeviceError, match=rf"begins several UUIDs: {A}, {AB}"):
        uuids("GPU-aaaaaaa")


@pytest.mark.parametrize(
    ("variable", "selection", "found"),
    [
        ("2,0", "0", [C]),
        ("2,0", "all", [C, A]),
        ("GPU-b,GPU-a", "1", [A]),
        (f"{C}", "0", [C]),
        ("1", "GPU-b", [B]),
        ("0,7,1", "all", [A]),
        ("1,-1,0", "all", [B]),
        ("0,GPU-x,1", "all", [A]),
    ],
)
def test_visible_devices_number_anew(
    install: Callable[..., StandIn], variable: str, selection: str, found: list[str]
) -> None:
    """Numbers count the visible ones, as CUDA reads them: what stands behind the first wrong word is not visible."""
    install(*BOARDS)
    assert uuids(selection, CUDA_VISIBLE_DEVICES=variable) == found


@pytest.mark.parametrize(("variable", "selection"), [("", "0"), ("-1", "all"), ("NoDevFiles", "0")])
def test_everything_hidden(install: Callable[..., StandIn], variable: str, selection: str) -> None:
    """It is the variable's doing, and the message says so."""
    install(*BOARDS)
    with pytest.raises(DeviceError, match=f"no GPU that CUDA could use .CUDA_VISIBLE_DEVICES={variable!r} hides it"):
        uuids(selection, CUDA_VISIBLE_DEVICES=variable)


def test_a_hidden_one_can_t_be_named(install: Callable[..., StandIn]) -> None:
    """CUDA in this process could not reach it."""
    install(*BOARDS)
    with pytest.raises(DeviceError, match=rf"no GPU '{A}'; there is 0 \({B}\)"):
        uuids(A, CUDA_VISIBLE_DEVICES="1")


def test_numbers_of_mixed_kinds_are_not_trusted(install: Callable[..., StandIn]) -> None:
    """CUDA counts the fastest first unless it is told otherwise: then a number may mean another GPU than NVML's."""
    install(Board(uuid=A), Board(uuid=B, name="NVIDIA L4"))
    with pytest.raises(DeviceError, match="CUDA_DEVICE_ORDER=PCI_BUS_ID"):
        uuids("0", CUDA_VISIBLE_DEVICES="1")
    assert uuids("0", CUDA_VISIBLE_DEVICES="1", CUDA_DEVICE_ORDER="PCI_BUS_ID") == [B]
    assert uuids("0", CUDA_VISIBLE_DEVICES=B) == [B]
    assert uuids("1") == [B]


def test_instances(install: Callable[..., StandIn]) -> None:
    """A split GPU is its instances: by UUID, with `all`, or by CUDA's variable; its number says too little."""
    install(BOARDS[0], SPLIT)
    assert uuids("all") == [A, *MIG]
    assert uuids(MIG[1]) == [MIG[1]]
    assert uuids("MIG-2") == [MIG[1]]
    assert uuids("0", CUDA_VISIBLE_DEVICES=MIG[1]) == [MIG[1]]
    assert uuids("0", CUDA_VISIBLE_DEVICES="1") == [MIG[0]]
    with pytest.raises(DeviceError, match=f"GPU 1 is split; name one of {', '.join(MIG)}, or all"):
        uuids("1")
    assert all(gpu.mig and gpu.handle is not gpu.board for gpu in choose("MIG-1", {}))


def test_old_drivers_names_of_instances(install: Callable[..., StandIn]) -> None:
    """Before driver 470 an instance was called by its GPU and its place."""
    name = f"MIG-{C}/7/0"
    install(Board(uuid=C, instances=((name, "1g.5gb", 4_864),)))
    assert uuids(name) == [name]
    assert uuids("0") == [name]


def test_a_gpu_that_does_not_answer(install: Callable[..., StandIn]) -> None:
    """Lost, or split into nothing: the others can be used, and it is not counted away."""
    install(Board(uuid=A, script=(State(lost=True),)), Board(uuid=B), Board(uuid=C, instances=()))
    assert uuids("1") == [B]
    assert uuids("all") == [B]
    for number in "02":
        with pytest.raises(DeviceError, match=f"GPU {number} does not answer"):
            uuids(number)


def test_no_driver(install: Callable[..., StandIn]) -> None:
    """Nothing answers."""
    install(driver=False)
    with pytest.raises(DeviceError, match=re.escape("no NVIDIA driver answers here (NVML Shared Library Not Found)")):
        uuids("0")


def test_it_is_found_again(install: Callable[..., StandIn]) -> None:
    """By UUID, whatever the variables hide; one that is gone is an error."""
    install(*BOARDS)
    assert find(B).uuid == B
    install(BOARDS[0])
    with pytest.raises(DeviceError, match="no GPU"):
        find(B)
