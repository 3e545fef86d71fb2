"""Our own hooks, for plugins of the entry-point group `pytest_infer` and for conftest.py alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_infer.baselines.store import BaselineStore
    from pytest_infer.engines.base import Backend, CompilingBackend
    from pytest_infer.result import Result, RunReport

hookspec = pluggy.HookspecMarker("pytest")


@hookspec(firstresult=True)
def pytest_infer_make_backend(name: str) -> Backend | CompilingBackend | None:
    """Make the backend of that name; None leaves it to others, ours last."""


@hookspec(firstresult=True)
def pytest_infer_make_store(location: str) -> BaselineStore | None:
    """Make the store for what `--infer-baselines` says; None leaves it to others, the directory store last."""


@hookspec(firstresult=True)
def pytest_infer_make_reporter(path: Path) -> Callable[[RunReport], bytes] | None:
    """Make what turns a finished run into the content of `path` (an `--infer-report`); None leaves it to others."""


@hookspec
def pytest_infer_verdict(result: Result) -> None:
    """Hear a verdict, in the process that holds the session, as soon as it is known there."""
