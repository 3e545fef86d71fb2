"""A sentence encoder over 16, 64 and 256 tokens: its length is dynamic, and `shapes` says what to measure."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from examples.minilm.sentences import PAIRS, SENTENCES, calibration, nearest, one_by_one, tokens

if TYPE_CHECKING:
    from pytest_infer import Infer, InferEngine

LENGTHS = [
    pytest.param(
        length,
        marks=pytest.mark.infer(
            shapes={"input_ids": (length,), "attention_mask": (length,)}, inputs=partial(one_by_one, length)
        ),
        id=f"t{length}",
    )
    for length in (16, 64, 256)
]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.infer(
    model="models/minilm.onnx", precision=["fp32", "int8"], batch=1, calibration=calibration, min_cosine=0.99
)
def test_minilm(infer: Infer, infer_engine: InferEngine, length: int) -> None:
    """A sentence in other words is nearer to its sentence than to all others, at each precision."""
    infer.accuracy(infer_engine, inputs=tokens(SENTENCES, length))
    assert nearest(infer_engine, length) == PAIRS
