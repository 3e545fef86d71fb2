"""JAX functions as engines: what they take and give, and what XLA makes of their precision."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_infer.engines.registry import find_backend
from pytest_infer.errors import EngineBuildError, PrecisionError, PrecisionRefusedError, UsageError
from pytest_infer.workload import Precision

pytest.importorskip("jax", reason="the jax backend's extra")

import jax
import jax.numpy as jnp

from pytest_infer.engines.jax.products import computed
from tests.frameworks.conftest import CPU

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.engines.target import InferEngine

    Opened = Callable[..., InferEngine]

W = np.random.default_rng(0).standard_normal((64, 8), np.float32)
X = np.random.default_rng(1).standard_normal((4, 64), np.float32)


def product(x: Any) -> Any:
    """A product in fp32."""
    return x @ W


def narrow(x: Any, dtype: str = "bfloat16", out: str | None = "float32") -> Any:
    """A product of numbers of a narrower type, summed in `out`."""
    return jax.lax.dot(x.astype(dtype), jnp.asarray(W, dtype), preferred_element_type=out).astype("float32")


def scaled(x: Any, mask: Any = None, *, scale: Any) -> dict[str, Any]:
    """Several outputs; the mask may be left out."""
    return {"y": x * scale, "z": (x.sum(), None, mask)}


@pytest.mark.parametrize("function", [product, jax.jit(product), functools.partial(jnp.matmul, b=W)])
def test_results(opened: Opened, function: Any) -> None:
    """An engine gives what the function computes, jitted or not, as arrays."""
    engine = opened("jax", function, inputs=(X,))
    output = engine(X)
    assert isinstance(output, np.ndarray)
    np.testing.assert_allclose(output, X @ W, rtol=1e-4, atol=1e-5)
    assert (engine.facts["fp32_share"], engine.facts["proof"]) == (1, "optimised HLO")


def test_smaller_batches(opened: Opened) -> None:
    """A call may bring fewer samples than the engine was made for."""
    np.testing.assert_allclose(opened("jax", product, inputs=X, batch=8)(X), X @ W, rtol=1e-4, atol=1e-5)


def test_several_inputs_and_outputs(opened: Opened) -> None:
    """Inputs go in by position and by name, those with a default may be left out; outputs have the dict's names."""
    engine = opened("jax", scaled, inputs={"scale": 2.0, "x": X})
    assert [spec.name for spec in engine.inputs] == ["x", "scale"]
    assert engine.outputs == ("y", "z_0")
    y, total = engine(X, 3.0)
    np.testing.assert_allclose(y, 3 * X)
    np.testing.assert_allclose(total, X.sum(), rtol=1e-4, atol=1e-4)


def test_whole_numbers(opened: Opened) -> None:
    """Numpy's usual type may be given, though JAX computes with a shorter one."""
    engine = opened("jax", lambda ids: jnp.asarray(W)[ids], inputs={"ids": range(10)}, shapes={"ids": (3,)})
    np.testing.assert_array_equal(engine(np.array([1, 2, 3])), W[1:4])


def test_types_that_numpy_has_not(opened: Opened) -> None:
    """Outputs in bf16 come out as float32."""
    output = opened("jax", lambda x: x.astype("bfloat16") + 1, "bf16", inputs=X)(X)
    assert output.dtype == np.float32
    np.testing.assert_allclose(output, X + 1, atol=0.05)


@pytest.mark.parametrize("by", ["option", "function"])
def test_donated_inputs(opened: Opened, by: str) -> None:
    """A call may take the memory of its inputs, and the next one has them all the same."""
    function: Any = jnp.tanh if by == "option" else jax.jit(jnp.tanh, donate_argnums=0)
    engine = opened("jax", function, inputs=X, options={"donate": ("x",)} if by == "option" else {})
    run = engine.runnable()
    for _ in range(3):
        np.testing.assert_allclose(np.asarray(run()), np.tanh(X), rtol=1e-4, atol=1e-6)


def test_rotation(opened: Opened) -> None:
    """A measurement goes through its input sets in turn, and waits for each."""
    run: Any = opened("jax", lambda x: x + 0, inputs=[X, 2 * X]).runnable()
    assert [round(float(run()[0, 0] / X[0, 0])) for _ in range(3)] == [1, 2, 1]


