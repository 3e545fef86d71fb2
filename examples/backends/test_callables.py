"""The same networks as plain functions: what an application that calls ONNX Runtime by itself can measure."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from examples.digits import train
from examples.minilm import sentences
from examples.vision import networks

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_infer import CallableTarget, Infer

pytestmark = pytest.mark.infer(backend="callable", min_cosine=0.9999)


@pytest.mark.infer(model="../digits/models/digits.onnx", batch=32, min_top1=0.97)
def test_digits(infer: Infer, infer_engine: CallableTarget, network_file: Path) -> None:
    """The function reads digits as the engine of the same file does."""
    _, test = train.splits()
    engine = infer.engine(network_file, batch=len(test.digits))
    infer.accuracy(infer_engine, reference=engine, inputs=test.pictures, labels=test.digits)
    assert infer_engine(test.pictures[:32]).shape == (32, 10)  # what it last saw is what is measured


@pytest.mark.infer(model="../vision/models/resnet50.onnx", batch=1, inputs=partial(networks.images, 1))
def test_resnet50(infer: Infer, infer_engine: CallableTarget, network_file: Path) -> None:
    """The function sees in a picture what the engine of the same file does."""
    infer.accuracy(infer_engine, reference=infer.engine(network_file, batch=1))


@pytest.mark.infer(model="../minilm/models/minilm.onnx", batch=1)
def test_minilm(infer: Infer, infer_engine: CallableTarget, network_file: Path) -> None:
    """The function gives a sentence the vector that the engine of the same file does."""
    sentence = sentences.tokens(sentences.SENTENCES[:1], 64)
    engine = infer.engine(network_file, shapes={name: array.shape for name, array in sentence.items()})
    infer.accuracy(infer_engine, reference=engine, inputs=tuple(sentence.values()))
