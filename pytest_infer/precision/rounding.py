"""Numbers in fewer bits: to the nearest, ties to even, never past the largest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer.errors import MissingDependencyError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def rounded(array: NDArray[Any], dtype: str, *, nothing: bool = True) -> NDArray[Any]:
    """Floats as `float16`, `bfloat16` or `float8_e4m3fn`; finite ones beyond the type's range become its largest.

    Args:
        array: the floats.
        dtype: the type by numpy's name.
        nothing: whether what is too small for the type becomes zero, or the smallest number that it has.
    """
    try:
        import ml_dtypes
    except ImportError:
        raise MissingDependencyError("ml_dtypes", "onnxruntime", f"rounding weights to {dtype}") from None
    kind = np.dtype(dtype) if dtype == "float16" else np.dtype(getattr(ml_dtypes, dtype))
    limits: Any = ml_dtypes.finfo(kind)  # type: ignore[no-untyped-call]
    largest, smallest = float(limits.max), float(limits.smallest_subnormal)
    tame = np.where(np.isfinite(array), np.clip(array, -largest, largest), array)
    if not nothing:
        tame = np.where((tame != 0) & (np.abs(tame) < smallest), np.copysign(smallest, tame), tame)
    with np.errstate(all="ignore"):
        return tame.astype(kind)
