"""What became of the products that a function asks for."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_infer.engines.arithmetic import kind_of, reconciled
from pytest_infer.engines.registry import find_backend
from pytest_infer.workload import Precision
from tests.frameworks.conftest import CPU

WIDENED = "bf16 widened to fp32"


@pytest.mark.parametrize(
    ("written", "computed", "asked", "nodes"),
    [
        ({"fp32": 2}, {"fp32": 2}, "fp32", {"fp32": 2}),
        ({"fp32": 2}, {"fp32": 1}, "fp32", {"fp32": 1}),
        ({"bf16": 2}, {"bf16": 2}, "bf16", {"bf16": 2}),
        ({"bf16": 2}, {"bf16": 1, "fp32": 1}, "bf16", {"bf16": 1, "fp32": 1}),
        ({"bf16": 2}, {"fp32": 2}, "bf16", {"fp32": 2}),
        ({"bf16": 2}, {"fp32": 2}, "fp32", {WIDENED: 2}),
        ({"bf16": 1, "fp32": 1}, {"fp32": 2}, "fp32", {WIDENED: 1, "fp32": 1}),
        ({"bf16": 1}, {}, "fp32", {WIDENED: 1}),
    ],
)
def test_reconciled(written: dict[str, int], computed: dict[str, int], asked: str, nodes: dict[str, int]) -> None:
    """Products that were rounded to a narrow type and multiplied in fp32 are neither, unless the type was asked for."""
    assert reconciled(written, computed, Precision(asked)) == nodes


def test_kinds() -> None:
    """One arithmetic has a name in every library; indices and masks have none."""
    assert {kind_of(name) for name in ("float32", "torch.float32", "f32")} == {"fp32"}
    assert {kind_of(name) for name in ("float8_e4m3fn", "torch.float8_e5m2", "f8e4m3fn")} == {"fp8"}
    assert [kind_of(name) for name in ("torch.quint8", "s8", "bf16", "half")] == ["int8", "int8", "bf16", None]
    assert [kind_of(name) for name in ("int64", "torch.bool", "pred", None)] == [None] * 4


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_tf32_by_the_environment(monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    """What the environment forbids to all of NVIDIA's libraries is refused, GPU or not."""
    pytest.importorskip(backend, reason=f"the {backend} backend's extra")
    gpu = dataclasses.replace(CPU, kind="gpu")
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    on_gpu = find_backend(f"{backend}:cuda")
    assert "NVIDIA_TF32_OVERRIDE=0 forbids TF32" in str(on_gpu.refuses(Precision.TF32, gpu))
    assert "TF32" not in str(on_gpu.refuses(Precision.FP32, gpu))
