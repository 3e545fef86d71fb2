"""The digits example's network and pictures."""

from __future__ import annotations

import pytest

from examples.digits import train
from examples.models import provide


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Train the network unless that was done, before the marker is read."""
    provide(item, train.make, version=train.VERSION, times=item.config.getoption("--digits-slowdown"))


@pytest.fixture(scope="session")
def held_out() -> train.Split:
    """Pictures that neither training nor calibration saw."""
    _, test = train.splits()
    return test
