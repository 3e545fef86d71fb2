"""What a JAX function computes in: the products that it is written with, and those of the program that XLA made."""

from __future__ import annotations

import collections
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pytest_infer.engines.arithmetic import WIDE, kind_of
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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

_ELEMENTWISE: Final = re.compile(r'op_name="[^"]*\b(?:dot_general|conv_general_dilated)"')
"""Whose `multiply` on a GPU is a product of a vector: XLA multiplies the elements there and adds them up."""
_CARRYING: Final = frozenset({"convert", "copy", "bitcast", "broadcast", "reshape", "transpose"})
"""What a number goes through unchanged: narrow ones are multiplied and added up in a wider type, exactly."""

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
    made = _instructions(hlo)
    found: Counts = collections.Counter()
    for one in made.values():
        kind = None
        if one.opcode in _HEAVY or (one.opcode == "custom-call" and _LIBRARY.search(one.rest)):
            operand = _OPERAND.search(one.rest)
            kind = kind_of(made[operand[0]].element) if operand and operand[0] in made else None
            if capability is not None:
                kind = _on_gpu(kind, one.rest, capability)
        elif capability is not None and one.opcode == "multiply" and _ELEMENTWISE.search(one.rest):
            kinds = [kind for name in _OPERAND.findall(one.rest)[:2] if (kind := _came_in(name, made)) is not None]
            kind = min(kinds, key=WIDE.__eq__, default=None)  # a wide one may have come so into its fusion
        if kind is not None:
            found[kind] += 1
    return found


class _Instruction(NamedTuple):
    element: str | None
    opcode: str
    rest: str


def _instructions(hlo: str) -> dict[str, _Instruction]:
    found = {}
    for line in hlo.splitlines():
        if match := _INSTRUCTION.match(line):
            name, result, opcode, rest = match.groups()
            element = _ELEMENT.match(result)
            found[name] = _Instruction(element and element[1], opcode, rest)
    return found


def _came_in(name: str, made: Mapping[str, _Instruction]) -> str | None:
    """What a number is in before it is converted for a multiplication."""
    while one := made.get(name):
        operand = _OPERAND.search(one.rest)
        own = one.opcode == "convert" and "op_name=" in one.rest and not _ELEMENTWISE.search(one.rest)  # the user's
        if one.opcode not in _CARRYING or operand is None or own:
            return kind_of(one.element)
        name = operand[0]
    return None


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
