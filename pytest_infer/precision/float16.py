"""fp32 to fp16."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

from pytest_infer.errors import EngineBuildError
from pytest_infer.precision.model import quiet, read, runtime
from pytest_infer.precision.recognise import QUANTIZABLE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def to_float16(model: Path, target: Path) -> Mapping[str, int]:
    """Write `model` with its weights and arithmetic in fp16, its inputs and outputs in fp32; count its heavy nodes.

    Raises:
        EngineBuildError: it can't be converted.
    """
    source = read(model)
    runtime(model)
    import onnx
    from onnxruntime.quantization.onnx_model import ONNXModel
    from onnxruntime.transformers.float16 import convert_float_to_float16

    try:
        with quiet():
            half = ONNXModel(convert_float_to_float16(source, keep_io_types=True))
            half.topological_sort()  # it appends its casts at the end, which ONNX does not allow
            onnx.save(half.model, target)
    except Exception as error:
        raise EngineBuildError(f"{model} can't be converted to fp16: {error}") from error
    return dict(collections.Counter(n.op_type for n in half.model.graph.node if n.op_type in QUANTIZABLE))
