"""Ranges of calibrations: found once, kept, and found again where what was kept is damaged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest

from pytest_infer.errors import EngineBuildError
from pytest_infer.precision import CalibrationSet, Conversion, ConversionOptions, convert, ranges
from pytest_infer.precision.model import inputs
from pytest_infer.workload import Precision
from tests.precision import models

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Make = Callable[..., Conversion]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The methods of all calibrations that really ran."""
    calls: list[str] = []
    real = ranges._found

    def counted(model: Path, samples: CalibrationSet, method: str, **more: Any) -> ranges.Ranges:
        calls.append(method)
        return real(model, samples, method, **more)

    monkeypatch.setattr(ranges, "_found", counted)
    return calls


@pytest.fixture
def make(network: Path, tmp_path: Path, calibration: CalibrationSet) -> Make:
    """Converts, and keeps ranges in a folder."""

    def convert_(precision: Precision = Precision.INT8, **given: Any) -> Conversion:
        values: dict[str, Any] = {"calibration": calibration, "ranges": tmp_path / "kept"} | given
        return convert(network, precision, tmp_path / f"{len(list(tmp_path.iterdir()))}.onnx", **values)

    return convert_


def test_others_take_what_was_found(make: Make, found: list[str]) -> None:
    """Whoever asks for the same model, samples and method: another backend's form of int8, fp8, an option."""
    first = make()
    for other in (
        {},
        {"symmetric": True},
        {"precision": Precision.FP8},
        {"options": ConversionOptions(exclude_ops=("Conv",), per_channel=False)},
    ):
        make(**other)
    assert found == ["minmax"]
    assert make().path.read_bytes() == first.path.read_bytes()
    assert make(ranges=None).path.read_bytes() == first.path.read_bytes()


def test_what_differs_is_found_anew(make: Make, found: list[str], network: Path, tmp_path: Path) -> None:
    """Other samples, another method, another model; percentiles differ where the range is to be symmetric."""
    make()
    make(calibration=CalibrationSet.spool(models.samples(3), tmp_path / "fewer", inputs(network)))
    make(method="percentile")
    make(method="percentile", symmetric=True)
    assert found == ["minmax", "minmax", "percentile", "percentile"]
    model = onnx.load(network)
    model.graph.initializer[0].raw_data = (
        bytes(reversed(model.graph.initializer[0].raw_data[:4])) + (model.graph.initializer[0].raw_data[4:])
    )
    onnx.save(model, network)
    make()
    assert len(found) == 5


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"ranges": {"x": [0, 1]}}', "cut", "changed"])
def test_what_is_damaged_is_found_anew(make: Make, found: list[str], tmp_path: Path, damage: str) -> None:
    """Cut, rewritten or not what it was: it is replaced, and never believed."""
    first = make().path.read_bytes()
    (file,) = (tmp_path / "kept").iterdir()
    text = file.read_text()
    if damage == "changed":
        stored = json.loads(text)
        name = next(iter(stored["ranges"]))
        stored["ranges"][name] = [-1e6, 1e6]
        damage = json.dumps(stored)
    file.write_text(text[: len(text) // 2] if damage == "cut" else damage)
    assert make().path.read_bytes() == first
    assert len(found) == 2
    assert file.read_text() == text


def test_a_folder_that_can_not_be_written_stops_nothing(make: Make, tmp_path: Path) -> None:
    """Ranges that can't be kept are found again the next time."""
    (tmp_path / "kept").write_text("a file where a folder is wanted")
    assert make().nodes == {"Conv": 1, "MatMul": 1}


def test_nothing_is_left_beside_what_is_kept(make: Make, tmp_path: Path) -> None:
    """Files come whole, under their own name."""
    make()
    make(method="entropy")
    assert [path.suffix for path in (tmp_path / "kept").iterdir()] == [".json", ".json"]


def test_a_tensor_that_is_not_finite_is_named(tmp_path: Path) -> None:
    """A range without an end has no steps."""
    nodes = [onnx.helper.make_node("Log", ["x"], ["l"]), onnx.helper.make_node("MatMul", ["l", "w"], ["y"])]
    values = [onnx.helper.make_tensor_value_info(name, 1, [1, 2]) for name in "xy"]
    weights = [onnx.numpy_helper.from_array(np.eye(2, dtype=np.float32), "w")]
    graph = onnx.helper.make_graph(nodes, "g", values[:1], values[1:], weights)
    path = tmp_path / "model.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), path)
    samples = CalibrationSet.spool([{"x": np.zeros((1, 2), np.float32)}], tmp_path / "samples", inputs(path))
    with pytest.raises(EngineBuildError, match="tensor 'l' is not finite on the calibration samples"):
        convert(path, Precision.INT8, tmp_path / "out.onnx", calibration=samples)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_another_version_finds_anew(
    make: Make, found: list[str], monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    """Whoever observes the tensors may do so otherwise."""
    make()
    monkeypatch.setattr(f"{package}.__version__", "99.0")
    make()
    assert found == ["minmax", "minmax"]
