"""Targets that take their process down: the suite goes on, the verdict says what happened, nothing is left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Suite

pytestmark = pytest.mark.skipif("sys.platform == 'win32'", reason="signals and forks")


def test_crashes(suite: Suite, elsewhere: Path) -> None:
    """A segmentation fault, a kill, an exit and a fork that never ends: told by name, and the next test runs."""
    suite.write("""
        import ctypes
        import os
        import signal
        import sys

        import pytest

        infer = pytest.mark.infer

        def segfault():
            ctypes.string_at(0)

        def kill():
            os.kill(os.getpid(), signal.SIGKILL)

        def leave():
            print("the last words", flush=True)
            os._exit(7)

        forked = []

        def fork():
            if not forked and not os.fork():
                signal.pause()
            forked.append(1)

        @infer(model=segfault)
        def test_segfault(infer_engine): pass

        @infer(model=kill)
        def test_kill(infer_engine): pass

        @infer(model=leave)
        def test_leave(infer_engine): pass

        @infer(model=fork)
        def test_fork(infer_engine): pass

        @infer(model=len, inputs=("a",))
        def test_fine(infer_engine): pass
    """)
    done = suite.run("--infer-isolate=always", "-s")
    assert done.ret == 1
    done.assert_outcomes(passed=2, failed=3)
    cases = suite.cases()
    assert "a worker process was killed by SIGSEGV" in cases["test_segfault"].text
    assert "a worker process was killed by SIGKILL; the kernel kills so when memory runs out" in cases["test_kill"].text
    assert "a worker process ended with exit status 7 before it answered" in cases["test_leave"].text
    assert "the last words" in cases["test_leave"].text
    assert not any("test session starts" in case.text or "--- pytest-infer" in case.text for case in cases.values())
    assert suite.outcomes() == {"test_fork": "no_baseline", "test_fine": "no_baseline"}
    assert suite.left() == []
    assert [path.name for path in elsewhere.iterdir()] == ["pytest-infer-locks"]


def test_hang(suite: Suite, elsewhere: Path) -> None:
    """A target that hangs is ended after --infer-timeout, while recording too: the store stays as it was."""
    suite.write("""
        import threading

        import pytest

        @pytest.mark.infer(model=threading.Event().wait)
        def test_hang(infer_engine): pass
    """)
    done = suite.run("--infer-update-baselines", "--infer-timeout=3")
    assert done.ret == 1
    assert "did not answer within --infer-timeout=3 s and was ended" in suite.cases()["test_hang"].text
    assert suite.left() == []
    assert suite.stored() == []
    assert [path.name for path in elsewhere.iterdir()] == ["pytest-infer-locks"]


def test_long_temporary_folder(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker answers where the folder of temporary files has a longer name than a socket may have."""
    folder = suite.path / ("long" * 30)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    suite.write("""
        import pytest

        @pytest.mark.infer(model=len, inputs=("a",))
        def test_it(infer_engine): pass
    """)
    assert suite.run("--infer-isolate=always").ret == 0
    assert suite.outcomes() == {"test_it": "no_baseline"}
