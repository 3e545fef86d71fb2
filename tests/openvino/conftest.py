"""Engines of OpenVINO, opened as a test's marker would."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.device.fingerprint import Device
from pytest_infer.engines.open import EngineRequest, Surroundings, open_target
from pytest_infer.engines.plan_cache import PlanCache
from pytest_infer.engines.registry import find_backend
from pytest_infer.engines.target import InferEngine
from pytest_infer.errors import PrecisionRefusedError
from pytest_infer.workload import Precision, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CPU = Device(slug="cpu-x-2c", kind="cpu", name="CPU X", identity={"cores": 2})


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., InferEngine]:
    """Opens a model file by what a marker would say; a precision that this CPU has not skips the test."""
    around = Surroundings(
        device=CPU,
        backend=find_backend,
        test_folder=tmp_path,
        root=tmp_path,
        plans=PlanCache(tmp_path / "plans"),
        threads=2,
        memory=lambda: lambda: None,
    )

    def open_(model: Path, precision: str | None = None, scenario: str = "single_stream", **given: Any) -> InferEngine:
        values = {"backend": "openvino", "shapes": {}, "options": {}} | given
        wanted = Precision(precision) if precision else None
        request = EngineRequest(model=model, precision=wanted, scenario=Scenario(scenario), **values)
        try:
            engine = open_target(request, around)
        except PrecisionRefusedError as refusal:
            pytest.skip(str(refusal))
        assert isinstance(engine, InferEngine)
        return engine

    return open_


@pytest.fixture
def run_suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., pytest.RunResult]]:
    """Runs test source in a pytest process of its own, as shortly as can be, with environment variables by keyword."""
    short = ("--infer-time=0.01", "--infer-max-time=0.3", "--infer-report=report.json", "-rsf")
    quiet = "from pytest_infer.device import cpu_state\ncpu_state.read_cpu_state = lambda *_: cpu_state.CpuState()\n"
    # Device locks lie in the folder for temporary files: nobody else's measurement is to be waited for.
    with tempfile.TemporaryDirectory(prefix="i-", ignore_cleanup_errors=True) as elsewhere:
        monkeypatch.setenv("TMPDIR", elsewhere)
        monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / "cache"))
        monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)

        def run(source: str, *, conftest: str = "", **environment: str) -> pytest.RunResult:
            for name, value in environment.items():
                monkeypatch.setenv(name, value)
            pytester.makeconftest(quiet + conftest)
            pytester.makepyfile(test_it=source)
            plugins = ("-p", "no:randomly", "-p", "no:hypothesispytest")
            return pytester.runpytest_subprocess(*plugins, *short, timeout=120)

        yield run
