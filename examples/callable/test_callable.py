"""Anything that can be called can be measured: a preprocessing step, a network in plain numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from examples.callable.pipeline import SIZE, classify, double, prepare, single

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from pytest_infer import CallableTarget, Infer

    Array = np.ndarray[Any, np.dtype[Any]]


@pytest.mark.infer(model=prepare, max_latency_ms=50)
def test_prepare(infer_engine: CallableTarget, photo: Array) -> None:
    """Preprocessing a photo takes less than the network behind it."""
    assert infer_engine(photo).shape == (1, 3, SIZE, SIZE)


@pytest.mark.infer(
    model=single, reference=double, batch=16, min_throughput=20_000, min_cosine=0.9999, max_abs_error=1e-4
)
def test_perceptron(infer_engine: CallableTarget, rows: Array) -> None:
    """Single precision is as good as double."""
    assert infer_engine(rows).sum(axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.infer(max_latency_ms=100)
def test_pipeline(infer: Infer, slowed: Callable[..., Any], photo: Array) -> None:
    """Both together, measured by the test itself."""
    infer.measure(slowed(classify), photo)
