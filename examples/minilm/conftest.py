"""The encoder example's network."""

from __future__ import annotations

import pytest

from examples.minilm import encoder
from examples.models import provide


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Make the encoder unless that was done, before the marker is read."""
    provide(item, encoder.make, version=encoder.VERSION, times=item.config.getoption("--minilm-slowdown"))
