"""Which inputs count samples: those whose first dimension the model leaves open, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pytest_infer.engines.shapes import counting
from pytest_infer.errors import UsageError
from pytest_infer.workload import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_infer.engines.target import InferEngine

    Open = Callable[..., InferEngine]

pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

PRIOR = np.arange(3, dtype=np.float32).reshape(1, 3)
IMAGES = np.arange(60, dtype=np.float32).reshape(20, 3)


def add(path: Path, nodes: list[onnx.NodeProto] | None = None, **shapes: list[Any]) -> Path:
    """The sum of two inputs of these names and shapes, `y`; or what `nodes` make of them."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    nodes = nodes or [helper.make_node("Add", list(shapes), ["y"])]
    outputs = [helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, None) for node in nodes]
    graph = helper.make_graph(nodes, "g", values, outputs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_fixed_input_before_a_batch(opened: Open, tmp_path: Path) -> None:
    """Three images give three rows, whatever the first input's first dimension is."""
    engine = opened(add(tmp_path / "m.onnx", prior=[1, 3], images=["n", 3]), batch=8)
    assert engine.workload.batch == 8
    assert (engine(PRIOR, IMAGES[:3]) == PRIOR + IMAGES[:3]).all()
    assert (engine(PRIOR, IMAGES[:8]) == PRIOR + IMAGES[:8]).all()


def test_many_samples_beside_a_fixed_input(opened: Open, tmp_path: Path) -> None:
    """Only what counts samples is cut into batches; the last one may be smaller."""
    engine = opened(add(tmp_path / "m.onnx", prior=[1, 3], images=["n", 3]), batch=8)
    assert (engine.run_all((PRIOR, IMAGES))["y"] == PRIOR + IMAGES).all()


def test_a_number_before_a_batch(opened: Open, tmp_path: Path) -> None:
    """An input without dimensions counts nothing."""
    engine = opened(add(tmp_path / "m.onnx", factor=[], images=["n", 3]), batch=8)
    for count in (3, 8):
        assert (engine(np.float32(1), IMAGES[:count]) == IMAGES[:count] + 1).all()
    assert (engine.run_all((np.float32(1), IMAGES))["y"] == IMAGES + 1).all()
    assert opened(tmp_path / "m.onnx").workload.batch == 1


def test_a_fixed_first_dimension_is_not_filled_up(opened: Open, tmp_path: Path) -> None:
    """What it means nobody knows: a smaller one is an error, not a repetition."""
    engine = opened(add(tmp_path / "m.onnx", a=[2, 3], b=[2, 3]))
    with pytest.raises(UsageError, match=r"'a' has shape \[1, 3\], the engine takes \[2, 3\]$"):
        engine(IMAGES[:1], IMAGES[:2])
    assert engine.workload.batch == 2


def test_a_fixed_batch_runs_again_and_again(opened: Open, tmp_path: Path) -> None:
    """Many samples go through a model of a fixed batch, if they fill it each time, beside what is no sample."""
    engine = opened(add(tmp_path / "m.onnx", images=[4, 3], prior=[1, 3]))
    assert (engine.run_all((IMAGES, PRIOR))["y"] == IMAGES + PRIOR).all()
    with pytest.raises(UsageError, match=r"'images' has shape \[19, 3\], the engine takes \[4, 3\]"):
        engine.run_all((IMAGES[:19], PRIOR))


def test_outputs_of_several_batches(opened: Open, tmp_path: Path) -> None:
    """They come behind each other; those without a dimension as one number a batch."""
    nodes = [
        helper.make_node("Neg", ["images"], ["y"]),
        helper.make_node("ReduceMax", ["images"], ["largest"], keepdims=0),
    ]
    engine = opened(add(tmp_path / "m.onnx", nodes, images=["n", 3]), batch=8)
    found = engine.run_all(IMAGES)
    assert (found["y"] == -IMAGES).all()
    assert found["largest"].tolist() == [23, 47, 59]


def test_two_inputs_that_count(opened: Open, tmp_path: Path) -> None:
    """They must bring as many samples each."""
    engine = opened(add(tmp_path / "m.onnx", a=["n", 3], b=["n", 3]), batch=8)
    assert (engine(IMAGES[:3], IMAGES[:3]) == 2 * IMAGES[:3]).all()
    for one, other in ((3, 2), (8, 1), (20, 10)):
        with pytest.raises(UsageError, match=rf"different batches: {{'a': {one}, 'b': {other}}}"):
            engine.run_all((IMAGES[:one], IMAGES[:other]))


@pytest.mark.parametrize(
    ("shapes", "open_first", "asked", "found"),
    [
        ({"a": (8, 3)}, None, None, (8, {"a"})),
        ({"a": (), "b": (8, 3), "c": (8,)}, None, None, (8, {"b", "c"})),
        ({"a": (1, 3), "b": (8, 3)}, None, 8, (8, {"b"})),
        ({"a": (1, 3), "b": (8, 3)}, None, None, (1, {"a"})),
        ({"a": (1, 3), "b": (8, 3)}, {"b"}, None, (8, {"b"})),
        ({"a": (4, 3), "b": (9, 3)}, {"a", "b"}, None, (4, {"a"})),
        ({"a": (8, 3)}, set(), 8, (None, set())),
        ({}, None, None, (None, set())),
    ],
)
def test_counting(
    shapes: dict[str, tuple[int, ...]],
    open_first: set[str] | None,
    asked: int | None,
    found: tuple[int | None, set[str]],
) -> None:
    """By the model's file, where there is one; for an object by the asked batch, else by its first dimension."""
    specs = [TensorSpec(name=name, dtype="float32", shape=shape) for name, shape in shapes.items()]
    batch, names = counting(specs, open_first, asked)
    assert (batch, set(names)) == found
