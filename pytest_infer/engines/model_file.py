"""Model files: where they are, and what their content is."""

from __future__ import annotations

import functools
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_infer.errors import EngineBuildError, UsageError
from pytest_infer.precision.model import external_files, inputs_of, open_first, structure
from pytest_infer.precision.recognise import parts, recognise_graph

if TYPE_CHECKING:
    from pytest_infer.precision import Unconvertible
    from pytest_infer.workload import Precision, TensorSpec

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a model file tells of its network.

    Attributes:
        precision: the arithmetic that it is in: what it runs in where a test asks for none.
        parts: what else its numbers are in, see `precision.recognise.parts`.
        open_first: the inputs whose first dimension it leaves open.
        inputs: what it takes, dynamic dimensions by name.
    """

    precision: Precision | Unconvertible
    parts: frozenset[str]
    open_first: frozenset[str]
    inputs: tuple[TensorSpec, ...]


def content_of(path: Path) -> Content:
    """What the file tells.

    Raises:
        EngineBuildError: it is no ONNX.
    """
    graph = structure(path).graph
    return Content(
        precision=recognise_graph(graph),
        parts=parts(graph),
        open_first=open_first(graph),
        inputs=inputs_of(graph),
    )


def own_precision(path: Path) -> Precision | Unconvertible:
    """The arithmetic that the model itself is in."""
    return content_of(path).precision


def model_digest(path: Path) -> str:
    """SHA-256 over the file and the external data that it names, as 64 hex digits."""
    digest, others = _read(path, *_state(path))
    return hashlib.sha256(
        "".join([digest, *(f"{other.name} {_read(other, *_state(other))[0]}" for other in others)]).encode()
    ).hexdigest()


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


@functools.lru_cache(maxsize=64)
def _read(path: Path, _mtime_ns: int, _size: int) -> tuple[str, tuple[Path, ...]]:
    """The digest of one file, and the other files that it names."""
    digest = hashlib.sha256()
    names_others, tail = False, b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            # Reading a large protobuf costs seconds; only models that can name external data are parsed.
            names_others = names_others or b"location" in tail + chunk
            tail = chunk[-8:]
    return digest.hexdigest(), external_data(path) if names_others and path.suffix == ".onnx" else ()


def external_data(path: Path) -> tuple[Path, ...]:
    """The external data files that an ONNX model names and that exist, sorted."""
    try:
        return tuple(file for file in external_files(path) if file.is_file())
    except EngineBuildError:  # unreadable: the build says so
        return ()
