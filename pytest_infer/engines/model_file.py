"""Model files: where they are, and what their content is."""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_infer.errors import UsageError
from pytest_infer.precision import recognise

if TYPE_CHECKING:
    from pytest_infer.workload import Precision

_CHUNK: Final = 1 << 20


def find_model(name: str | os.PathLike[str], test_folder: Path, root: Path) -> Path:
    """The file of a marker's `model`: taken from the test file's folder, else from rootdir.

    Raises:
        UsageError: it is in neither.
    """
    for folder in (test_folder, root):
        path = folder / Path(name).expanduser()
        if path.is_file():
            return path
    raise UsageError(
        f"model {os.fspath(name)!r} is no file in {test_folder} (the test's folder) nor in {root} (rootdir)"
    )


def own_precision(path: Path) -> Precision:
    """The arithmetic that the model itself is in: what it runs in where a test asks for none."""
    status = path.stat()
    return _own_precision(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=64)
def _own_precision(path: Path, _mtime_ns: int, _size: int) -> Precision:
    return recognise(path)


def model_digest(path: Path) -> str:
    """SHA-256 over the file and the external data that it names, as 64 hex digits."""
    status = path.stat()
    return _digest(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=64)
def _digest(path: Path, _mtime_ns: int, _size: int) -> str:
    digest = hashlib.sha256()
    names_other_files, tail = False, b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            # Reading a large protobuf costs seconds; only models that can name external data are parsed.
            names_other_files = names_other_files or b"location" in tail + chunk
            tail = chunk[-8:]
    if names_other_files and path.suffix == ".onnx":
        for other in external_data(path):
            digest.update(other.name.encode())
            with other.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
    return digest.hexdigest()


def external_data(path: Path) -> tuple[Path, ...]:
    """The external data files that an ONNX model names and that exist, sorted."""
    import onnx
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    try:
        model = onnx.load(path, load_external_data=False)
    except Exception:  # noqa: BLE001 - unreadable: the build says so in the user's words
        return ()
    names = {ExternalDataInfo(t).location for t in model.graph.initializer if uses_external_data(t)}
    return tuple(path.parent / name for name in sorted(names) if (path.parent / name).is_file())
