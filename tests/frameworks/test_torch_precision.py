"""What PyTorch modules compute in, and what is told of those that are something else."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_infer.engines.registry import find_backend
from pytest_infer.errors import PrecisionError, PrecisionRefusedError, UsageError
from pytest_infer.workload import Precision

pytest.importorskip("torch", reason="the torch backend's extra")

import torch
from torch import nn

from tests.frameworks.conftest import CPU
from tests.frameworks.modules import small

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.engines.target import InferEngine

    Opened = Callable[..., InferEngine]

PICTURES = np.random.default_rng(0).standard_normal((2, 3, 8, 8), np.float32)
TOKENS = np.random.default_rng(0).standard_normal((2, 5, 16), np.float32)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_autocast(opened: Opened, precision: str) -> None:
    """Convolution and product compute in the precision, on weights in fp32, and nearly the same."""
    module = small()
    engine = opened("torch", module, precision, inputs=PICTURES)
    assert engine.facts[f"{precision}_share"] == 1
    assert engine.facts["proof"] == "execution trace"
    assert engine.facts["weights"] == {"fp32": 1}
    expected = opened("torch", module, "fp32", inputs=PICTURES)(PICTURES)
    np.testing.assert_allclose(engine(PICTURES), expected, atol=0.03)


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_modules_that_were_cast(opened: Opened, precision: str, dtype: Any) -> None:
    """They run as they are, their inputs cast; their outputs are arrays that numpy has."""
    engine = opened("torch", small().to(dtype), precision, inputs=PICTURES)
    assert engine.facts["weights"] == {precision: 1}
    assert "autocast" not in engine.facts
    assert engine(PICTURES).dtype == (np.float32 if precision == "bf16" else np.float16)


@pytest.mark.parametrize("layer", ["encoder", "attention", "lstm"])
def test_layers_with_kernels_of_their_own(opened: Opened, layer: str) -> None:
    """What autocast makes of a fused layer's parts is seen inside it."""
    layers: dict[str, Any] = {
        "encoder": nn.TransformerEncoderLayer(16, 2, 32, batch_first=True),
        "attention": nn.MultiheadAttention(16, 2, batch_first=True),
        "lstm": nn.LSTM(16, 5, batch_first=True),
    }
    module = layers[layer]
    inputs = (TOKENS,) * 3 if layer == "attention" else TOKENS
    assert opened("torch", module, "bf16", inputs=inputs).facts["bf16_share"] == 1
    assert opened("torch", module, "fp32", inputs=inputs).facts["fp32_share"] == 1


@pytest.mark.parametrize(
    ("dtype", "asked"), [("bfloat16", "fp32"), ("bfloat16", "fp16"), ("float16", "fp32"), ("float64", "fp32")]
)
def test_another_precision(opened: Opened, dtype: str, asked: str) -> None:
    """A module in one type is not served as another."""
    with pytest.raises(PrecisionError, match=rf"asked for {asked}, but none .* \(2 in (bf16|fp16|fp64); by execution"):
        opened("torch", small().to(getattr(torch, dtype)), asked, inputs=PICTURES)


def test_autocast_without_effect(opened: Opened) -> None:
    """A module that autocast leaves in fp32 is not served as bf16."""
    with pytest.raises(PrecisionError, match="asked for bf16, but none"):
        opened("torch", nn.Softmax(-1), "bf16", inputs=TOKENS)
    assert opened("torch", nn.Softmax(-1), "fp32", inputs=TOKENS).facts["fp32_share"] == 1


def test_int8_is_not_made(opened: Opened) -> None:
    """fp32 is not served as int8: the test is skipped, and told whose work quantizing is."""
    with pytest.raises(PrecisionRefusedError, match=r"nothing in it computes in int8 .*give one that is quantized"):
        opened("torch", small(), "int8", inputs=PICTURES)
    with pytest.raises(PrecisionRefusedError, match="'torch' quantizes no model by itself"):
        opened("torch", small(), "int8", inputs=PICTURES, calibration=[{"input": PICTURES}])


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_quantized_modules(opened: Opened) -> None:
    """A module that was quantized is int8, and nothing else."""
    quantization = pytest.importorskip("torch.ao.quantization", reason="PyTorch's own quantization is gone")
    module = quantization.quantize_dynamic(nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4)), {nn.Linear})
    assert opened("torch", module, "int8", inputs=TOKENS).facts["int8_share"] == 1
    with pytest.raises(PrecisionError, match=r"asked for fp32, but none .* \(2 in int8; by execution trace\)"):
        opened("torch", module, "fp32", inputs=TOKENS)


def test_reduced_products_of_fp32(opened: Opened) -> None:
    """fp32 stays fp32 where a program lets PyTorch compute its products in bf16; its setting stays, too."""
    x = np.random.default_rng(0).standard_normal((256, 256), np.float32)
    module = nn.Linear(256, 256, bias=False)
    exact = x.astype(float) @ module.weight.detach().numpy().astype(float).T
    kept = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        engine = opened("torch", module, "fp32", inputs=x)
        assert np.abs(engine(x) - exact).max() < 1e-4
        output: Any = engine.runnable()
        assert np.abs(output().numpy() - exact).max() < 1e-4
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(kept)


@pytest.mark.parametrize(
    ("precision", "reason"),
    [
        ("tf32", "NVIDIA"),
        ("fp8", "widens fp8"),
        ("fp16", "no fp16 instructions: PyTorch would compute it in fp32"),
        ("bf16", "no bf16 instructions"),
        ("fp32", None),
        ("int8", None),
    ],
)
def test_an_older_cpu(monkeypatch: pytest.MonkeyPatch, precision: str, reason: str | None) -> None:
    """Precisions that the CPU has no instructions for are refused with that reason."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    told = find_backend("torch").refuses(Precision(precision), CPU)
    assert (told is None) if reason is None else (told is not None and reason in told)


def test_devices() -> None:
    """The CPU's backend refuses a GPU and CUDA's a CPU; without a GPU CUDA's refuses everything."""
    gpu = dataclasses.replace(CPU, kind="gpu")
    told = [
        find_backend("torch").refuses(Precision.FP32, gpu),
        find_backend("torch:cuda").refuses(Precision.FP32, CPU),
    ]
    assert [text and text.partition(";")[0] for text in told] == [
        "backend 'torch' computes on the CPU",
        "backend 'torch:cuda' computes on a GPU",
    ]
    if not torch.cuda.is_available():
        reason = find_backend("torch:cuda").refuses(Precision.FP32, gpu)
        assert reason is not None
        assert "sees no CUDA device" in reason


def test_an_older_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has no switch for the products of float32 can't promise fp32, and is told to be replaced."""
    monkeypatch.delattr(type(torch.backends.mkldnn), "matmul")
    with pytest.raises(UsageError, match=r"can't be told what to multiply float32 in.*install torch>=2.9"):
        find_backend("torch")
