"""Train a small convolutional network on scikit-learn's digits, without a deep learning framework.

The convolutions are random features, as good at this size as trained ones; the last layer is a trained linear
classifier on them. ONNX Runtime computes the features, so what is trained on is what is exported.

    python examples/digits/train.py digits.onnx
"""

from __future__ import annotations

import argparse
import itertools
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import train_test_split

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, np.dtype[Any]]

VERSION: Final = 1  # of what is made here; a file of another version is made anew
CHANNELS: Final = (1, 32, 64)


class Split(NamedTuple):
    """Pictures of 8 by 8 pixels, from 0 to 1, and which digit each shows."""

    pictures: Array
    digits: Array


@cache
def splits() -> tuple[Split, Split]:
    """The training split and the held-out one, always the same."""
    pixels, digits = load_digits(return_X_y=True)
    pixels = (pixels / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    learn_x, test_x, learn_y, test_y = train_test_split(pixels, digits, test_size=0.25, random_state=0, stratify=digits)
    return Split(learn_x, learn_y), Split(test_x, test_y)


def pictures(count: int) -> Array:
    """Pictures of the held-out split."""
    _, test = splits()
    return test.pictures[:count]


def calibration(count: int = 128) -> Iterator[dict[str, Array]]:
    """Pictures to calibrate int8 with, from the training split."""
    learn, _ = splits()
    for picture in learn.pictures[:count]:
        yield {"picture": picture[np.newaxis]}


def make(target: Path) -> None:
    """Train the network and write it to the file `target`."""
    rng = np.random.default_rng(0)
    weights = {}
    layers = []
    source = "picture"
    for number, (before, after) in enumerate(itertools.pairwise(CHANNELS), start=1):
        scale = np.sqrt(2 / (9 * before))
        weights[f"kernel{number}"] = rng.standard_normal((after, before, 3, 3), dtype=np.float32) * np.float32(scale)
        weights[f"offset{number}"] = rng.uniform(-0.1, 0.1, after).astype(np.float32)
        layers += [
            helper.make_node("Conv", [source, f"kernel{number}", f"offset{number}"], [f"conv{number}"], pads=[1] * 4),
            helper.make_node("Relu", [f"conv{number}"], [f"relu{number}"]),
        ]
        source = f"relu{number}"
    layers += [
        helper.make_node("MaxPool", [source], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
    ]
    learn, _ = splits()
    features = _run(_model(layers, weights, "features", CHANNELS[-1] * 16), learn.pictures)
    head = RidgeClassifier(alpha=10).fit(features, learn.digits)
    weights["head"] = head.coef_.astype(np.float32)
    weights["bias"] = head.intercept_.astype(np.float32)
    layers.append(helper.make_node("Gemm", ["features", "head", "bias"], ["scores"], transB=1))
    onnx.save(_model(layers, weights, "scores", 10), target)


def _model(layers: list[onnx.NodeProto], weights: dict[str, Array], output: str, size: int) -> onnx.ModelProto:
    graph = helper.make_graph(
        layers,
        "digits",
        [helper.make_tensor_value_info("picture", onnx.TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ["batch", size])],
        [numpy_helper.from_array(weight, name) for name, weight in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _run(model: onnx.ModelProto, pictures: Array) -> Array:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"picture": pictures})[0])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train the digits network and write it as an ONNX file.")
    parser.add_argument("target", type=Path)
    make(parser.parse_args().target)
