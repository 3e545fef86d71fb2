"""The networks that this field measures, in fp32 and in int8, one picture at a time and, but for VGG-19, eight at once.

Each int8 budget leaves room for CPUs without VNNI, on which ONNX Runtime's int8 products saturate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from examples.vision.networks import calibration

if TYPE_CHECKING:
    import numpy as np

    from pytest_infer import InferEngine

    Array = np.ndarray[Any, np.dtype[np.float32]]

pytestmark = pytest.mark.infer(precision=["fp32", "int8"], batch=[1, 8], calibration=calibration)


@pytest.mark.infer(model="models/alexnet.onnx", min_throughput=8, min_cosine=0.97)
def test_alexnet(infer_engine: InferEngine, pictures: Array) -> None:
    """AlexNet: few layers, most of its weights in three matrices."""
    assert_probabilities(infer_engine(pictures[: infer_engine.workload.batch]))


@pytest.mark.infer(model="models/googlenet.onnx", min_throughput=4, min_cosine=0.9)
def test_googlenet(infer_engine: InferEngine, pictures: Array) -> None:
    """GoogLeNet (Inception v1): many small convolutions side by side."""
    assert_probabilities(infer_engine(pictures[: infer_engine.workload.batch]))


@pytest.mark.infer(model="models/vgg19.onnx", batch=[1], min_throughput=0.5, min_cosine=0.85)
def test_vgg19(infer_engine: InferEngine, pictures: Array) -> None:
    """VGG-19: the heaviest, in arithmetic and in weights. Eight pictures would take 1.5 s on two cores."""
    assert_probabilities(infer_engine(pictures[: infer_engine.workload.batch]))


@pytest.mark.infer(model="models/resnet50.onnx", min_throughput=5, min_cosine=0.9)
def test_resnet50(infer_engine: InferEngine, pictures: Array) -> None:
    """ResNet-50: what everybody compares with."""
    assert_probabilities(infer_engine(pictures[: infer_engine.workload.batch]))


@pytest.mark.infer(model="models/densenet121.onnx", min_throughput=2.5, min_cosine=0.97)
def test_densenet121(infer_engine: InferEngine, pictures: Array) -> None:
    """DenseNet-121: little arithmetic, much memory traffic. It ends in scores, not in probabilities."""
    batch = infer_engine.workload.batch
    assert infer_engine(pictures[:batch]).shape == (batch, 1000, 1, 1)


@pytest.mark.infer(model="models/squeezenet.onnx", min_throughput=20, min_cosine=0.94)
def test_squeezenet(infer_engine: InferEngine, pictures: Array) -> None:
    """SqueezeNet: 5 MB, for small devices."""
    assert_probabilities(infer_engine(pictures[: infer_engine.workload.batch]))


def assert_probabilities(scores: Array) -> None:
    """Each picture's scores for the thousand classes add up to 1."""
    assert scores.reshape(len(scores), 1000).sum(axis=1) == pytest.approx(1, abs=1e-3)
