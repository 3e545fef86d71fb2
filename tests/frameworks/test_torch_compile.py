"""Modules that torch.compile made faster: what their graphs hold, and what it can't take."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_infer.engines.registry import find_backend
from pytest_infer.errors import EngineBuildError, PrecisionRefusedError
from pytest_infer.workload import Precision

pytest.importorskip("torch", reason="the torch backend's extra")

import torch
from torch import nn

from tests.frameworks.conftest import CPU
from tests.frameworks.modules import Breaking, Failing

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.engines.target import InferEngine

    Opened = Callable[..., InferEngine]

COMPILED = {"mode": "default"}
X = np.random.default_rng(0).standard_normal((8, 8), np.float32)
ROWS = np.random.default_rng(0).standard_normal((8, 32), np.float32)


def compiled(opened: Opened, *args: Any, **given: Any) -> InferEngine:
    """An engine of a compiled module; without a C++ compiler the test is skipped."""
    try:
        return opened("torch", *args, **given)
    except EngineBuildError as error:
        if "C++ compiler" in str(error):
            pytest.skip(str(error))
        raise


def test_compiled(opened: Opened) -> None:
    """It computes nearly the same, and its graph tells in what."""
    precision = "fp32" if find_backend("torch").refuses(Precision.BF16, CPU) else "bf16"
    module = nn.Sequential(nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 4))
    engine = compiled(opened, module, precision, inputs=ROWS, options=COMPILED)
    np.testing.assert_allclose(engine(ROWS), opened("torch", module, inputs=ROWS)(ROWS), atol=0.02)
    told = {key: engine.facts[key] for key in ("mode", "graphs", "proof", f"{precision}_share")}
    assert told == {"mode": "default", "graphs": 1, "proof": "compiled graph", f"{precision}_share": 1}


def test_widened_by_the_compiler(opened: Opened) -> None:
    """A fused layer that autocast makes bf16 in eager mode only is not served as bf16."""
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    tokens = np.ones((2, 5, 16), np.float32)
    with pytest.raises(PrecisionRefusedError, match=r"torch.compile computes its bf16 operations in fp32"):
        compiled(opened, layer, "bf16", inputs=tokens, options=COMPILED)


def test_what_can_not_be_compiled(opened: Opened) -> None:
    """A graph break is an error with PyTorch's reason and the way out, which is then taken; no graph is one, too."""
    with pytest.raises(EngineBuildError, match=r"(?s)Breaking: torch.compile can't take it: .*`print`.*'fullgraph'"):
        opened("torch", Breaking(), inputs=X, options=COMPILED)
    engine = compiled(opened, Breaking(), inputs=X, options=COMPILED | {"fullgraph": False})
    np.testing.assert_allclose(engine(X), np.linalg.matrix_power(X, 4), rtol=1e-3, atol=1e-6)
    assert engine.facts["graphs"] == 2
    with pytest.raises(EngineBuildError, match="found nothing to compile"):
        opened("torch", nn.Identity(), inputs=X, options=COMPILED)


def test_a_module_that_fails(opened: Opened) -> None:
    """Its own error comes out, not the compiler's."""
    with pytest.raises(ValueError, match=r"no input of shape \(8, 8\) today"):
        opened("torch", Failing(), inputs=X, options=COMPILED)


def test_no_compiler(opened: Opened) -> None:
    """PyTorch's own reason is told."""
    config: Any = importlib.import_module("torch._inductor.config")
    module = nn.Sequential(nn.Linear(8, 5), nn.Sigmoid())
    with (
        config.patch({"cpp.cxx": (None, "no-such-compiler")}),
        pytest.raises(EngineBuildError, match=r"No working C\+\+ compiler found(?s:.)*\{'mode': 'eager'\}"),
    ):
        opened("torch", module, inputs=X, options=COMPILED)
    assert torch.is_grad_enabled()
