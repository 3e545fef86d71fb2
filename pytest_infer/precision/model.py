"""Reading and writing ONNX files: errors in the user's words, and models of any size."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import warnings
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.errors import EngineBuildError, MissingDependencyError
from pytest_infer.workload import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import onnx

LARGEST_BYTES: int = 2**31 - 2**24
"""A protobuf message is smaller than 2 GiB; this leaves room for what is not weights. What is larger is written with
its weights in a file of their own."""
_SMALL_BYTES: Final = 1024  # tensors that stay in the model: shapes, axes, scales, which ONNX's own tools look at
_NUMBERS: Final = ("raw_data", "float_data", "double_data", "int32_data", "int64_data", "uint64_data", "string_data")
_OLDEST_IR: Final = 4  # the first in which weights need not be inputs, too


def read(path: Path) -> onnx.ModelProto:
    """The model in `path`, whole.

    Raises:
        EngineBuildError: the file is not there, or is no ONNX.
    """
    return _load(path, weights=True)


def structure(path: Path) -> onnx.ModelProto:
    """The model in `path` without its large weights, for looking at alone: it is kept for who asks next.

    Reading half a gigabyte takes a second, and a build asks a dozen times.

    Raises:
        EngineBuildError: the file is not there, or is no ONNX.
    """
    try:
        status = path.stat()
    except OSError:
        return _load(path, weights=False)  # which says why not
    return _structure(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=16)
def _structure(path: Path, _mtime_ns: int, _size: int) -> onnx.ModelProto:
    from onnx.external_data_helper import _get_all_tensors

    model = _load(path, weights=False)
    for tensor in _get_all_tensors(model):
        for field in _NUMBERS:
            if len(getattr(tensor, field)) > _SMALL_BYTES:
                tensor.ClearField(field)
    small = type(model)()
    small.CopyFrom(model)  # what is cleared stays in memory as long as its message does
    return small


def _load(path: Path, *, weights: bool) -> onnx.ModelProto:
    try:
        import onnx
    except ImportError:
        raise MissingDependencyError("onnx", "onnxruntime", f"reading {path}") from None
    try:
        model = onnx.load(path, load_external_data=weights)
    except FileNotFoundError as error:
        raise EngineBuildError(f"{path}: {error.filename or error} is missing; export the model again") from None
    except Exception as error:  # protobuf's own hierarchy differs between its implementations
        raise EngineBuildError(f"{path} is no ONNX file ({error}); give a model that was exported to ONNX") from error
    if not model.graph.node and not model.graph.output:  # protobuf reads nearly anything, an empty file first
        raise EngineBuildError(f"{path} is no ONNX file (it holds no graph); give a model that was exported to ONNX")
    return model


def inputs(path: Path) -> tuple[TensorSpec, ...]:
    """What the model in `path` takes, its dynamic dimensions by name."""
    return inputs_of(structure(path).graph)


def inputs_of(graph: onnx.GraphProto) -> tuple[TensorSpec, ...]:
    """The same of a graph that was read."""
    from onnx.helper import tensor_dtype_to_np_dtype

    inside = {tensor.name for tensor in graph.initializer}
    return tuple(
        TensorSpec(
            name=value.name,
            dtype=str(tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)),
            shape=tuple(
                dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?"
                for dim in value.type.tensor_type.shape.dim
            ),
        )
        for value in graph.input
        if value.name not in inside
    )


def output_names(path: Path) -> tuple[str, ...]:
    """What the model in `path` gives, in its order."""
    return tuple(value.name for value in structure(path).graph.output)


def open_first(graph: onnx.GraphProto) -> frozenset[str]:
    """The inputs whose first dimension the model leaves open: it counts samples."""
    shapes = {value.name: value.type.tensor_type.shape.dim for value in graph.input}
    return frozenset(name for name, dims in shapes.items() if dims and not dims[0].HasField("dim_value"))


def write(model: onnx.ModelProto, target: Path) -> None:
    """Write `model`; its weights go into a file beside it (the same name and `.data`) where one can't hold them all.

    `model` itself is no longer of use then.
    """
    import onnx
    from onnx.external_data_helper import _get_all_tensors

    if sum(len(tensor.raw_data) for tensor in _get_all_tensors(model)) <= LARGEST_BYTES:
        onnx.save(model, target)
        return
    weights = target.with_name(f"{target.name}.data")
    weights.unlink(missing_ok=True)  # it would be appended to
    onnx.save(model, target, save_as_external_data=True, location=weights.name, size_threshold=_SMALL_BYTES)


def external_files(path: Path) -> list[Path]:
    """The files that hold weights of the model in `path`, sorted."""
    from onnx.external_data_helper import ExternalDataInfo, _get_all_tensors, uses_external_data

    tensors = _get_all_tensors(structure(path))
    return sorted({path.parent / ExternalDataInfo(one).location for one in tensors if uses_external_data(one)})


def size_bytes(path: Path) -> int:
    """The size of the model in `path` and of the files that hold its weights."""
    return sum(file.stat().st_size for file in (path, *external_files(path)))


def detach(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """Take the large weights out of a model, by name, and declare them as inputs.

    What is left is small, whatever the network, and still valid: ONNX's own tools can't work on 2 GiB and more.
    """
    from onnx.helper import make_tensor_value_info

    graph = model.graph
    large = {tensor.name: tensor for tensor in graph.initializer if len(tensor.raw_data) > _SMALL_BYTES}
    small = [tensor for tensor in graph.initializer if tensor.name not in large]
    given = [value for value in graph.input if value.name not in {*large, *(tensor.name for tensor in small)}]
    given += [make_tensor_value_info(name, tensor.data_type, tensor.dims) for name, tensor in large.items()]
    for field, left in ((graph.initializer, small), (graph.input, given)):
        del field[:]
        field.extend(left)
    model.ir_version = max(model.ir_version, _OLDEST_IR)
    return large


def attach(model: onnx.ModelProto, weights: Mapping[str, onnx.TensorProto]) -> None:
    """Put back what `detach` took out."""
    given = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(given)
    model.graph.initializer.extend(weights.values())


def raised(model: onnx.ModelProto, version: int, path: Path, wanted_by: str) -> onnx.ModelProto:
    """A small model (see `detach`) at a later operator set, which `wanted_by` needs.

    Raises:
        EngineBuildError: it can't be raised.
    """
    import onnx

    if onnx.defs.onnx_opset_version() < version:
        raise EngineBuildError(
            f"{path}: {wanted_by} need operator set {version}, and the installed onnx {onnx.__version__} knows "
            f"{onnx.defs.onnx_opset_version()}; pip install --upgrade onnx"
        )
    try:
        later = onnx.version_converter.convert_version(model, version)
    except Exception as error:
        raise EngineBuildError(
            f"{path} uses operator set {opset(model)}, {wanted_by} need {version} or later, and it can't be raised "
            f"({error}); export the model again with opset_version={version}"
        ) from error
    later.ir_version = max(
        later.ir_version, onnx.helper.find_min_ir_version_for(later.opset_import, ignore_unknown=True)
    )
    return later


def opset(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operators that the model uses."""
    return max((entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}), default=1)


