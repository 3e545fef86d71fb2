"""Which worker gets which GPU, and what a test is called without it."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_infer.device.fingerprint import Device
from pytest_infer.several_gpus import share_out, without_gpu

GPUS = tuple(Device(slug="gpu-x", kind="gpu", name="X", uuid=f"GPU-{letter}") for letter in "abc")


@pytest.mark.parametrize(
    ("worker", "count", "uuid"),
    [("gw0", 3, "GPU-a"), ("gw2", 3, "GPU-c"), ("gw3", 3, "GPU-a"), ("gw7", 1, "GPU-a"), ("main", 3, "GPU-a")],
)
def test_by_the_worker_s_number(worker: str, count: int, uuid: str) -> None:
    """One after the other, from the first again where there are more workers than GPUs."""
    told: dict[str, Any] = {"workerid": worker}
    share_out(told, GPUS[:count])
    assert told["infer_gpu"] == uuid


def test_no_gpu_to_share() -> None:
    """On the CPU workers are told nothing."""
    told: dict[str, Any] = {"workerid": "gw0"}
    share_out(told, ())
    assert told == {"workerid": "gw0"}


@pytest.mark.parametrize(
    ("nodeid", "known"),
    [
        ("t.py::test[gpu0]", "t.py::test"),
        ("t.py::test[gpu12-fp16-b8]", "t.py::test[fp16-b8]"),
        ("t.py::T::test[gpu1-gpu0]", "t.py::T::test[gpu0]"),
        ("t.py::test", "t.py::test"),
        ("t.py::test[b8-gpu0]", "t.py::test[b8-gpu0]"),
        ("t.py::test[gpux]", "t.py::test[gpux]"),
    ],
)
def test_what_baselines_call_it(nodeid: str, known: str) -> None:
    """Our part goes, which begins the brackets; a user's own parameter of that name stays."""
    assert without_gpu(nodeid) == known
