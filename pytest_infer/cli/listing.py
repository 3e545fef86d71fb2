"""A plugin that writes down what pytest collected; `cli.collecting` starts pytest with it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest

VARIABLE: Final = "PYTEST_INFER_COLLECTED"
"""The environment variable that names the file to write."""

_deselected: list[str] = []
_seen: list[str] = []
_skipped: list[str] = []


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Tests that `-k` and `-m` leave out are there all the same."""
    _deselected.extend(item.nodeid for item in items)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Which modules were looked into; of one that is skipped as a whole nobody knows the tests here."""
    (_skipped if report.skipped else _seen).append(report.nodeid)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write down the tests, and where they were looked for, relative to rootdir."""
    root = session.config.rootpath
    start = session.config.invocation_params.dir
    asked = [Path(os.path.relpath(start / argument, root)).as_posix() for argument in session.config.args]
    content = {
        "root": str(root),
        "tests": [*(item.nodeid for item in session.items), *_deselected],
        "seen": [nodeid for nodeid in _seen if nodeid and "::" not in nodeid],
        "within": [place for place in asked if "::" not in place],
        "partly": [*_skipped, *(place.partition("::")[0] for place in asked if "::" in place)],
    }
    Path(os.environ[VARIABLE]).write_text(json.dumps(content), encoding="utf-8")
