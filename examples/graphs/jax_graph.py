"""An ONNX network as a function of JAX arrays with the same weights: for networks like the examples', not for all."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any, Final

import jax.numpy as jnp
import numpy as np
from jax import lax, nn
from jax.scipy.special import erf

from examples.graphs.network import read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from jax import Array

_FLOAT: Final = 1
_TYPES: Final = {7: "int32", 9: "bool"}


def load(path: Path, dtype: str = "float32") -> Callable[..., Array]:
    """The network in `path`: a function that takes the network's inputs under their own names, and can be jitted.

    Args:
        path: an ONNX file in fp32.
        dtype: what it is to compute in; inputs and the output stay float32.

    Raises:
        NotImplementedError: it computes with an operation that is not among `OPERATIONS`.
    """
    network = read(path, OPERATIONS)
    weights = {name: jnp.asarray(array, dtype) for name, array in network.weights.items()}
    signature = inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in network.inputs]
    )

    def compute(*args: Array, **kwargs: Array) -> Array:
        given = signature.bind(*args, **kwargs).arguments
        values: dict[str, Any] = {"": None, **network.numbers, **weights}
        values |= {name: _in(dtype, jnp.asarray(value)) for name, value in given.items()}
        for node in network.nodes:
            value = OPERATIONS[node.op](*(values[name] for name in node.inputs), **node.attributes)
            values[node.outputs[0]] = _in(dtype, value)
        return jnp.asarray(values[network.output], jnp.float32)

    compute.__name__ = compute.__qualname__ = path.stem
    compute.__signature__ = signature  # type: ignore[attr-defined]
    return compute


def _in(dtype: str, value: Any) -> Any:
    """`value` in the network's arithmetic, if it is a float: ONNX's Cast, for one, always says float32."""
    return value.astype(dtype) if hasattr(value, "dtype") and jnp.issubdtype(value.dtype, jnp.floating) else value


def _pairs(pads: Sequence[int]) -> list[tuple[int, int]]:
    """ONNX's (top, left, bottom, right) as an axis' beginning and end."""
    return list(zip(pads[:2], pads[2:], strict=True)) if pads else [(0, 0), (0, 0)]


def _pool(
    x: Array,
    step: Callable[..., Any],
    start: float,
    kernel_shape: Sequence[int],
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (),
) -> Array:
    window, steps, padding = (1, 1, *kernel_shape), (1, 1, *strides), [(0, 0), (0, 0), *_pairs(pads)]
    pooled: Array = lax.reduce_window(x, np.array(start, x.dtype), step, window, steps, padding)
    return pooled


def _average_pool(x: Array, *, kernel_shape: Sequence[int], strides: Sequence[int] = (1, 1)) -> Array:
    return _pool(x, lax.add, 0, kernel_shape, strides) / math.prod(kernel_shape)


def _normalised(x: Array, scale: Array, offset: Array, *, axis: int = -1, epsilon: float = 1e-5) -> Array:
    """Mean and variance in float32, as all frameworks do."""
    wide = x.astype(jnp.float32)
    axes = tuple(range(x.ndim))[axis:]
    mean, variance = wide.mean(axes, keepdims=True), wide.var(axes, keepdims=True)
    return ((wide - mean) * lax.rsqrt(variance + epsilon)).astype(x.dtype) * scale + offset


def _conv(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    pads: Sequence[int] = (),
    strides: Sequence[int] = (1, 1),
    dilations: Sequence[int] = (1, 1),
    group: int = 1,
) -> Array:
    y = lax.conv_general_dilated(x, weight, strides, _pairs(pads), rhs_dilation=dilations, feature_group_count=group)
    return y if bias is None else y + _along_channels(bias)


def _batch_normalised(
    x: Array, scale: Array, offset: Array, mean: Array, variance: Array, *, epsilon: float = 1e-5
) -> Array:
    factor = scale * lax.rsqrt(variance + epsilon)
    return x * _along_channels(factor) + _along_channels(offset - mean * factor)


def _along_channels(values: Array) -> Array:
    return values[:, np.newaxis, np.newaxis]


def _reshape(x: Array, shape: Sequence[int]) -> Array:
    return x.reshape([size or x.shape[axis] for axis, size in enumerate(shape)])


OPERATIONS: Final[dict[str, Callable[..., Any]]] = {
    "Add": lambda a, b: a + b,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_normalised,
    "Cast": lambda x, *, to: x.astype(_TYPES.get(to, "float32")),
    "Concat": lambda *parts, axis: jnp.concatenate(parts, axis),
    "Conv": _conv,
    "CumSum": lambda x, axis, *, exclusive=0: jnp.cumsum(x, axis) - (x if exclusive else 0),
    "Div": lambda a, b: a / b,
    "Erf": erf,
    "Flatten": lambda x, *, axis=1: x.reshape(*x.shape[:axis], -1),
    "Gather": lambda x, indices, *, axis=0: jnp.take(x, indices, axis=axis),
    "Gemm": lambda a, b, c=0, *, transB=0: a @ (b.T if transB else b) + c,  # noqa: N803 - ONNX's name
    "GlobalAveragePool": lambda x: x.mean((2, 3), keepdims=True),
    "LayerNormalization": _normalised,
    "MatMul": jnp.matmul,
    "MaxPool": lambda x, **window: _pool(x, lax.max, -np.inf, **window),
    "Mul": lambda a, b: a * b,
    "ReduceL2": lambda x, *, axes, keepdims=1: jnp.linalg.norm(x, axis=axes[0], keepdims=bool(keepdims)),
    "ReduceSum": lambda x, axes, *, keepdims=1: x.sum(tuple(axes), keepdims=bool(keepdims)),
    "Relu": nn.relu,
    "Reshape": _reshape,
    "Softmax": lambda x, *, axis=-1: nn.softmax(x, axis),
    "Transpose": lambda x, *, perm: x.transpose(perm),
    "Unsqueeze": lambda x, axes: jnp.expand_dims(x, tuple(axes)),
    "Where": jnp.where,
}
"""What computes each of ONNX's operations: operands in its order, attributes by its names."""
