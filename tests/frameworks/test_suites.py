"""Python objects on their backends in real runs of pytest."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_infer.engines.registry import find_backend
from pytest_infer.report.json_report import read
from pytest_infer.workload import Precision
from tests.frameworks.conftest import CPU

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.report.json_report import JsonResult

    Run = Callable[..., pytest.RunResult]

TORCH = """
import numpy as np
import pytest
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two = torch.nn.Linear(16, 8), torch.nn.Linear(8, 4)

    def forward(self, x):
        return self.two(torch.relu(self.one(x)))

@pytest.mark.infer(model=Net(), backend="torch", precision=["bf16", "tf32"], batch=2, min_cosine=0.99,
                   inputs=np.random.default_rng(0).standard_normal((2, 16), np.float32))
def test_net(infer_engine):
    assert infer_engine(np.zeros((2, 16), np.float32)).shape == (2, 4)
"""

JAX = """
import numpy as np
import pytest
import jax.numpy as jnp

def net(x):
    return jnp.tanh(x @ jnp.ones((16, 4)))

def ints(x):
    return jnp.dot(jnp.round(100 * x).astype("int8"), jnp.ones((16, 4), "int8"), preferred_element_type="int32")

X = np.random.default_rng(0).uniform(size=(2, 16)).astype(np.float32)

@pytest.mark.infer(model=net, backend="jax", shapes={"x": (16,)}, batch=2)
def test_net(infer_engine):
    np.testing.assert_allclose(infer_engine(X), np.tanh(X @ np.ones((16, 4))), rtol=1e-4, atol=1e-6)

@pytest.mark.infer(model=ints, backend="jax", precision="int8", inputs=X)
def test_ints(infer_engine):
    pass

@pytest.mark.infer(model=ints, backend="jax", precision="int8", inputs=X, min_cosine=0.99)
def test_budget(infer_engine):
    pass

@pytest.mark.infer(model=ints, backend="jax", precision="int8", inputs=X, min_cosine=0.999,
                   reference=lambda x: 100 * x @ np.ones((16, 4)))
def test_reference(infer_engine):
    pass

@pytest.mark.infer(model=net, backend="jax", precision="bf16", inputs=X)
def test_wrong(infer_engine):
    pass
"""


def results(pytester: pytest.Pytester) -> dict[str, JsonResult]:
    """The results of the last run by test."""
    return {r.nodeid.partition("::")[2]: r for r in read(pytester.path / "report.json").results}


def test_torch(pytester: pytest.Pytester, run_suite: Run) -> None:
    """A module is recorded in processes that make it anew, is held against itself in fp32, and says what it is."""
    pytest.importorskip("torch", reason="the torch backend's extra")
    if (reason := find_backend("torch").refuses(Precision.BF16, CPU)) is not None:
        pytest.skip(reason)
    done = run_suite(TORCH, "--infer-update-baselines")
    done.assert_outcomes(passed=1, skipped=1)
    done.stdout.fnmatch_lines(["SKIPPED *tf32 on * NVIDIA's matrix units*"])
    result = results(pytester)["test_net[bf16]"]
    assert result.workload["target"] == "test_it:Net"
    assert (result.facts["precision"], result.facts["bf16_share"]) == ("bf16", 1)
    assert result.accuracy["cosine"] >= 0.99
    (baseline,) = pytester.path.glob("baselines/*/test_it.json")
    (entry,) = json.loads(baseline.read_text())["entries"].values()
    assert len(entry["runs"]) == 2


def test_jax(pytester: pytest.Pytester, run_suite: Run) -> None:
    """A function is measured in what it is written in; where that is not fp32, accuracy needs a reference."""
    pytest.importorskip("jax", reason="the jax backend's extra")
    done = run_suite(JAX)
    done.assert_outcomes(passed=3, failed=1, errors=1)
    done.stdout.fnmatch_lines(
        ["net: asked for bf16, but it computes 1 in fp32*", "min_cosine: nothing says what cosine is*give reference=*"]
    )
    found = results(pytester)
    assert found["test_net"].facts["precision"] == "fp32"
    assert found["test_ints"].facts == {
        "device": "cpu",
        "int8_share": 1.0,
        "precision": "int8",
        "proof": "optimised HLO",
    }
    assert found["test_reference"].accuracy["cosine"] >= 0.999


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_what_loads(backend: str) -> None:
    """A backend's modules load without its library, which only an engine needs."""
    source = (
        f"import sys; from pytest_infer.engines.registry import find_backend; sys.modules[{backend!r}] = None\n"
        f"import pytest_infer.engines.{backend}; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert f"pytest_infer.engines.{backend}.engine" in done.stdout.split()
