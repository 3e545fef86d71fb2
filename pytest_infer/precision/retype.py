"""A graph whose floats become 16 bits wide at some nodes: casts where the types meet, each weight rounded once."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_infer.precision.model import every_node, inner_graphs
from pytest_infer.precision.rounding import rounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import onnx

    Choose = Callable[[onnx.NodeProto, "Graph"], "Places"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Types:
    """The two types by ONNX's numbers: `wide` is fp32, `narrow` the one that numpy calls `dtype`."""

    dtype: str
    narrow: int
    wide: int

    @classmethod
    def of(cls, dtype: str) -> Types:
        """fp32 and `dtype`."""
        from onnx import TensorProto

        return cls(dtype=dtype, narrow=int(getattr(TensorProto, dtype.upper())), wide=int(TensorProto.FLOAT))


class Places(NamedTuple):
    """Which inputs and outputs of a node are narrow, by position; its other floats are wide."""

    inputs: frozenset[int]
    outputs: frozenset[int]


NOWHERE: Final = Places(frozenset(), frozenset())


class Graph:
    """One graph, in which each float tensor is known under a name in fp32, in 16 bits, or both."""

    def __init__(
        self,
        graph: onnx.GraphProto,
        types: Types,
        choose: Choose,
        *,
        keep_io: bool = True,
        weights: Mapping[str, onnx.TensorProto] | None = None,
        outer: Graph | None = None,
    ) -> None:
        """Take a graph whose tensors' types are noted.

        Args:
            graph: what is rewritten.
            types: fp32 and the other one.
            choose: says where a node is narrow; it is asked in the nodes' order.
            keep_io: whether inputs and outputs stay wide.
            weights: large ones, which the graph has as inputs.
            outer: the graph that this one is inside of.
        """
        self._graph = graph
        self._types = types
        self._choose = choose
        self._outer = outer
        self._edge = types.wide if keep_io else types.narrow
        self._detached = dict(weights or {})
        self.taken: set[str] = outer.taken if outer else set(_tensor_names(graph))
        values = (*graph.input, *graph.value_info, *graph.output)
        self._kinds: dict[str, int] = {value.name: value.type.tensor_type.elem_type for value in values}
        constants = {one.name: one for one in (*graph.initializer, *_constants(graph))} | self._detached
        self._kinds |= {name: tensor.data_type for name, tensor in constants.items()}
        self._weights = {name: tensor for name, tensor in constants.items() if tensor.data_type == types.wide}
        self._outputs = {value.name for value in graph.output}
        self._names: dict[tuple[str, int], str] = {}  # under which a tensor is known in a type
        self._left_wide: set[str] = set()
        self._nodes: list[onnx.NodeProto] = []

    def rewrite(self) -> None:
        """Do it, in place."""
        graph = self._graph
        nodes = [node for node in graph.node if not self._weights.keys() & set(node.output)]
        others = [one for one in (*graph.initializer, *self._detached.values()) if one.name not in self._weights]
        given = [value for value in graph.input if value.name not in self._detached]
        for field, left in (
            (graph.initializer, others),
            (graph.input, given),
            (graph.value_info, ()),
            (graph.node, ()),
        ):
            del field[:]
            field.extend(left)
        for value in itertools.chain(graph.input, graph.output):
            if self.is_float(value.name):
                value.type.tensor_type.elem_type = self._edge
        self._names |= {(value.name, self._edge): value.name for value in graph.input if self.is_float(value.name)}
        for name in self._outputs & self._weights.keys():
            self._name(name, self._edge)
        for node in nodes:
            self._rewrite(node)
        graph.node.extend(self._nodes)

    def is_float(self, name: str) -> bool:
        """Whether a tensor is, or was, in fp32."""
        return self.kind(name) == self._types.wide

    def is_weight(self, name: str) -> bool:
        """Whether a tensor is a constant of the model."""
        return name in self._weights or (self._outer is not None and self._outer.is_weight(name))

    def is_left_wide(self, name: str) -> bool:
        """Whether the node that makes a tensor makes it in fp32."""
        return name in self._left_wide or (self._outer is not None and self._outer.is_left_wide(name))

    def is_narrow(self, name: str) -> bool:
        """Whether a tensor is there in 16 bits, and not in fp32, too."""
        return bool(self.known(name, self._types.narrow)) and not self.known(name, self._types.wide)

    def _rewrite(self, node: onnx.NodeProto) -> None:
        import onnx

        places = self._choose(node, self)
        for i, name in enumerate(node.input):
            if self.is_float(name):
                node.input[i] = self._name(name, self._types.narrow if i in places.inputs else self._types.wide)
        for inner in inner_graphs(node):
            Graph(inner, self._types, self._choose, outer=self).rewrite()
        self._nodes.append(node)
        for i, name in enumerate(node.output):
            if not self.is_float(name):
                continue
            kind = self._types.narrow if i in places.outputs else self._types.wide
            self._names[name, kind] = name
            if kind == self._types.wide:
                self._left_wide.add(name)
            if name in self._outputs and kind != self._edge:
                node.output[i] = self._names[name, kind] = self._fresh(name)
                self._nodes.append(onnx.helper.make_node("Cast", [node.output[i]], [name], to=self._edge))
                self._names[name, self._edge] = name

    def kind(self, name: str) -> int:
        """The type that a tensor had; 0 where nothing tells."""
        if name in self._kinds or self._outer is None:
            return self._kinds.get(name, 0)
        return self._outer.kind(name)

    def known(self, name: str, kind: int) -> str | None:
        """A tensor's name in a type, if it has one."""
        found = self._names.get((name, kind))
        return self._outer.known(name, kind) if found is None and self._outer is not None else found

    def _name(self, name: str, kind: int) -> str:
        """A tensor's name in a type, which it gets now if it has none."""
        if (known := self.known(name, kind)) is not None:
            return known
        if self.is_weight(name):
            return self.weight(name, kind)
        import onnx

        source = self.known(name, self._types.wide if kind == self._types.narrow else self._types.narrow)
        fresh = self._names[name, kind] = self._fresh(name)
        self._nodes.append(onnx.helper.make_node("Cast", [source or name], [fresh], to=kind))
        return fresh

    def weight(self, name: str, kind: int) -> str:
        """The same of a weight: it becomes an initializer of its graph, under its own name if that is free."""
        if name not in self._weights and self._outer is not None:
            return self._outer.weight(name, kind)
        from onnx import numpy_helper

        other = self._types.wide if kind == self._types.narrow else self._types.narrow
        chosen = self._names[name, kind] = self._fresh(name) if (name, other) in self._names else name
        tensor = self._weights[name]
        array = numpy_helper.to_array(tensor)
        stored = self._graph.initializer.add()
        stored.name, stored.data_type = chosen, kind
        stored.dims.extend(tensor.dims)
        if kind == self._types.narrow:
            array = rounded(array, self._types.dtype, nothing=False)
        stored.raw_data = array.tobytes()
        return chosen

    def _fresh(self, name: str) -> str:
        """A name like `name` that nothing has."""
        fresh = next(one for i in itertools.count() if (one := f"{name}_{i or 'cast'}") not in self.taken)
        self.taken.add(fresh)
        return fresh


def _constants(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """The tensors of a graph's Constant nodes, by the names of their outputs."""
    for node in graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    attribute.t.name = node.output[0]
                    yield attribute.t


def _tensor_names(graph: onnx.GraphProto) -> Iterator[str]:
    """The names of all tensors of a graph and of those inside it."""
    yield from (one.name for one in (*graph.input, *graph.initializer))
    for node in every_node(graph):
        yield from (*node.input, *node.output)
