"""The examples' slowdown: more work, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
import pytest

from examples.digits import train
from examples.graphs import runtime
from examples.minilm import encoder, sentences
from examples.slower import slow_down

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kind", ["floats", "whole numbers"])
def test_slow_down(kind: str, tmp_path: Path) -> None:
    """A network made slower computes all of it that often, and gives the same, whatever type its first input is."""
    plain, slow = tmp_path / "plain.onnx", tmp_path / "slow.onnx"
    if kind == "floats":
        train.make(plain)
        inputs = {"picture": train.pictures(2)}
    else:
        encoder.make(plain)
        inputs = sentences.tokens(sentences.SENTENCES, 16)
    slow_down(plain, 3, slow)
    heavy = [
        [node.op_type in {"Conv", "MatMul"} for node in onnx.load(path).graph.node].count(True)
        for path in (plain, slow)
    ]
    assert heavy[1] == 3 * heavy[0] > 0
    assert runtime.load(slow)(**inputs) == pytest.approx(runtime.load(plain)(**inputs), abs=1e-6)
