"""Default accuracy tolerances: one for each precision, and who falls below them."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from pytest_infer.accuracy import compare
from pytest_infer.tolerances import DEFAULTS, default_inaccuracies
from pytest_infer.workload import Precision


def test_each_precision_has_one_with_its_source() -> None:
    """Coarser arithmetic is allowed more."""
    assert set(DEFAULTS) == set(Precision)
    order = [Precision.FP32, Precision.TF32, Precision.FP16, Precision.BF16, Precision.INT8, Precision.FP8]
    limits = [DEFAULTS[precision].min_cosine for precision in order]
    assert all(earlier >= later for earlier, later in itertools.pairwise(limits))
    assert all(0.5 < limit < 1 for limit in limits)
    assert all(tolerance.source for tolerance in DEFAULTS.values())


@pytest.mark.parametrize("precision", list(Precision))
def test_the_limit_itself_is_allowed(precision: Precision) -> None:
    """And what is below it is told with the number, the precision, the source and the way out."""
    tolerance = DEFAULTS[precision]
    assert default_inaccuracies({"cosine": tolerance.min_cosine}, precision) == ()
    (text,) = default_inaccuracies({"cosine": tolerance.min_cosine - 0.01}, precision)
    assert f"the default tolerance for {precision} ({tolerance.source})" in text
    assert "min_cosine=" in text
    assert default_inaccuracies({"cosine": math.nan}, precision)


def test_nothing_to_hold_it_against() -> None:
    """Without a reference there is no cosine; a callable has no precision."""
    assert default_inaccuracies({"top1": 0.1}, "fp16") == ()
    assert default_inaccuracies({"cosine": 0.1}, None) == ()


@pytest.mark.parametrize(("dtype", "precision"), [(np.float16, "fp16"), (np.float32, "fp32")])
def test_rounding_alone_is_allowed(dtype: type, precision: str) -> None:
    """A hundred layers, each of whose results is rounded to the type, stay within its tolerance."""
    rng = np.random.default_rng(0)
    right = rng.standard_normal((4, 64))
    rounded: Any = right.astype(dtype)
    for _ in range(100):
        matrix = np.linalg.qr(rng.standard_normal((64, 64)))[0]
        right = right @ matrix
        rounded = (rounded.astype(np.float64) @ matrix).astype(dtype)
    assert default_inaccuracies(compare([rounded], [right]), precision) == ()


def test_half_precision_under_the_name_of_fp32_is_not() -> None:
    """bf16's own rounding shows in the outputs."""
    import ml_dtypes

    right = np.random.default_rng(0).standard_normal((4, 64))
    figures = compare([right.astype(ml_dtypes.bfloat16)], [right])
    assert default_inaccuracies(figures, "fp32")
    assert default_inaccuracies(figures, "bf16") == ()
