"""Backends of other people, installed as packages with an entry point."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import Suite

SOURCE = """
import numpy as np
import pytest

@pytest.mark.infer(model="models/linear.onnx", backend="reference", precision=["fp32", "int8"], batch=2)
def test_linear(infer_engine):
    assert infer_engine(np.zeros((2, 4), np.float32)).shape == (2, 3)
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package `reference-backend`, laid out as an installer does, where Python looks for packages."""
    shutil.copy(Path(__file__).parent / "third_party" / "reference_backend.py", tmp_path)
    told = tmp_path / "reference_backend-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: reference-backend\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text("[pytest_infer]\nreference = reference_backend\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.mark.usefixtures("installed")
def test_a_backend_by_entry_point(suite: Suite) -> None:
    """It builds, is cached, proves itself, is recorded in processes of their own, compared, and may refuse."""
    suite.write(SOURCE)
    recorded = suite.run("--infer-update-baselines")
    recorded.assert_outcomes(passed=1, skipped=1)
    suite.loosen()
    suite.run("-rs").assert_outcomes(passed=1, skipped=1)
    (result,) = suite.results().values()
    assert str(result.outcome) == "passed"
    assert result.workload["backend"] == "reference"
    assert result.facts["built_by"] == "reference"
    assert result.facts["fp32_share"] == 1.0
    assert "converts nothing" in suite.cases()["test_linear[int8]"].message


@pytest.mark.usefixtures("installed")
def test_a_backend_that_is_something_else(suite: Suite) -> None:
    """What it proves to be is held against what was asked, whoever wrote it."""
    suite.write(SOURCE.replace("batch=2", "batch=2, options={'lies': True}"))
    suite.run().assert_outcomes(errors=1, skipped=1)
    assert "asked for fp32, but none of its heavy nodes computes in it (1 in bf16; by the source)" in (
        suite.cases()["test_linear[fp32]"].text
    )


def test_without_it_there_is_no_such_backend(suite: Suite) -> None:
    """The name means nothing to us."""
    suite.write(SOURCE)
    suite.run().assert_outcomes(errors=2)
    assert "no backend 'reference'; there is onnxruntime, " in suite.cases()["test_linear[fp32]"].text
