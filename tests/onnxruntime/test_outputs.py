"""What comes out of an engine and is no number: it is given out, and left out of figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_infer.engines.outputs import as_array
from pytest_infer.errors import UsageError
from pytest_infer.referencing import hold
from tests.onnxruntime.models import NAMES, W, classifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_infer.accuracy import Accuracy
    from pytest_infer.engines.target import InferEngine

    Open = Callable[..., InferEngine]

pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

X = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
SCORES = X @ W


def held(engine: InferEngine, **given: Any) -> Accuracy:
    """The engine's accuracy, by default against itself."""

    def open_engine(*_: Any) -> InferEngine:
        raise AssertionError

    return hold(engine, **({"reference": None, "inputs": X, "labels": None, "open_engine": open_engine} | given))


def test_they_are_given_out(opened: Open, tmp_path: Path) -> None:
    """Text and maps come as arrays of objects, cut to the batch of the call, and the engine can be measured."""
    engine = opened(classifier(tmp_path / "m.onnx", "label", "probabilities", "scores"), batch=8)
    label, probabilities, scores = engine(X)
    assert label.tolist() == [NAMES[best] for best in SCORES.argmax(axis=1)]
    assert [list(one) for one in probabilities] == [[0, 1, 2]] * 5
    assert np.abs(scores - SCORES).max() < 1e-5
    run = engine.runnable()
    run()
    run()
    assert engine.run_all(np.tile(X, (4, 1)))["label"].shape == (20,)


def test_they_are_left_out_of_figures(opened: Open, tmp_path: Path) -> None:
    """The rest is compared, and the note says what is not; scores are the first output that is left."""
    engine = opened(classifier(tmp_path / "m.onnx", "label", "probabilities", "scores"), batch=5)
    found = held(engine, labels=SCORES.argmax(axis=1))
    assert found.cosine == pytest.approx(1)
    assert found.top1 == 1
    assert found.notes == (
        "reference: the engine itself",
        "left out, since they are no numbers: 'label', 'probabilities'",
    )


def test_a_reference_of_text_and_numbers(opened: Open, tmp_path: Path) -> None:
    """A callable's outputs are left out just so; what is left is held against each other in its order."""
    engine = opened(classifier(tmp_path / "m.onnx", "label", "scores"), batch=5)
    assert held(engine, reference=lambda x: (np.array(["?"] * len(x)), x @ W)).cosine == pytest.approx(1)
    assert held(engine, reference=lambda x: x @ W).cosine == pytest.approx(1)
    with pytest.raises(UsageError, match="can't be compared: 1 outputs against 2 of the reference"):
        held(engine, reference=lambda x: (x @ W, x @ W))


def test_nothing_but_text(opened: Open, tmp_path: Path) -> None:
    """Then there are no figures, which no budget takes for good ones; labels are told that there are no scores."""
    engine = opened(classifier(tmp_path / "m.onnx", "label", "probabilities"), batch=5)
    assert held(engine).figures() == {}
    with pytest.raises(UsageError, match="labels need scores, and none of the outputs are numbers"):
        held(engine, labels=np.zeros(5, int))


@pytest.mark.parametrize(
    ("value", "shape", "kind"),
    [
        ([[1, 2], [3, 4]], (2, 2), "i"),
        ([np.ones(2), np.ones(3)], (2,), "O"),
        ([np.ones((2, 2)), np.ones((2, 3))], (2,), "O"),
        ([{0: 1.0}, {0: 2.0}], (2,), "O"),
        ({0: 1.0}, (), "O"),
        (None, (), "O"),
    ],
)
def test_any_value_is_an_array(value: Any, shape: tuple[int, ...], kind: str) -> None:
    """A sequence of arrays of several shapes, too."""
    array = as_array(value)
    assert (array.shape, array.dtype.kind) == (shape, kind)
