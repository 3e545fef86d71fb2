"""The GPUs of this machine that CUDA programs may see, and those of them that `--infer-gpu` chooses.

CUDA numbers GPUs its own way, and `CUDA_VISIBLE_DEVICES` numbers them again: a UUID alone says which one is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_infer.device.nvml import ask, open_nvml
from pytest_infer.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VISIBLE = "CUDA_VISIBLE_DEVICES"
ORDER = "CUDA_DEVICE_ORDER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU, or one MIG instance of it, as NVML knows it.

    Attributes:
        uuid: who it is.
        handle: NVML's; its memory and processes are told by it.
        board: the whole GPU's handle: clocks, power, temperature and driver settings belong to it.
        mig: whether it is an instance.
    """

    uuid: str
    handle: Any
    board: Any
    mig: bool = False


def choose(selection: str, environment: Mapping[str, str]) -> tuple[Gpu, ...]:
    """The GPUs that `--infer-gpu` means: `all`, or numbers and UUIDs (or their beginnings), separated by commas.

    A number is the place among the visible ones: nvidia-smi's own where `CUDA_VISIBLE_DEVICES` says nothing.

    Raises:
        DeviceError: no driver, or no such GPU.
    """
    places = visible(environment)
    seen = [gpu for place in places for gpu in place]
    if not seen:
        hidden = f" ({VISIBLE}={environment[VISIBLE]!r} hides it)" if VISIBLE in environment else ""
        raise DeviceError(f"the driver shows no GPU that CUDA could use{hidden}")
    if selection == "all":
        return tuple(seen)
    chosen = [_place(word, places) if word.isdigit() else _named(word, seen) for word in _words(selection)]
    if not chosen:
        raise DeviceError("it names no GPU; write a number, several (0,2), all, a UUID, or none for the CPU")
    return tuple({gpu.uuid: gpu for gpu in chosen}.values())


def find(uuid: str) -> Gpu:
    """The GPU of that UUID.

    Raises:
        DeviceError: it is gone.
    """
    return _named(uuid, [gpu for place in boards() for gpu in place])


def visible(environment: Mapping[str, str]) -> list[tuple[Gpu, ...]]:
    """The GPUs by number, as `CUDA_VISIBLE_DEVICES` leaves them; each as its MIG instances where it is split.

    As CUDA reads it: what stands behind the first word that names nothing is not visible.

    Raises:
        DeviceError: no driver; numbers that may mean one GPU to CUDA and another one to NVML.
    """
    everything = boards()
    if VISIBLE not in environment:
        return everything
    words = _words(environment[VISIBLE])
    if any(word.isdigit() for word in words) and environment.get(ORDER) != "PCI_BUS_ID":
        names = {ask(open_nvml().nvmlDeviceGetName, place[0].board) for place in everything if place}
        if len(names) > 1:
            raise DeviceError(
                f"{VISIBLE}={environment[VISIBLE]} counts GPUs of several kinds ({', '.join(sorted(map(str, names)))}) "
                f"in an order that CUDA alone knows; set {ORDER}=PCI_BUS_ID, or name them by UUID"
            )
    places: list[tuple[Gpu, ...]] = []
    for word in words:
        if word.isdigit() and int(word) < len(everything):
            places.append(everything[int(word)][:1])  # of a split GPU, CUDA takes the first instance
            continue
        named = [gpu for place in everything for gpu in place if not word.isdigit() and gpu.uuid.startswith(word)]
        if len(named) != 1:
            break
        places.append((named[0],))
    return places


def boards() -> list[tuple[Gpu, ...]]:
    """Every GPU in nvidia-smi's order, each as itself or as its MIG instances.

    Raises:
        DeviceError: no driver.
    """
    nvml = open_nvml()
    return [_instances(nvml, i) for i in range(ask(nvml.nvmlDeviceGetCount) or 0)]


def _instances(nvml: Any, index: int) -> tuple[Gpu, ...]:
    """One GPU as itself or as its MIG instances; empty where it does not answer, which is no matter to the others."""
    try:
        board = ask(nvml.nvmlDeviceGetHandleByIndex, index)
        if board is None:  # it is there, and kept from us: a container's usual way
            return ()
        mode = ask(nvml.nvmlDeviceGetMigMode, board)
        if mode is None or mode[0] != nvml.NVML_DEVICE_MIG_ENABLE:
            return _known(nvml, board, board)
        slots = range(ask(nvml.nvmlDeviceGetMaxMigDeviceCount, board) or 0)
        handles = [ask(nvml.nvmlDeviceGetMigDeviceHandleByIndex, board, slot) for slot in slots]
        return tuple(gpu for handle in handles if handle is not None for gpu in _known(nvml, handle, board))
    except DeviceError:  # lost
        return ()


def _known(nvml: Any, handle: Any, board: Any) -> tuple[Gpu, ...]:
    uuid = ask(nvml.nvmlDeviceGetUUID, handle)
    return () if uuid is None else (Gpu(uuid=str(uuid), handle=handle, board=board, mig=handle is not board),)


def _words(text: str) -> list[str]:
    return [word for word in (part.strip() for part in text.split(",")) if word]


def _place(word: str, places: Sequence[tuple[Gpu, ...]]) -> Gpu:
    number = int(word)
    if number < len(places) and not places[number]:
        raise DeviceError(f"GPU {number} does not answer (lost, split into no instances, or kept from this process)")
    if number >= len(places):
        raise DeviceError(f"there is no GPU {number}; there is {_listing(places)}")
    if len(places[number]) > 1:
        raise DeviceError(f"GPU {number} is split; name one of {', '.join(gpu.uuid for gpu in places[number])}, or all")
    return places[number][0]


def _named(word: str, seen: Sequence[Gpu]) -> Gpu:
    found = [gpu for gpu in seen if gpu.uuid.startswith(word)]
    if not found:
        raise DeviceError(f"there is no GPU {word!r}; there is {_listing([(gpu,) for gpu in seen])}")
    if len(found) > 1:
        raise DeviceError(f"{word!r} begins several UUIDs: {', '.join(gpu.uuid for gpu in found)}")
    return found[0]


def _listing(places: Sequence[tuple[Gpu, ...]]) -> str:
    return ", ".join(f"{i} ({gpu.uuid})" for i, place in enumerate(places) for gpu in place)
