"""Make a network slower for real, its outputs unchanged: to see what its tests say then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnx import helper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def slow_down(model: Path, times: int, target: Path) -> None:
    """Write `model` to `target` such that it computes everything `times` times, one after the other.

    The copies share their weights. Each takes the network's input plus one if the copy before gave a NaN, which it
    does not, but no optimiser can know that and drop or merge copies.
    """
    network = onnx.load(model)
    graph = network.graph
    weights = {tensor.name for tensor in graph.initializer}
    first = next(value for value in graph.input if value.name not in weights)
    entry, kind = first.name, first.type.tensor_type.elem_type
    result = graph.output[0].name
    layers = list(graph.node)
    del graph.node[:]
    for number in range(times):
        last = number == times - 1
        names = {} if number == 0 else {entry: f"{entry}_{number}"}
        for layer in layers:
            for name in layer.output:
                names[name] = name if last else f"{name}_{number}"
        graph.node.extend(_renamed(layers, names, number))
        if not last:
            graph.node.extend(_perturbed(entry, kind, names[result], number))
    del graph.value_info[:]
    onnx.save(network, target)


def _renamed(layers: list[onnx.NodeProto], names: dict[str, str], number: int) -> Iterator[onnx.NodeProto]:
    for layer in layers:
        copy = onnx.NodeProto()
        copy.CopyFrom(layer)
        copy.name = f"{layer.name}_{number}" if layer.name else ""
        copy.input[:] = [names.get(name, name) for name in layer.input]
        copy.output[:] = [names[name] for name in layer.output]
        yield copy


def _perturbed(entry: str, kind: int, result: str, number: int) -> Iterator[onnx.NodeProto]:
    """The next copy's input: `entry`, of ONNX's type `kind`, plus zero."""
    yield helper.make_node("ReduceMin", [result], [f"least_{number}"], keepdims=0)
    yield helper.make_node("IsNaN", [f"least_{number}"], [f"broken_{number}"])
    yield helper.make_node("Cast", [f"broken_{number}"], [f"zero_{number}"], to=kind)
    yield helper.make_node("Add", [entry, f"zero_{number}"], [f"{entry}_{number + 1}"])
