"""What a number's type means for a proof, and what became of the products that a function asks for."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Final

from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDE: Final = str(Precision.FP32)
"""What a compiler computes in where a device has no narrower arithmetic."""

_KINDS: Final[Mapping[str, str]] = {
    "float64": "fp64",
    "f64": "fp64",
    "float32": "fp32",
    "f32": "fp32",
    "float16": "fp16",
    "f16": "fp16",
    "bfloat16": "bf16",
    "bf16": "bf16",
    **dict.fromkeys(("int8", "uint8", "qint8", "quint8", "s8", "u8"), "int8"),
}


def kind_of(dtype: object) -> str | None:
    """The arithmetic of an element type by numpy's, torch's or XLA's name; None for indices, masks and the like."""
    name = str(dtype).removeprefix("torch.")
    return "fp8" if name.startswith(("float8", "f8")) else _KINDS.get(name)


def reconciled(written: Mapping[str, int], computed: Mapping[str, int], asked: Precision) -> dict[str, int]:
    """Heavy nodes by their arithmetic, where a compiler may have widened what the function says.

    A compiler without kernels for a narrow type rounds to it and multiplies in fp32: that is neither. Asked for the
    narrow type, such a node counts as fp32; asked for anything else, under a name of its own, so that rounded numbers
    never pass as fp32.

    Args:
        written: nodes of the function as it is written, by element type.
        computed: nodes of the compiled program, by element type.
        asked: the precision that the engine is to be in.
    """
    nodes = collections.Counter(computed)
    for kind, count in (collections.Counter(written) - collections.Counter(computed)).items():
        if kind == WIDE:
            continue
        nodes[WIDE] -= min(count, nodes[WIDE])  # the same products, in the wider type
        nodes[WIDE if kind == str(asked) else f"{kind} widened to {WIDE}"] += count
    return dict(+nodes)
