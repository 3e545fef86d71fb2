"""The vision example's networks and pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from examples.models import provide
from examples.vision import networks

if TYPE_CHECKING:
    import numpy as np


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Make the network that the test names unless that was done, before the marker is read."""
    mark = item.get_closest_marker("infer")
    assert mark is not None
    name = Path(mark.kwargs["model"]).stem
    times = _slowdowns(item.config).get(name, 1)
    provide(item, partial(networks.make, name), version=networks.VERSION, times=times)


@pytest.fixture(scope="session")
def pictures() -> np.ndarray[Any, np.dtype[np.float32]]:
    """Eight pictures that calibration did not see."""
    return networks.images(8)


def _slowdowns(config: pytest.Config) -> dict[str, int]:
    slowdowns = {}
    for text in config.getoption("--vision-slowdown"):
        name, _, times = text.partition(":")
        name = name.lower().replace("-", "")
        if name not in networks.NETWORKS or not times.isdecimal():
            pytest.exit(
                f"--vision-slowdown={text}: NETWORK:TIMES is needed, with one of {', '.join(networks.NETWORKS)}",
                returncode=pytest.ExitCode.USAGE_ERROR,
            )
        slowdowns[name] = int(times)
    return slowdowns
