"""pytest-benchmark's fixture on a GPU that is stood in for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.ecosystem.conftest import benchmarks
from tests.gpu_device.conftest import _no_cuda_variables, share
from tests.gpu_device.nvml_stand_in import Board

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Suite

__all__ = ["_no_cuda_variables", "share"]

CONFTEST = """
from pytest_infer.device import cuda

cuda._library = lambda: None  # no GPU that the machine may have is asked
"""
SOURCE = """
import pytest

@pytest.mark.infer
def test_it(benchmark):
    benchmark.pedantic(lambda: sum(range(50_000)), rounds=20)
"""


def test_one(suite: Suite, share: Callable[..., Path]) -> None:
    """Its state is looked at while the rounds run, and told like that of any measurement."""
    share(Board())
    suite.conftest(CONFTEST)
    suite.write(SOURCE)
    suite.run("--infer-gpu=0", "--infer-isolate=never")
    result = suite.results()["test_it benchmark"]
    assert str(result.device_state["uuid"]).startswith("GPU-aaaa")
    assert "sm_mhz" in result.device_state


def test_several(suite: Suite, share: Callable[..., Path]) -> None:
    """On each, in a process of its own: a row each."""
    share(Board(), Board(uuid="GPU-bbbbbbbb-0000-4000-8000-000000000000"))
    suite.conftest(CONFTEST)
    suite.write(SOURCE)
    suite.run("--infer-gpu=0,1", "--benchmark-json=benchmark.json")
    assert benchmarks(suite).keys() == {f"test_it.py::test_it[gpu{number}]" for number in (0, 1)}
