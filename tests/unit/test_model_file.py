"""Model files: where they are looked for, and the digest of their content."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_infer.engines.model_file import external_data, find_model, model_digest, own_precision
from pytest_infer.errors import UsageError
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Callable

onnx = pytest.importorskip("onnx")


# --- where they are --------------------------------------------------------------------------------------------------


def test_the_test_s_folder_comes_before_rootdir(tmp_path: Path) -> None:
    """Then rootdir; a path may lead through folders."""
    test, root = tmp_path / "root/tests", tmp_path / "root"
    test.mkdir(parents=True)
    (root / "net.onnx").touch()
    assert find_model("net.onnx", test, root) == root / "net.onnx"
    (test / "net.onnx").touch()
    assert find_model("net.onnx", test, root) == test / "net.onnx"
    assert find_model(Path("tests/net.onnx"), test, root) == root / "tests/net.onnx"


def test_an_absolute_path_and_a_home_are_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder is put in front of them."""
    (tmp_path / "net.onnx").touch()
    elsewhere = tmp_path / "elsewhere"
    assert find_model(tmp_path / "net.onnx", elsewhere, elsewhere) == tmp_path / "net.onnx"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert find_model("~/net.onnx", elsewhere, elsewhere) == tmp_path / "net.onnx"


def test_a_missing_model_is_named_with_where_it_was_looked_for(tmp_path: Path) -> None:
    """A folder of that name is no model either."""
    (tmp_path / "net.onnx").mkdir()
    with pytest.raises(UsageError, match=r"model 'net\.onnx' is no file in .*\(the test's folder\) nor in .*rootdir"):
        find_model("net.onnx", tmp_path, tmp_path)


# --- what they hold --------------------------------------------------------------------------------------------------


def model(path: Path, *, external: bool = False, where: str = "initializer") -> Path:
    """A model that adds weights, kept beside it where `external`."""
    weights = onnx.numpy_helper.from_array(np.arange(1000, dtype=np.float32), "w")
    node = onnx.helper.make_node("Add", ["x", "w"], ["y"])
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1000]) for name in "xy")
    if where == "initializer":
        graph = onnx.helper.make_graph([node], "g", [x], [y], initializer=[weights])
    else:
        constant = onnx.helper.make_node("Constant", [], ["w"], value=weights)
        graph = onnx.helper.make_graph([constant, node], "g", [x], [y])
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    onnx.save(
        proto, path, save_as_external_data=external, location="weights.bin", size_threshold=0, convert_attribute=True
    )
    return path


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    """The same bytes under another name have it, others don't; 64 hex digits."""
    one, other = tmp_path / "a.bin", tmp_path / "b.bin"
    one.write_bytes(b"content")
    other.write_bytes(b"content")
    assert model_digest(one) == model_digest(other)
    assert len(model_digest(one)) == 64
    int(model_digest(one), 16)
    other.write_bytes(b"another")
    assert model_digest(one) != model_digest(other)


def test_a_file_that_was_rewritten_is_read_again(tmp_path: Path) -> None:
    """Also within one process."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"one")
    before = model_digest(path)
    path.write_bytes(b"three")
    assert model_digest(path) != before


def _flip(path: Path) -> None:
    """Change one byte, in the same size, and make sure that the clock saw it."""
    content = bytearray(path.read_bytes())
    content[10] ^= 1
    before = path.stat()
    path.write_bytes(bytes(content))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000_000))


@pytest.mark.parametrize("where", ["initializer", "constant"])
def test_the_digest_follows_external_data(tmp_path: Path, where: str) -> None:
    """Weights beside the model belong to it: change one of their bytes, and it is another model."""
    path = model(tmp_path / "net.onnx", external=True, where=where)
    before = model_digest(path)
    assert model_digest(path) == before
    _flip(tmp_path / "weights.bin")
    assert model_digest(path) != before


def test_external_data_are_named_where_they_exist(tmp_path: Path) -> None:
    """Files that are gone are the loader's to complain about."""
    path = model(tmp_path / "net.onnx", external=True)
    assert external_data(path) == (tmp_path / "weights.bin",)
    (tmp_path / "weights.bin").unlink()
    assert external_data(path) == ()
    assert model_digest(path)


@pytest.mark.parametrize("write", [model, lambda p: p.write_bytes(b"location, but no protobuf \xff")])
def test_other_files_name_no_external_data(tmp_path: Path, write: Callable[[Path], Any]) -> None:
    """Weights inside, or no ONNX at all: the digest is of the one file, and no error here."""
    path = tmp_path / "net.onnx"
    write(path)
    assert external_data(path) == ()
    assert len(model_digest(path)) == 64


def test_a_model_s_own_precision_is_read_anew_when_it_changes(tmp_path: Path) -> None:
    """It is remembered for a file as long as that file stays the same."""
    path = model(tmp_path / "net.onnx")
    assert own_precision(path) is Precision.FP32
    assert own_precision(path) is Precision.FP32
