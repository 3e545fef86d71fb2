"""What stands around a network, and a network without a framework: plain numpy."""

from __future__ import annotations

import itertools
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

MEAN: Final = np.array([0.485, 0.456, 0.406], dtype=np.float32)
DEVIATION: Final = np.array([0.229, 0.224, 0.225], dtype=np.float32)
SIZE: Final = 224


def prepare(photo: Array) -> Array:
    """A photo (height, width, three bytes a pixel) as networks want it: (1, 3, 224, 224), resized and normalised."""
    height, width, _ = photo.shape
    y, x = np.linspace(0, height - 1, SIZE, dtype=np.float32), np.linspace(0, width - 1, SIZE, dtype=np.float32)
    top, left = y.astype(np.intp), x.astype(np.intp)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    down, across = (y - top)[:, np.newaxis, np.newaxis], (x - left)[:, np.newaxis]
    upper = photo[top][:, left] * (1 - across) + photo[top][:, right] * across
    lower = photo[bottom][:, left] * (1 - across) + photo[bottom][:, right] * across
    pixels = (upper * (1 - down) + lower * down) / 255
    return np.ascontiguousarray(((pixels - MEAN) / DEVIATION).transpose(2, 0, 1)[np.newaxis])


class Perceptron:
    """Three layers, seeded weights, in one arithmetic from end to end."""

    def __init__(self, dtype: type[np.floating[Any]]) -> None:
        """Make the weights: the same for each `dtype`, as far as it can hold them."""
        rng = np.random.default_rng(0)
        sizes = (64, 128, 64, 10)
        self.layers = [
            (rng.normal(0, np.sqrt(2 / rows), (rows, columns)).astype(dtype), np.zeros(columns, dtype))
            for rows, columns in itertools.pairwise(sizes)
        ]

    def __call__(self, features: Array) -> Array:
        """Probabilities of ten classes for each row."""
        values = features.astype(self.layers[0][0].dtype)
        for weights, bias in self.layers[:-1]:
            values = np.maximum(values @ weights + bias, 0)
        weights, bias = self.layers[-1]
        scores = values @ weights + bias
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))


single = Perceptron(np.float32)
double = Perceptron(np.float64)


def classify(photo: Array) -> Array:
    """Preprocess a photo and look at 8 by 8 pixels of its red: probabilities of ten classes."""
    return single(prepare(photo)[:, 0, ::28, ::28].reshape(1, -1))