def constants(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """The tensors inside a graph: its initializers and the values of its Constant nodes."""
    yield from graph.initializer
    for node in graph.node:
        if node.op_type == "Constant":
            yield from (attribute.t for attribute in node.attribute if attribute.name == "value")


def every_node(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The nodes of a graph and of the graphs inside its nodes."""
    for node in graph.node:
        yield node
        for inner in inner_graphs(node):
            yield from every_node(inner)


def inner_graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs inside a node: branches, a loop's body."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep ONNX Runtime's Python tools from printing, from warning, and from installing handlers on the root logger."""
    root = logging.getLogger()
    handlers, disabled = root.handlers[:], root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers


def runtime(path: Path) -> Any:
    """ONNX Runtime, whose tools convert the model in `path`."""
    try:
        import onnxruntime
    except ImportError:
        raise MissingDependencyError("onnxruntime", "onnxruntime", f"converting {path}") from None
    return onnxruntime


def save_optimized(options: Any, path: Path, target: Path) -> None:
    """Let a session over the model in `path` write what it makes of it; weights that lie apart or are large, apart.

    What it does not change it may only refer to by the name of the file that holds it: the two lie in one folder.
    """
    options.optimized_model_filepath = str(target)
    if external_files(path) or size_bytes(path) > LARGEST_BYTES:
        prefix = "session.optimized_model_external_initializers"
        options.add_session_config_entry(f"{prefix}_file_name", f"{target.name}.data")
        options.add_session_config_entry(f"{prefix}_min_size_in_bytes", str(_SMALL_BYTES))


def session(path: Path, *, optimized: Path | None = None) -> Any:
    """ONNX Runtime over a float model, silent; with `optimized`, the simplified graph is written there."""
    ort = runtime(path)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_DISABLE_ALL
    if optimized is not None:
        options.graph_optimization_level = level.ORT_ENABLE_BASIC
        save_optimized(options, path, optimized)
        options.add_session_config_entry("session.disable_prepacking", "1")  # it never runs
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
