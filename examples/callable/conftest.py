"""The callable example's inputs, and its option to slow down."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, np.dtype[Any]]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let the marker's callable do its work as often as was asked, before the marker is read."""
    times = item.config.getoption("--callable-slowdown")
    mark = item.get_closest_marker("infer")
    if times > 1 and mark is not None and "model" in mark.kwargs:
        item.add_marker(pytest.mark.infer(model=_repeated(mark.kwargs["model"], times)), append=False)


@pytest.fixture
def slowed(request: pytest.FixtureRequest) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Any callable, doing its work as often as was asked."""
    return functools.partial(_repeated, times=request.config.getoption("--callable-slowdown"))


@pytest.fixture(scope="session")
def photo() -> Array:
    """A seeded picture as a camera gives it: 640 by 480 pixels of three bytes."""
    return np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def rows() -> Array:
    """Sixteen seeded rows of 64 features."""
    return np.random.default_rng(0).standard_normal((16, 64), dtype=np.float32)


def _repeated(function: Callable[..., Any], times: int) -> Callable[..., Any]:
    @functools.wraps(function)
    def repeated(*args: Any, **kwargs: Any) -> Any:
        for _ in range(times - 1):
            function(*args, **kwargs)
        return function(*args, **kwargs)

    return repeated
