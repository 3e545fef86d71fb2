"""What is looked at of a model is read once, and says all but the numbers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pytest_infer.errors import EngineBuildError
from pytest_infer.precision.model import read, structure

if TYPE_CHECKING:
    from pathlib import Path


def save(path: Path, weight: np.ndarray, *, raw: bool = True) -> None:
    """Write a network: x [n, rows of the weight] times the weight, then laid out as one row each."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", None]) for name in ("x", "y")]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Reshape", ["h", "shape"], ["y"])]
    kept = (
        numpy_helper.from_array(weight, "w")
        if raw
        else helper.make_tensor("w", TensorProto.FLOAT, weight.shape, weight.ravel().tolist())
    )
    shape = numpy_helper.from_array(np.array([-1, weight.shape[1]]), "shape")
    graph = helper.make_graph(nodes, "net", values[:1], values[1:], [kept, shape])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)


@pytest.mark.parametrize("raw", [True, False])
def test_all_but_large_weights(tmp_path: Path, *, raw: bool) -> None:
    """Nodes, types, shapes and small tensors are those of the file; of the large weights only the numbers are gone."""
    path = tmp_path / "net.onnx"
    save(path, np.ones((64, 64), np.float32), raw=raw)
    whole, seen = read(path), structure(path)
    assert seen.ByteSize() < 1000 < whole.ByteSize()
    for tensor, original in zip(seen.graph.initializer, whole.graph.initializer, strict=True):
        assert (tensor.name, tensor.data_type, tensor.dims) == (original.name, original.data_type, original.dims)
    assert seen.graph.initializer[1] == whole.graph.initializer[1]
    for one in (seen, whole):
        del one.graph.initializer[:]
    assert seen == whole


def test_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks again is given what was read; a file that was written anew is read anew."""
    path = tmp_path / "net.onnx"
    save(path, np.ones((4, 8), np.float32))
    first = structure(path)
    with monkeypatch.context() as patched:
        patched.setattr(onnx, "load", None)
        assert structure(path) is first
    save(path, np.ones((4, 9), np.float32))
    assert structure(path).graph.initializer[0].dims == [4, 9]
    save(path, np.ones((4, 8), np.float32))
    os.utime(path, ns=(0, 0))
    assert structure(path).graph.initializer[0].dims == [4, 8]


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    """It is told as missing, also where it was read before."""
    path = tmp_path / "net.onnx"
    save(path, np.ones((4, 8), np.float32))
    structure(path)
    path.unlink()
    with pytest.raises(EngineBuildError, match=r"net\.onnx is missing"):
        structure(path)
