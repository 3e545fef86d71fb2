"""A real GPU. Where there is none, everything here is skipped and says why. Not verified on hardware yet.

    PYTHONPATH=. python -m pytest tests/gpu -rs [-p pytest_infer.plugin, where the package is not installed]

Clocks, power limit and modes of the GPU stay as they are. What takes long is in tests/benchmarks/gpu.py.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.device.cuda import see_only
from pytest_infer.device.cuda_choice import try_cuda
from pytest_infer.device.gpu import open_gpus
from pytest_infer.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.device.cuda_streams import Cuda
    from pytest_infer.device.fingerprint import Device


@pytest.fixture(scope="session")
def device() -> Iterator[Device]:
    """The first GPU, the only one that CUDA sees."""
    try:
        (found,) = open_gpus("0")
    except DeviceError as error:
        pytest.skip(f"no GPU: {error}")
    undo = see_only(found.uuid)
    yield found
    undo()


@pytest.fixture(scope="session")
def cuda(device: Device) -> Cuda:
    """CUDA on it."""
    found, reason = try_cuda(device)
    if found is None:
        pytest.skip(f"no CUDA: {reason}")
    return found


@pytest.fixture(scope="session")
def torch(device: Device) -> Any:
    """PyTorch, awake on it."""
    assert device.kind == "gpu"
    found = pytest.importorskip("torch", reason="PyTorch is not installed")
    if not found.cuda.is_available():
        pytest.skip("this PyTorch has no CUDA")
    found.cuda.init()
    return found


@pytest.fixture(scope="session")
def cupy(device: Device) -> Any:
    """CuPy on it."""
    assert device.kind == "gpu"
    return pytest.importorskip("cupy", reason="CuPy is not installed")


@pytest.fixture
def _as_a_user(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Processes that tests start find the package where it is not installed, and kernels that were compiled before."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    kernels = tmp_path_factory.getbasetemp() / "cupy"
    monkeypatch.setenv("CUPY_CACHE_DIR", os.environ.get("CUPY_CACHE_DIR", str(kernels)))  # not in each test's own HOME
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")])))  # noqa: PTH109


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole runs come first: they need a process around them that has not touched the GPU."""
    items.sort(key=lambda item: item.path.name != "test_suite.py")
