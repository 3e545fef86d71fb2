"""Suites as in `tests/integration`, beside other people's plugins."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.conftest import elsewhere, memory, models, plans, suite

if TYPE_CHECKING:
    from tests.integration.conftest import Suite

__all__ = ["elsewhere", "memory", "models", "plans", "suite"]


def benchmarks(suite: Suite, file: str = "benchmark.json") -> dict[str, dict[str, Any]]:
    """What pytest-benchmark wrote, by full name; each stands there once."""
    found = json.loads((suite.path / file).read_text())["benchmarks"]
    names = [str(row["fullname"]) for row in found]
    assert len(set(names)) == len(names), names
    return dict(zip(names, found, strict=True))


@pytest.fixture
def all_plugins(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - it leaves them out
    """Suites load whatever is installed, as users' do; by themselves they load xdist and pytest-benchmark."""
    for name in ("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTEST_PLUGINS"):
        monkeypatch.delenv(name)
