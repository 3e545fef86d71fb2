"""fp32 to fp16 or bf16: weights rounded, arithmetic in 16 bits, casts where the two types meet.

A node computes in 16 bits if its operator's schema admits the type, nobody excluded it, it is not in `KEPT`, and 16
bits come to it: what makes floats of something else (a cast of token numbers, a mask of constants) stays in fp32 up to
the node that meets the network's own values, since bf16 counts exactly up to 256 only.

Facts behind the choices:

- ONNX has bf16 convolutions, poolings and normalisations from operator set 22 on; older models are raised to it.
- A weight or constant that 16 bits can't hold becomes the nearest number that they can, never infinity or zero: masks
  of -3.4e38 and an epsilon of 1e-12 mean "very small" and "not zero". ONNX Runtime's own tool does the same.
- TensorRT takes a network's types as they are written, so that each tensor's must be right: `retype` sees to that.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Final

from pytest_infer.errors import EngineBuildError, InferError, PrecisionError
from pytest_infer.precision.model import detach, inner_graphs, opset, raised, read, write
from pytest_infer.precision.recognise import QUANTIZABLE
from pytest_infer.precision.retype import NOWHERE, Graph, Places, Types
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import onnx

    from pytest_infer.precision.options import ConversionOptions

KEPT: Final = frozenset({"CumSum", "GridSample", "Range", "RoiAlign"})
"""Operators that count or point: their numbers are positions, which 16 bits are too coarse for."""
_BF16_OPSET: Final = 22
_DTYPES: Final = {Precision.FP16: "float16", Precision.BF16: "bfloat16"}


def to_16_bits(
    model: Path, target: Path, precision: Precision, options: ConversionOptions
) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Write `model` with its weights and arithmetic in fp16 or bf16; which heavy nodes are in it, and which are not.

    Raises:
        EngineBuildError: it can't be converted. PrecisionError: no heavy node can compute in it, or all are excluded.
        UsageError: what is excluded is not there.
    """
    source = read(model)
    options.check_names(source.graph, str(model))
    try:
        weights = detach(source)
        if precision is Precision.BF16 and opset(source) < _BF16_OPSET:
            source = raised(source, _BF16_OPSET, model, "bf16 convolutions")
        source = _typed(source)
        choice = _Choice(source, _DTYPES[precision], options)
        graph = Graph(source.graph, choice.types, choice.places, keep_io=options.keep_io, weights=weights)
        graph.rewrite()
        write(source, target)
    except InferError:
        raise
    except Exception as error:
        raise EngineBuildError(f"{model} can't be converted to {precision}: {error}") from error
    if choice.left and not choice.nodes:
        raise PrecisionError(
            f"{model}: none of its {', '.join(sorted(choice.left))} comes out in {precision}: they are excluded, or "
            "nothing tells the types of what goes into them"
        )
    return dict(choice.nodes), dict(choice.left)


def _typed(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its functions laid out and the types of its tensors noted."""
    import onnx
    from onnx.inliner import inline_local_functions

    if model.functions:
        model = inline_local_functions(model)
    return onnx.shape_inference.infer_shapes(model)


class _Choice:
    """Which nodes compute in 16 bits.

    Attributes:
        types: the two types.
        nodes, left: heavy nodes by kind: those that do, and those that don't.
    """

    def __init__(self, model: onnx.ModelProto, dtype: str, options: ConversionOptions) -> None:
        self.types = Types.of(dtype)
        self.nodes: collections.Counter[str] = collections.Counter()
        self.left: collections.Counter[str] = collections.Counter()
        self._options = options
        self._versions = {entry.domain: entry.version for entry in model.opset_import}

    def places(self, node: onnx.NodeProto, graph: Graph) -> Places:
        """Where `node` is narrow; nowhere if it stays in fp32."""
        schema = self._schema(node)
        found = NOWHERE if schema is None or self._stays(node) else self._places(node, schema, graph)
        if node.op_type in QUANTIZABLE:
            (self.nodes if found.inputs else self.left)[node.op_type] += 1
        return found

    def _stays(self, node: onnx.NodeProto) -> bool:
        return self._options.excludes(node) or node.op_type in KEPT or any(inner_graphs(node))

    def _places(self, node: onnx.NodeProto, schema: onnx.defs.OpSchema, graph: Graph) -> Places:
        inputs = [(i, name, _variable(schema.inputs, i)) for i, name in enumerate(node.input) if name]
        outputs = [(i, name, _variable(schema.outputs, i)) for i, name in enumerate(node.output) if name]
        able = {variable for _, name, variable in inputs if graph.is_float(name) and self._admits(schema, variable)}
        mixed = any(variable in able and not graph.is_float(name) for _, name, variable in (*inputs, *outputs))
        made = any(variable not in able and graph.is_float(name) for _, name, variable in outputs)
        if mixed or made:  # a type that nothing tells; a float that an attribute makes
            return NOWHERE
        values = [name for _, name, variable in inputs if variable in able and not graph.is_weight(name)]
        if not any(graph.is_float(name) for _, name, _ in outputs):  # a shape, a comparison: it takes what comes
            narrow = bool(values) and all(map(graph.is_narrow, values))
        else:
            narrow = node.op_type in QUANTIZABLE or not values or not all(map(graph.is_left_wide, values))
        if not narrow:
            return NOWHERE
        return Places(*(frozenset(i for i, _, variable in side if variable in able) for side in (inputs, outputs)))

    def _schema(self, node: onnx.NodeProto) -> onnx.defs.OpSchema | None:
        """What ONNX says of the operator; None where it does not know it."""
        import onnx

        try:
            return onnx.defs.get_schema(node.op_type, self._versions.get(node.domain, 1), node.domain)
        except onnx.defs.SchemaError:
            return None

    def _admits(self, schema: onnx.defs.OpSchema, variable: str) -> bool:
        kinds = (one.allowed_type_strs for one in schema.type_constraints if one.type_param_str == variable)
        return f"tensor({self.types.dtype})" in next(kinds, ())


def _variable(formal: Sequence[onnx.defs.OpSchema.FormalParameter], position: int) -> str:
    """The type variable of an input or output; the last one may stand for many."""
    return formal[min(position, len(formal) - 1)].type_str
