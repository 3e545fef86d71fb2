"""What a JAX function computes in: the products that it is written with, and those of the program that XLA made."""

from __future__ import annotations

import collections
import re
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.engines.arithmetic import kind_of
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Iterator

    Counts = collections.Counter[str]

_WRITTEN: Final = frozenset({"dot_general", "conv_general_dilated", "ragged_dot", "ragged_dot_general"})
"""Primitives that take most of a network's time."""

_MOVING: Final = frozenset({"convert_element_type", "copy", "reshape", "transpose", "broadcast_in_dim", "squeeze"})
"""Primitives that compute nothing."""

_INSTRUCTION: Final = re.compile(r"^\s*(?:ROOT )?(%?[\w.-]+) = (.+?) ([\w-]+)\((.*)$")
_OPERAND: Final = re.compile(r"%[\w.-]+")
_ELEMENT: Final = re.compile(r"\(*(\w+)\[")
_HEAVY: Final = frozenset({"dot", "convolution", "ragged-dot"})
_LIBRARY: Final = re.compile(r'custom_call_target="[^"]*(gemm|matmul|conv|dot|attention|fmha)', re.IGNORECASE)
"""Products that XLA leaves to a library: `__onednn$matmul`, `__cublas$gemm`, `__cudnn$convForward`."""

_ALGORITHM: Final = re.compile(r'algorithm"?[=:]"?(?:ALG_)?DOT_(BF16|F16|TF32)_', re.IGNORECASE)
"""An algorithm that rounds its operands first, as GPUs do; a CPU was seen to compute in what the operands are in."""
_PRECISE: Final = re.compile(r"highest|dot_f32_f32_f32", re.IGNORECASE)
_FIRST_TF32: Final = 8.0
"""Compute capability from which XLA takes TF32 for products of float32 that don't ask for the highest precision."""


def written(jaxpr: Any) -> tuple[Counts, Counts]:
    """The products that a function is written with, and all else that it computes, by the type of the first operand."""
    heavy: Counts = collections.Counter()
    light: Counts = collections.Counter()
    for equation in _equations(jaxpr):
        name = equation.primitive.name
        kinds = [kind for one in equation.invars if (kind := kind_of(getattr(one.aval, "dtype", None))) is not None]
        if kinds and name not in _MOVING:
            (heavy if name in _WRITTEN else light)[kinds[0]] += 1
    return heavy, light


def computed(hlo: str, capability: float | None = None) -> Counts:
    """The products of an optimised program by the type that they are computed in.

    Args:
        hlo: its text.
        capability: a GPU's compute capability; None for a CPU.
    """
    elements: dict[str, str] = {}
    products: list[str] = []
    for line in hlo.splitlines():
        if (match := _INSTRUCTION.match(line)) is None:
            continue
        name, result, opcode, rest = match.groups()
        if (element := _ELEMENT.match(result)) is not None:
            elements[name] = element[1]
        if opcode in _HEAVY or (opcode == "custom-call" and _LIBRARY.search(rest)):
            products.append(rest)
    found: Counts = collections.Counter()
    for rest in products:
        operand = _OPERAND.search(rest)
        kind = kind_of(elements.get(operand[0])) if operand else None
        if capability is not None:
            kind = _on_gpu(kind, rest, capability)
        if kind is not None:
            found[kind] += 1
    return found


def _on_gpu(kind: str | None, rest: str, capability: float) -> str | None:
    if (rounded := _ALGORITHM.search(rest)) is not None:
        return str(Precision.TF32) if rounded[1].upper() == "TF32" else kind_of(rounded[1].lower())
    if kind == Precision.FP32 and capability >= _FIRST_TF32 and not _PRECISE.search(rest):
        return str(Precision.TF32)
    return kind


def _equations(jaxpr: Any) -> Iterator[Any]:
    """Every equation, those of inner functions, loops and branches, too."""
    for equation in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        yield equation
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                if hasattr(getattr(inner, "jaxpr", inner), "eqns"):
                    yield from _equations(inner)
