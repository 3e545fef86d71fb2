"""What a user may choose of a conversion; every backend that converts takes the same options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_infer import spelling
from pytest_infer.errors import UsageError
from pytest_infer.precision.model import every_node
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Iterable

    import onnx


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionOptions:
    """Choices that change what a conversion writes.

    Attributes:
        keep_io: whether inputs and outputs stay in fp32, as the model has them.
        per_channel: whether each output channel of a weight has a scale of its own, or the whole tensor one.
        exclude_ops: operator types that stay in fp32.
        exclude_nodes: nodes that stay in fp32, by name.
    """

    keep_io: bool = True
    per_channel: bool = True
    exclude_ops: tuple[str, ...] = ()
    exclude_nodes: tuple[str, ...] = ()

    def excludes(self, node: onnx.NodeProto) -> bool:
        """Whether `node` stays in fp32."""
        return node.op_type in self.exclude_ops or bool(node.name and node.name in self.exclude_nodes)

    def check_names(self, graph: onnx.GraphProto, where: str) -> None:
        """See that what is excluded is there.

        Raises:
            UsageError: no such operator type or node in `graph`; `where` names its file.
        """
        nodes = list(every_node(graph))
        _check_known("exclude_ops", self.exclude_ops, {node.op_type for node in nodes}, f"{where} has no operator")
        _check_known("exclude_nodes", self.exclude_nodes, {node.name for node in nodes} - {""}, f"{where} has no node")


CONVERSION_OPTIONS: Final = ("exclude_nodes", "exclude_ops", "keep_io", "per_channel")
"""Names of the options that `conversion_options` reads, for backends to add to their own."""


def conversion_options(options: Mapping[str, Any]) -> ConversionOptions:
    """Those among a backend's `options` that are the conversion's; others are not looked at.

    Raises:
        UsageError: a value that can't be right.
    """
    return ConversionOptions(
        keep_io=_flag(options, "keep_io"),
        per_channel=_flag(options, "per_channel"),
        exclude_ops=_names(options, "exclude_ops"),
        exclude_nodes=_names(options, "exclude_nodes"),
    )


def options_in(precision: Precision, options: Mapping[str, Any]) -> dict[str, Any]:
    """A backend's `options` for the same model in `precision`: less those that are of other precisions alone.

    `keep_io` is of 16 bits; `tf32` stands beside a precision narrower than fp32.
    """
    foreign = set()
    if precision not in {Precision.FP16, Precision.BF16}:
        foreign.add("keep_io")
    if precision in {Precision.FP32, Precision.TF32}:
        foreign.add("tf32")
    return {name: value for name, value in options.items() if name not in foreign}


def _flag(options: Mapping[str, Any], name: str) -> bool:
    value = options.get(name, True)
    if not isinstance(value, bool):
        raise UsageError(f"options={{{name!r}: {value!r}}}: True or False is needed")
    return value


def _names(options: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = options.get(name, ())
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence | frozenset | set):
        raise UsageError(f"options={{{name!r}: {value!r}}}: a list of names is needed")
    if not all(isinstance(one, str) and one for one in value):
        raise UsageError(f"options={{{name!r}: {value!r}}}: each name is a text that is not empty")
    return tuple(sorted(set(value)))


def _check_known(option: str, asked: Iterable[str], known: Iterable[str], missing: str) -> None:
    known = sorted(known)
    for name in asked:
        if name not in known:
            hint = spelling.hint(name, known, f"it has {', '.join(known[:12]) or 'none with a name'}")
            raise UsageError(f"options={{{option!r}: ...}}: {missing} {name!r}; {hint}")
