"""A float network made ready for quantize and dequantize steps: constants folded, normalisation in its convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_infer.errors import UsageError
from pytest_infer.precision.model import (
    attach,
    detach,
    every_node,
    external_files,
    opset,
    raised,
    read,
    session,
    structure,
    write,
)

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

    from pytest_infer.precision.options import ConversionOptions


_OLDEST_OPSET: Final = 13  # the first with scales per channel


def simplified(model: Path, folder: Path, options: ConversionOptions) -> Path:
    """The network in `model` as ONNX Runtime simplifies it for any device, at an operator set that knows scales.

    Args:
        model: the network.
        folder: where it is written.
        options: what they exclude must be in the model.

    Raises:
        EngineBuildError: it can't be raised. UsageError: what is excluded is not there.
    """
    network = structure(model)
    options.check_names(network.graph, str(model))
    old, apart = opset(network) < _OLDEST_OPSET, bool(external_files(model))
    if old or apart:  # weights that lie apart must lie beside what is made of them: older runtimes only refer to them
        source = read(model)
        if old:
            weights = detach(source)
            source = raised(source, _OLDEST_OPSET, model, "scales by channel")
            attach(source, weights)
        model = folder / "source.onnx"
        write(source, model)
        del source  # large networks fit twice, not three times
    target = folder / "simplified.onnx"
    session(model, optimized=target)
    return target


def excluded_nodes(graph: onnx.GraphProto, options: ConversionOptions, where: str) -> list[str]:
    """The nodes of a simplified `graph` that stay in fp32, by name; `where` names the model.

    A node that became part of another goes by the name of both (`product/MatMulAddFusion`).

    Raises:
        UsageError: a node that was to be excluded is no more.
    """
    names = [node.name for node in every_node(graph) if node.name]
    found = {node.name for node in every_node(graph) if node.name and node.op_type in options.exclude_ops}
    for asked in options.exclude_nodes:
        matching = [name for name in names if name == asked or name.startswith(f"{asked}/")]
        if not matching:
            raise UsageError(
                f"options={{'exclude_nodes': ...}}: {asked!r} of {where} becomes part of another node before anything "
                "is quantized (a normalisation goes into its convolution, constants are computed); exclude that one"
            )
        found.update(matching)
    return sorted(found)
