"""Each backend gets the network that the test names as it wants it: the file, a module, a function."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from examples.backends.cases import SOURCES
from examples.graphs import runtime
from examples.models import named, provide

if TYPE_CHECKING:
    from collections.abc import Callable

FILE: Final = pytest.StashKey[Path]()
DTYPES: Final = {"fp16": "float16", "bf16": "bfloat16"}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Make the network unless that was done, before the marker is read."""
    if item.get_closest_marker("skip") is not None:
        return
    source = SOURCES[Path(named(item, "model")).stem]
    load = _loader(named(item, "backend"), named(item, "precision"))
    item.stash[FILE] = provide(item, source.make, version=source.version, load=load)


@pytest.fixture
def network_file(request: pytest.FixtureRequest) -> Path:
    """The network as an ONNX file in fp32."""
    file: Path = request.node.stash[FILE]
    return file


@pytest.fixture
def reference(network_file: Path) -> Callable[..., Any]:
    """What ONNX Runtime computes of the file."""
    return runtime.load(network_file)


def _loader(backend: str, precision: str) -> Callable[[Path], Any] | None:
    if backend == "torch":
        from examples.graphs import torch_graph

        return torch_graph.load
    if backend == "jax":
        from examples.graphs import jax_graph

        return partial(jax_graph.load, dtype=DTYPES.get(precision, "float32"))
    return runtime.load if backend == "callable" else None
