"""Targets that take their process down: the suite goes on, the verdict says what happened, nothing is left behind."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import ELSEWHERE

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


def test_leak(suite: Suite) -> None:
    """A target that takes memory until there is no more: told, and the next test runs."""
    suite.write("""
        import resource
        from pathlib import Path

        import pytest

        MB = 2**20
        kept = []

        def leak():
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + 264 * MB, resource.getrlimit(resource.RLIMIT_AS)[1]))
            while True:
                kept.append(bytearray(16 * MB))  # of what is left at the end, 8 MB, the error is told

        @pytest.mark.infer(model=leak)
        def test_leak(infer_engine): pass

        @pytest.mark.infer(model=len, inputs=("a",))
        def test_fine(infer_engine): pass
    """)
    suite.run("--infer-isolate=always").assert_outcomes(passed=1, failed=1)
    assert "MemoryError" in suite.cases()["test_leak"].text
    assert suite.outcomes() == {"test_fine": "no_baseline"}


CRASHES_ELSEWHERE = (
    ELSEWHERE
    + """
import ctypes

import pytest

def work():
    if ELSEWHERE:
        ctypes.string_at(0)
    return sum(range(5_000))

@pytest.mark.infer(model=work)
def test_one(infer_engine): pass

@pytest.mark.infer(model=work)
def test_two(infer_engine): pass
"""
)


def test_a_crash_while_confirming(suite: Suite) -> None:
    """Slow in the suite's process, and dead in a fresh one: told by name, and the next test runs."""
    suite.record(CRASHES_ELSEWHERE)
    suite.loosen()
    suite.doctor("test_one", latency_times=1e-12)
    (suite.path / "first").touch()
    suite.run().assert_outcomes(passed=1, failed=1)
    text = suite.cases()["test_one"].text
    assert "a worker process was killed by SIGSEGV" in text
    assert "in work" in text, "the crash's own report"
    assert suite.outcomes() == {"test_two": "passed"}
    assert suite.left() == []


HANGS = """
import ctypes
import os
import socket
import subprocess
import sys

import pytest

def hang(pause):
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.alarm(60); signal.pause()"])
    with socket.create_connection(("127.0.0.1", int(os.environ["PORT"]))) as line:
        line.sendall(b"!")
        pause()

def here(library):  # a call by PyDLL lets no other thread of Python run
    return lambda: hang(library(None).pause)

@pytest.mark.infer(model=here(ctypes.CDLL))
def test_waits(infer_engine): pass

@pytest.mark.infer(model=here(ctypes.PyDLL))
def test_stuck(infer_engine): pass
"""


@pytest.mark.parametrize("test", ["test_waits", "test_stuck"])
def test_a_killed_parent_s_worker_s_child(suite: Suite, monkeypatch: pytest.MonkeyPatch, test: str) -> None:
    """When the parent is killed, neither its worker is left, even if that is stuck in C code, nor what it started."""
    suite.write(HANGS)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        monkeypatch.setenv("PORT", str(server.getsockname()[1]))
        process = suite.start("--infer-isolate=always", f"test_it.py::{test}")
        line, _ = server.accept()
        with line:
            line.settimeout(60)
            assert line.recv(1) == b"!"
            process.kill()
            process.communicate(timeout=60)
            line.settimeout(10)
            assert line.recv(1) == b"", "whoever measured is gone"
    assert suite.left() == []


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
