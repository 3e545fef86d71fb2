"""Engines of Python objects, opened as a test's marker would, and a user's suite that measures them."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_infer.device.fingerprint import Device
from pytest_infer.engines.open import EngineRequest, Surroundings, open_target
from pytest_infer.engines.plan_cache import PlanCache
from pytest_infer.engines.registry import find_backend
from pytest_infer.engines.target import InferEngine
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

THREADS: Final = 2
CPU: Final = Device(slug="cpu-x-2c", kind="cpu", name="CPU X", identity={"cores": THREADS})


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., InferEngine]]:
    """Opens an object on a backend by what a marker would say; a precision that this CPU has not skips the test."""
    around = Surroundings(
        device=CPU,
        backend=find_backend,
        test_folder=tmp_path,
        root=tmp_path,
        plans=PlanCache(tmp_path / "plans"),
        threads=THREADS,
        memory=lambda: lambda: None,
    )
    engines = []

    def open_(backend: str, model: Any, precision: str | None = None, **given: Any) -> InferEngine:
        wanted = Precision(precision) if precision else None
        if wanted and (reason := find_backend(backend).refuses(wanted, CPU)) is not None:
            pytest.skip(reason)
        values = {"shapes": {}, "options": {}} | given
        engine = open_target(EngineRequest(model=model, backend=backend, precision=wanted, **values), around)
        assert isinstance(engine, InferEngine)
        engines.append(engine)
        return engine

    yield open_
    for engine in engines:
        engine.close()
        engine.close()  # as a test's end does with a reference that was closed before


@pytest.fixture
def run_suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., pytest.RunResult]]:
    """Runs test source in a pytest process of its own, as shortly as can be, with these further arguments."""
    plugins = ("-p", "no:randomly", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")
    short = ("--infer-time=0.05", "--infer-max-time=0.3", "--infer-runs=2", "--infer-report=report.json", "-rs")
    pytester.makeconftest(
        "from pytest_infer.device import cpu_state\ncpu_state.read_cpu_state = lambda *_: cpu_state.CpuState()\n"
        "from pytest_infer.stats import repeats\nrepeats.TENFOLD = float('inf')\n"  # such short runs lie far apart
    )
    # Device locks lie in the folder for temporary files: nobody else's measurement is to be waited for.
    with tempfile.TemporaryDirectory(prefix="i-", ignore_cleanup_errors=True) as elsewhere:
        monkeypatch.setenv("TMPDIR", elsewhere)
        monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / "cache"))
        monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)

        def run(source: str, *args: str) -> pytest.RunResult:
            pytester.makepyfile(test_it=source)
            return pytester.runpytest_subprocess(*plugins, *short, *args, timeout=200)

        yield run
