"""What the tests here share: where their networks come from, and how right each backend and precision must be."""

from __future__ import annotations

import importlib.util
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from examples.digits import train
from examples.minilm import encoder
from examples.vision import networks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path


class Source(NamedTuple):
    """What writes a network's file, and the version of what it writes."""

    make: Callable[[Path], None]
    version: int


SOURCES: Final = {
    "digits": Source(train.make, train.VERSION),
    "minilm": Source(encoder.make, encoder.VERSION),
    **{name: Source(partial(networks.make, name), networks.VERSION) for name in networks.NETWORKS},
}

INSTALLED: Final = tuple(name for name in ("openvino", "torch", "jax") if importlib.util.find_spec(name) is not None)
"""The backends that can be measured here, beside ONNX Runtime, which the other examples measure."""

QUANTIZING: Final = ("openvino",)
"""Those that make an int8 network of an fp32 one; PyTorch and JAX take one that somebody quantized."""


def on_each(
    budget: str, limits: Mapping[str, float], *, calibration: Callable[[], Any], backends: tuple[str, ...] = INSTALLED
) -> pytest.MarkDecorator:
    """Parametrize a test by backend and precision (its argument `asked`), each precision with its own limit.

    A precision that the backend can't compute in is skipped, and says why.

    Args:
        budget: which accuracy budget is limited.
        limits: its limit, by precision.
        calibration: the samples for int8.
        backends: which ones.
    """
    return pytest.mark.parametrize(
        "asked",
        [
            pytest.param(
                (backend, precision),
                marks=[
                    pytest.mark.infer(backend=backend, precision=precision, **{budget: limit}),
                    *_further(backend, precision, calibration),
                ],
                id=f"{backend}-{precision}",
            )
            for backend in backends
            for precision, limit in limits.items()
        ],
    )


def _further(backend: str, precision: str, calibration: Callable[[], Any]) -> Iterator[pytest.MarkDecorator]:
    if backend not in INSTALLED:
        yield pytest.mark.skip(reason=f"{backend} is not installed: pip install 'pytest-infer[{backend}]'")
    elif precision == "int8" and backend in QUANTIZING:
        yield pytest.mark.infer(calibration=calibration)
    elif precision == "int8":
        yield pytest.mark.skip(reason=f"int8 on {backend}: it quantizes nothing, and nobody quantized this network")
