"""What all tests share."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def _not_under_xdist(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite that a test starts must not take itself for a worker of ours."""
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"):
        monkeypatch.delenv(name, raising=False)