@pytest.mark.parametrize(
    ("function", "asked"),
    [
        (product, "bf16"),
        (product, "fp16"),
        (product, "int8"),
        (narrow, "fp32"),
        (narrow, "fp16"),
        (functools.partial(narrow, out=None), "fp32"),
        (functools.partial(narrow, dtype="float16"), "fp32"),
        (functools.partial(jax.lax.dot, rhs=W, precision="BF16_BF16_F32"), "bf16"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_another_precision(opened: Opened, function: Any, asked: str) -> None:
    """A function in one type is not served as another, nor are numbers that were rounded and widened again."""
    with pytest.raises(
        PrecisionError, match=f"asked for {asked}, but it computes .*; cast inside the function"
    ) as told:
        opened("jax", function, asked, inputs=(X,))
    assert not told.value.skips


def test_narrow_products(opened: Opened) -> None:
    """What is written in int8 is told from XLA's program; in a type that XLA widens here, the test is skipped."""
    ones = np.ones((64, 8), np.int8)
    engine = opened("jax", lambda x: jax.lax.dot(x, ones, preferred_element_type="int32"), "int8", inputs=ones.T)
    assert engine.facts["int8_share"] == 1
    for precision, function in (("fp16", functools.partial(narrow, dtype="float16")), ("bf16", narrow)):
        try:
            engine = opened("jax", function, precision, inputs=X)
        except PrecisionRefusedError as refusal:
            assert str(refusal).endswith(f"XLA computes its {precision} products in fp32 on this device")  # noqa: PT017
        else:
            assert engine.facts[f"{precision}_share"] == 1
            assert 0 < np.abs(engine(X) - X @ W).max() < 0.5


HLO = """
%fused (param_0: f32[4,64], param_1: bf16[64,8]) -> f32[4,8] {
  %param_0 = f32[4,64]{1,0} parameter(0)
  %convert = bf16[4,64]{1,0} convert(%param_0)
  %param_1 = bf16[64,8]{1,0} parameter(1)
  ROOT %dot.1 = f32[4,8]{1,0} dot(%convert, %param_1), lhs_contracting_dims={1}, rhs_contracting_dims={0}
}
ENTRY %main (x: f32[4,64], w: f32[64,8]) -> f32[4,8] {
  %x = f32[4,64]{1,0} parameter(0)
  %w = f32[64,8]{1,0} parameter(1)
  %dot.2 = f32[4,8]{1,0} dot(%x, %w), operand_precision={highest,highest}
  %gemm.1 = (f32[4,8]{1,0}, s8[64]{0}) custom-call(%x, %w), custom_call_target="__cublas$gemm", backend_config={}
  ROOT %topk = (f32[4,2]{1,0}, s32[4,2]{1,0}) custom-call(%x), custom_call_target="TopK"
}
"""


def test_products_of_a_program() -> None:
    """Products are found in fusions and in libraries' calls; those of fp32 may be TF32 on a GPU, by XLA's default."""
    assert computed(HLO) == {"bf16": 1, "fp32": 2}
    assert computed(HLO, 7.5) == {"bf16": 1, "fp32": 2}
    assert computed(HLO, 9.0) == {"bf16": 1, "fp32": 1, "tf32": 1}


VECTORS = """
%fused_reduce (param_0: f16[512,1024], param_1: f16[1024]) -> f32[512] {
  %param_1 = f16[1024]{0} parameter(1)
  %convert.2 = f32[1024]{0} convert(%param_1), metadata={op_name="jit(f)/dot_general"}
  %broadcast.1 = f32[512,1024]{1,0} broadcast(%convert.2), dimensions={1}, metadata={op_name="jit(f)/dot_general"}
  %param_0 = f16[512,1024]{1,0} parameter(0)
  %convert.1 = f32[512,1024]{1,0} convert(%param_0), metadata={op_name="jit(f)/dot_general"}
  %multiply.1 = f32[512,1024]{1,0} multiply(%broadcast.1, %convert.1), metadata={op_name="jit(f)/dot_general" id=2}
  ROOT %reduce.1 = f32[512]{0} reduce(%multiply.1, %zero), dimensions={1}, metadata={op_name="jit(f)/dot_general"}
}
%fused_multiply (param_0.1: s8[64,32], param_1.1: f32[64,32], param_2.1: f16[64,32]) -> s32[64,32] {
  %param_0.1 = s8[64,32]{1,0} parameter(0)
  %param_1.1 = f32[64,32]{1,0} parameter(1)
  %param_2.1 = f16[64,32]{1,0} parameter(2)
  %convert.3 = s32[64,32]{1,0} convert(%param_0.1), metadata={op_name="jit(f)/bi,bi->b/dot_general"}
  %convert.4 = f32[64,32]{1,0} convert(%param_2.1), metadata={op_name="jit(f)/convert_element_type"}
  %multiply.2 = s32[64,32]{1,0} multiply(%convert.3, %convert.3), metadata={op_name="jit(f)/bi,bi->b/dot_general"}
  %multiply.3 = f32[64,32]{1,0} multiply(%param_1.1, %convert.4), metadata={op_name="jit(f)/dot_general"}
  ROOT %multiply.4 = f32[64,32]{1,0} multiply(%param_1.1, %param_1.1), metadata={op_name="jit(f)/jit(gelu)/mul"}
}
"""
"""As XLA of JAX 0.11.2 makes them for an H200: its products of one row, and what is no product at all."""


def test_products_of_a_vector() -> None:
    """On a GPU XLA multiplies and adds one row by itself: what it multiplies are numbers in what they come in.

    A number that the function itself has widened comes in the wide type.
    """
    assert computed(VECTORS, 9.0) == {"fp16": 1, "int8": 1, "fp32": 1}
    assert computed(VECTORS) == {}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"threads": 1}, "JAX makes its threads when it starts"),
        ({"xlas": {}}, r"has no option 'xlas'; did you mean 'xla'\?"),
        ({"depth": {}}, "has no option 'depth'; it takes donate, xla"),
        ({"donate": ("y",)}, "a tuple of inputs is needed"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_options(opened: Opened, options: dict[str, Any], told: str) -> None:
    """What can't be set is told."""
    with pytest.raises(UsageError, match=told):
        opened("jax", product, inputs=X, options=options)


def test_compiler_options(opened: Opened) -> None:
    """They are XLA's, which says itself what it hasn't."""
    options = {"xla": {"xla_cpu_enable_fast_math": False}}
    np.testing.assert_allclose(opened("jax", product, inputs=X, options=options)(X), X @ W, rtol=1e-4, atol=1e-5)
    with pytest.raises(EngineBuildError, match=r"XLA can't compile it: .*no_such_option"):
        opened("jax", product, inputs=X, options={"xla": {"no_such_option": 1}})


def test_fresh_compilations(opened: Opened) -> None:
    """Where the build's time is asked, the function is compiled again, though JAX has it already."""
    calls = []

    def traced(x: Any) -> Any:
        calls.append(x)
        return x + 1

    for fresh in (False, False, True):
        opened("jax", traced, inputs=X, fresh_build=fresh)
    assert len(calls) == 2


def test_a_function_that_fails(opened: Opened) -> None:
    """Its own error comes out; what is no function is told."""

    def fail(x: Any) -> Any:
        raise ValueError(f"no input of shape {x.shape} today")

    with pytest.raises(ValueError, match=r"no input of shape \(4, 64\) today"):
        opened("jax", fail, inputs=X)
    with pytest.raises(UsageError, match="takes a function of arrays, not a object"):
        opened("jax", object(), inputs=X)
    with pytest.raises(UsageError, match="it returns nothing"):
        opened("jax", lambda x: None, inputs=X)  # noqa: ARG005 - by that name


def test_devices() -> None:
    """The CPU's backend refuses a GPU and TF32, CUDA's a CPU, and everything where JAX has no GPU."""
    gpu = dataclasses.replace(CPU, kind="gpu")
    assert find_backend("jax").refuses(Precision.FP32, CPU) is None
    assert "NVIDIA" in str(find_backend("jax").refuses(Precision.TF32, CPU))
    assert "use backend='jax:cuda'" in str(find_backend("jax").refuses(Precision.FP32, gpu))
    assert "computes on a GPU" in str(find_backend("jax:cuda").refuses(Precision.FP32, CPU))
    if {device.platform for device in jax.devices()} == {"cpu"}:
        assert "has no such device" in str(find_backend("jax:cuda").refuses(Precision.FP32, gpu))
    with pytest.raises(UsageError, match="no backend 'jax:tpu'"):
        find_backend("jax:tpu")
