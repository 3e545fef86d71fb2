"""What a PyTorch module computes in: the operations that one call performs, and those of compiled graphs."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.engines.arithmetic import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import torch

    Counts = collections.Counter[str]

_HEAVY: Final = frozenset(
    {"conv", "convolution", "linear", "mm", "bmm", "addmm", "baddbmm", "addbmm", "mv", "addmv", "matmul", "dot", "vdot"}
    | {"attention", "rnn", "lstm", "gru", "bilinear"}
    | {f"conv{n}d" for n in (1, 2, 3)}
    | {f"q{word}" for word in ("conv", "conv1d", "conv2d", "conv3d", "linear")}
)
"""Words in the names of operations that take most of a network's time: `aten::addmm`, `mkldnn::_linear_pointwise`."""

_ADDING: Final = frozenset({"addmm", "baddbmm", "addbmm", "addmv"})
"""Operations whose first operand is a bias and no factor."""

_MOVING: Final = frozenset({"to", "_to_copy", "copy_", "convert_element_type"})
"""Operations that may change a type and compute nothing."""

_STDERR: Final = 2
_TRACED: Final = re.compile(r"Tensor\((?:c10::)?([\w ]+)\)")
_TYPES: Final[Mapping[str, str]] = {
    "float": "float32",
    "double": "float64",
    "half": "float16",
    "signed char": "int8",
    "unsigned char": "uint8",
}
"""PyTorch's names by C++'s, where they differ by more than case."""


@dataclass(slots=True)
class Operations:
    """Operations by the arithmetic of their operands: heavy ones, and all others."""

    heavy: Counts = field(default_factory=collections.Counter)
    light: Counts = field(default_factory=collections.Counter)

    def add(self, name: str, operands: Sequence[str]) -> None:
        """Count one, by the first of its operands (their types, None for what is no tensor) that is a factor."""
        namespace, _, name = name.rpartition("::")
        words = set(name.split("_"))
        kinds = [kind for dtype in operands[bool(words & _ADDING) :] if (kind := kind_of(dtype)) is not None]
        if namespace == "quantized" and "fp16" not in words:
            kinds = ["int8"]  # weights are packed out of sight, activations may be quantized inside
        if kinds and name not in _MOVING:
            (self.heavy if is_heavy(name) else self.light)[kinds[0]] += 1


def is_heavy(name: str) -> bool:
    """Whether an operation of that name, without its namespace, takes most of a network's time."""
    return not _HEAVY.isdisjoint(name.split("_"))


def performed(run: Callable[[], object]) -> Operations:
    """The operations that `run` performs, each the innermost that PyTorch tells of."""
    from torch.profiler import ExecutionTraceObserver

    with tempfile.TemporaryDirectory(prefix="pytest-infer-trace-") as folder:
        trace = Path(folder) / "trace.json"
        observer = ExecutionTraceObserver()
        observer.register_callback(str(trace))
        with _stderr_muted():
            observer.start()
        try:
            run()
        finally:
            with _stderr_muted():
                observer.stop()
                observer.unregister_callback()
        nodes = {node["id"]: node for node in json.loads(trace.read_text())["nodes"]}
    outer: set[int] = set()
    for number, node in nodes.items():
        if is_heavy(node["name"].rpartition("::")[2]):
            while (parent := node["ctrl_deps"]) not in outer and parent in nodes and parent != number:
                outer.add(number := parent)
    found = Operations()
    for number, node in nodes.items():
        if number not in outer:
            types = (match[1].lower() for kind in node["inputs"]["types"] if (match := _TRACED.fullmatch(kind)))
            found.add(node["name"], [_TYPES.get(name, name) for name in types])
    return found


def graph_recorder() -> tuple[Any, list[Operations]]:
    """A pass for Inductor that changes nothing, and what it saw: the operations of every graph that was compiled."""
    from torch._inductor import custom_graph_pass

    graphs: list[Operations] = []
    base: Any = custom_graph_pass.CustomGraphPass

    class Recorder(base):  # type: ignore[misc]  # PyTorch may be missing where types are checked
        def __call__(self, graph: torch.fx.Graph) -> None:
            found = Operations()
            for node in graph.nodes:
                if node.op == "call_function":
                    values: list[Any] = [getattr(one, "meta", {}).get("val") for one in node.args]
                    told: Any = getattr(node.target, "name", lambda target=node.target: target)
                    name = str(told()).partition(".")[0]
                    found.add(name, [str(value.dtype) for value in values if hasattr(value, "dtype")])
            graphs.append(found)

        def uuid(self) -> None:
            """No graph comes from Inductor's cache: this pass would not see it."""

    return Recorder(), graphs


@contextlib.contextmanager
def _stderr_muted() -> Iterator[None]:
    """The observer announces itself on the process's stderr, past Python: no user is to wonder about that."""
    try:
        kept = os.dup(_STDERR)
    except OSError:  # there is none
        yield
        return
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - the device, not a path
        os.dup2(nowhere.fileno(), _STDERR)
    try:
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
