"""Reading ONNX files: errors in the user's words, and only as much of a file as is needed."""

from __future__ import annotations

import contextlib
import io
import logging
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import EngineBuildError, MissingDependencyError
from pytest_infer.workload import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import onnx


def read(path: Path, *, weights: bool = True) -> onnx.ModelProto:
    """The model in `path`; without `weights`, external data files stay unread.

    Raises:
        EngineBuildError: the file is not there, or is no ONNX.
    """
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
    model = read(path, weights=False)
    from onnx.helper import tensor_dtype_to_np_dtype

    inside = {tensor.name for tensor in model.graph.initializer}
    return tuple(
        TensorSpec(
            name=value.name,
            dtype=str(tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)),
            shape=tuple(
                dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?"
                for dim in value.type.tensor_type.shape.dim
            ),
        )
        for value in model.graph.input
        if value.name not in inside
    )


def opset(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operators that the model uses."""
    return max((entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}), default=1)


def constants(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """The tensors inside a graph: its initializers and the values of its Constant nodes."""
    yield from graph.initializer
    for node in graph.node:
        if node.op_type == "Constant":
            yield from (attribute.t for attribute in node.attribute if attribute.name == "value")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep ONNX Runtime's Python tools from printing, and from installing handlers on the root logger."""
    root = logging.getLogger()
    handlers, disabled = root.handlers[:], root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
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


def session(path: Path, *, optimized: Path | None = None) -> Any:
    """ONNX Runtime over a float model, silent; with `optimized`, the simplified graph is written there."""
    ort = runtime(path)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_DISABLE_ALL
    if optimized is not None:
        options.graph_optimization_level = level.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(optimized)
        options.add_session_config_entry("session.disable_prepacking", "1")  # it never runs
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
