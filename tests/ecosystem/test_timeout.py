"""Beside pytest-timeout: a measurement that takes too long is ended like any test, and gives back what it held."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Suite

pytest.importorskip("pytest_timeout")
pytestmark = [
    pytest.mark.usefixtures("all_plugins"),
    pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="no SIGALRM on this platform"),
]

SOURCE = """
import os
import signal
import time

import pytest

def endless():
    # Time is over now: pytest-timeout's alarm, at once instead of in ten minutes. Then it is waited for.
    if {alarm}:
        os.kill(int(os.environ["SUITE"] or os.getpid()), signal.SIGALRM)
    while True:
        time.sleep(60)

@pytest.mark.infer(model=endless)
@pytest.mark.timeout({limit}, method={method!r})
def test_endless(infer_engine): pass

@pytest.mark.infer(model=len, inputs=("a",))
def test_after(infer_engine): pass
"""
CONFTEST = """
import os

os.environ.setdefault("SUITE", str(os.getpid()))
"""
PLACES = pytest.mark.parametrize("isolate", ["never", "always"])


@PLACES
def test_by_signal(suite: Suite, elsewhere: Path, isolate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test fails in its call; the next one is measured; no process, lock or file is left."""
    monkeypatch.delenv("SUITE", raising=False)
    suite.conftest(CONFTEST)
    suite.write(SOURCE.format(alarm=True, limit=600, method="signal"))
    done = suite.run(f"--infer-isolate={isolate}")
    done.assert_outcomes(failed=1, passed=1)
    case = suite.cases()["test_endless"]
    assert case.status == "failed"
    assert "Timeout (>600.0s) from pytest-timeout" in case.message
    assert suite.outcomes() == {"test_after": "no_baseline"}
    assert suite.left() == []
    assert [path.name for path in elsewhere.iterdir()] == ["pytest-infer-locks"]
    assert not list(elsewhere.glob("*/*.holder"))


@PLACES
def test_by_thread(suite: Suite, isolate: str) -> None:
    """This method ends pytest itself: with it go its processes, and the device is free for the next run."""
    suite.write(SOURCE.format(alarm=False, limit=1, method="thread"))
    done = suite.run(f"--infer-isolate={isolate}")
    assert done.ret == 1
    assert "Timeout" in done.stdout.str() + done.stderr.str()
    assert suite.left() == []
    suite.run(f"--infer-isolate={isolate}", "-k", "after")
    assert suite.outcomes() == {"test_after": "no_baseline"}
