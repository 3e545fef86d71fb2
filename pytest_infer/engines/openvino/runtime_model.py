"""What a compiled model computes in, read from the graph that the device says it runs."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.engines.truth import Proof
from pytest_infer.errors import PrecisionError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

_HEAVY: Final = frozenset(
    {
        *("convolution", "groupconvolution", "deconvolution", "deformableconvolution", "binaryconvolution"),
        *("fullyconnected", "matmul", "gemm", "groupedmatmul", "qkvprojection", "llmmlp"),
        *("scaleddotproductattention", "pagedattention", "mha"),
        *("rnncell", "rnnseq", "lstmcell", "lstmseq", "grucell", "gruseq"),
    }
)
"""Layer types, as the CPU (`FullyConnected`) and the GPU plugin (`fully_connected`) write them, case and `_` aside."""

_FUSED: Final = "subgraph"
"""The layer type that the CPU plugin gives to whatever it fuses: a chain of additions, or a whole attention."""

_KINDS: Final = {"f32": "fp32", "f16": "fp16", "bf16": "bf16", "i8": "int8", "u8": "int8"}


def fused_products(compiled: Any, model: Any) -> list[str]:
    """The names of fused nodes that hold a matrix product of `model`, from which `compiled` was made just now.

    An imported model keeps these names, but not what was fused into them.
    """
    products = {op.get_friendly_name() for op in model.get_ops() if op.get_type_name() == "MatMul"}
    return [
        node["name"]
        for node in _nodes(compiled)
        if _layer(node) == _FUSED and not products.isdisjoint(node.get("originalLayersNames", "").split(","))
    ]


def prove(compiled: Any, fused: Collection[str], model: Path) -> tuple[Proof, Mapping[str, int]]:
    """The heavy nodes by arithmetic, and by the kernel that runs them (`brgconv_avx512_amx_I8`).

    `fused` are the names that `fused_products` gave. A node's precision is the widest that its data come in: what is
    mixed counts as the wider one.

    Raises:
        PrecisionError: the device does not tell.
    """
    nodes = _nodes(compiled)
    if not any("runtimePrecision" in node for node in nodes):
        raise PrecisionError(
            f"{model}: the device's runtime model names no precisions, so nobody can tell what it computes in; "
            "measure it as a callable, which claims none"
        )
    heavy = [node for node in nodes if _layer(node) in _HEAVY or (_layer(node) == _FUSED and node["name"] in fused)]
    told = [_type(node) for node in heavy]
    kinds = collections.Counter(_KINDS.get(kind, kind) for kind in told)
    kernels = collections.Counter(node["primitiveType"] for node in heavy if "primitiveType" in node)
    return Proof(how="runtime model", nodes=dict(kinds)), dict(sorted(kernels.items()))


def _nodes(compiled: Any) -> list[dict[str, str]]:
    """The nodes of the graph that the device runs, each with what it tells of it."""
    return [
        {"name": op.get_friendly_name(), **{key: str(told.value) for key, told in op.get_rt_info().items()}}
        for op in compiled.get_runtime_model().get_ops()
    ]


def _type(node: Mapping[str, str]) -> str:
    """What a node computes in: a fused one by its kernel's name, since its type may be that of a boolean mask."""
    if _layer(node) == _FUSED and "primitiveType" in node:
        return node["primitiveType"].rpartition("_")[2].lower()
    return node.get("runtimePrecision", "an untold type")


def _layer(node: Mapping[str, str]) -> str:
    return node.get("layerType", "").replace("_", "").lower()
