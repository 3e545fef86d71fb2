"""The same networks on every other backend that is installed, held against what ONNX Runtime computes in fp32.

Each runs at every precision that the backend really computes in on this device; of the others it says why not.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from examples.backends.cases import INSTALLED, on_each
from examples.digits import train
from examples.minilm import sentences
from examples.vision import networks

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from pytest_infer import Infer, InferEngine

    Array = np.ndarray[Any, np.dtype[Any]]
    Reference = Callable[..., Array]

if not INSTALLED:
    pytest.skip("pytest-infer[openvino], [torch] or [jax] brings another backend", allow_module_level=True)

TOKENS = 64


@on_each("max_top1_drop", {"fp32": 0, "fp16": 0.005, "bf16": 0.005, "int8": 0.01}, calibration=train.calibration)
@pytest.mark.infer(model="../digits/models/digits.onnx", batch=32, inputs=partial(train.pictures, 32), min_top1=0.97)
def test_digits(infer: Infer, infer_engine: InferEngine, reference: Reference, asked: tuple[str, str]) -> None:
    """It reads digits that it never saw, as well as in fp32."""
    _, test = train.splits()
    infer.accuracy(infer_engine, reference=reference, inputs=test.pictures, labels=test.digits)
    assert (infer_engine.workload.backend, infer_engine.workload.precision) == asked


@on_each("min_cosine", {"fp32": 0.9999, "fp16": 0.999, "bf16": 0.99, "int8": 0.9}, calibration=networks.calibration)
@pytest.mark.infer(model="../vision/models/resnet50.onnx", batch=1, inputs=partial(networks.images, 1))
def test_resnet50(infer: Infer, infer_engine: InferEngine, reference: Reference, asked: tuple[str, str]) -> None:
    """Its probabilities are those of fp32, as nearly as the precision allows."""
    infer.accuracy(infer_engine, reference=reference, inputs=networks.images(2))
    assert (infer_engine.workload.backend, infer_engine.workload.precision) == asked


@on_each("min_cosine", {"fp32": 0.9999, "fp16": 0.999, "bf16": 0.999, "int8": 0.99}, calibration=sentences.calibration)
@pytest.mark.infer(
    model="../minilm/models/minilm.onnx",
    batch=1,
    shapes={"input_ids": (TOKENS,), "attention_mask": (TOKENS,)},
    inputs=partial(sentences.one_by_one, TOKENS),
)
def test_minilm(infer: Infer, infer_engine: InferEngine, reference: Reference, asked: tuple[str, str]) -> None:
    """Its vectors are those of fp32, and a sentence in other words is nearest to its sentence."""
    infer.accuracy(infer_engine, reference=reference, inputs=sentences.tokens(sentences.SENTENCES, TOKENS))
    assert sentences.nearest(infer_engine, TOKENS) == sentences.PAIRS
    assert (infer_engine.workload.backend, infer_engine.workload.precision) == asked


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(name, marks=pytest.mark.infer(model=f"../vision/models/{name}.onnx"), id=name)
        for name in ("alexnet", "googlenet", "vgg19", "squeezenet")  # DenseNet-121 in int8 crashes OpenVINO 2026.4
    ],
)
@on_each("min_cosine", {"fp32": 0.9999, "int8": 0.85}, calibration=networks.calibration, backends=("openvino",))
@pytest.mark.infer(batch=1, inputs=partial(networks.images, 1))
def test_vision(
    infer: Infer, infer_engine: InferEngine, reference: Reference, asked: tuple[str, str], network: str
) -> None:
    """The other vision networks, on the backend that takes their files as they are."""
    infer.accuracy(infer_engine, reference=reference, inputs=networks.images(2))
    assert infer_engine.workload.target == f"{network}.onnx"
    assert (infer_engine.workload.backend, infer_engine.workload.precision) == asked
