"""What a user may choose of a conversion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnx
import pytest

from pytest_infer.errors import UsageError
from pytest_infer.precision import (
    CONVERSION_OPTIONS,
    CalibrationSet,
    ConversionOptions,
    conversion_options,
    convert,
    options_in,
)
from pytest_infer.workload import Precision
from tests.precision import models

if TYPE_CHECKING:
    from pathlib import Path


def test_they_are_read_from_a_backends_options() -> None:
    """Others are none of the conversion's; the order of names means nothing."""
    given = {"threads": 2, "keep_io": False, "exclude_ops": ["Softmax", "Conv"], "exclude_nodes": {"b"}}
    assert conversion_options(given) == ConversionOptions(
        keep_io=False, exclude_ops=("Conv", "Softmax"), exclude_nodes=("b",)
    )
    assert conversion_options({}) == ConversionOptions()
    assert set(CONVERSION_OPTIONS) == {"keep_io", "per_channel", "exclude_ops", "exclude_nodes"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"keep_io": "yes"}, "keep_io.*True or False"),
        ({"per_channel": 1}, "per_channel.*True or False"),
        ({"exclude_ops": "Conv"}, "exclude_ops.*a list of names"),
        ({"exclude_nodes": {"a": 1}}, "exclude_nodes.*a list of names"),
        ({"exclude_nodes": [1]}, "exclude_nodes.*each name is a text"),
        ({"exclude_nodes": [""]}, "exclude_nodes.*each name is a text"),
        ({"exclude_ops": 7}, "exclude_ops.*a list of names"),
    ],
)
def test_what_can_not_be_right(given: dict[str, Any], told: str) -> None:
    """The option is named, and what it takes."""
    with pytest.raises(UsageError, match=told):
        conversion_options(given)


@pytest.fixture
def named(network: Path) -> Path:
    """The network, its nodes named after what they put out."""
    model = onnx.load(network)
    for node in model.graph.node:
        node.name = f"node_{node.output[0]}"
    onnx.save(model, network)
    return network


@pytest.mark.parametrize("excluded", [{"exclude_ops": ("Conv",)}, {"exclude_nodes": ("node_c",)}])
@pytest.mark.parametrize("symmetric", [False, True])
def test_int8_leaves_out_what_is_excluded(
    named: Path, tmp_path: Path, calibration: CalibrationSet, excluded: dict[str, Any], *, symmetric: bool
) -> None:
    """By type or by name; its weights stay in float."""
    options = ConversionOptions(**excluded)
    target = tmp_path / "int8.onnx"
    made = convert(named, Precision.INT8, target, calibration=calibration, symmetric=symmetric, options=options)
    assert (made.nodes, made.left) == ({"MatMul": 1}, {"Conv": 1})
    x = models.samples()[0]["x"]
    assert abs(models.run(made.path, x=x) - models.run(named, x=x)).max() < 0.1


@pytest.mark.parametrize("precision", [Precision.INT8, Precision.FP8])
def test_a_node_that_is_folded_away_can_not_be_excluded(
    named: Path, tmp_path: Path, calibration: CalibrationSet, precision: Precision
) -> None:
    """Batch normalisation is part of its convolution before anything is quantized: that one is to be named."""
    options = ConversionOptions(exclude_nodes=("node_n",))
    with pytest.raises(UsageError, match=r"'node_n' of .* becomes part of another node"):
        convert(named, precision, tmp_path / "out.onnx", calibration=calibration, options=options)
    unknown = ConversionOptions(exclude_nodes=("node_cc",))
    with pytest.raises(UsageError, match="has no node 'node_cc'; did you mean 'node_c'"):
        convert(named, precision, tmp_path / "out.onnx", calibration=calibration, options=unknown)


def test_one_scale_a_weight(network: Path, tmp_path: Path, calibration: CalibrationSet) -> None:
    """Where it is asked."""
    options = ConversionOptions(per_channel=False)
    made = convert(network, Precision.INT8, tmp_path / "int8.onnx", calibration=calibration, options=options)
    graph = onnx.load(made.path).graph
    kernel = next(node for node in graph.node if node.op_type == "Conv").input[1]
    step = next(node for node in graph.node if kernel in node.output)
    scale = next(tensor for tensor in graph.initializer if tensor.name == step.input[1])
    assert list(scale.dims) in ([], [1])


@pytest.mark.parametrize(
    ("precision", "left"),
    [
        ("fp32", {"threads": 2}),
        ("tf32", {"threads": 2}),
        ("fp16", {"threads": 2, "keep_io": False, "tf32": True}),
        ("bf16", {"threads": 2, "keep_io": False, "tf32": True}),
        ("int8", {"threads": 2, "tf32": True}),
    ],
)
def test_the_same_in_another_precision(precision: str, left: dict[str, Any]) -> None:
    """A reference takes the options of the engine that is held against it, less those that are not for it."""
    given = {"threads": 2, "keep_io": False, "tf32": True}
    assert options_in(Precision(precision), given) == left
