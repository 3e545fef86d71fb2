"""A PyTorch module ready to run: under the same conditions at every call, arrays in and arrays out."""

from __future__ import annotations

import collections
import contextlib
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pytest_infer.engines.arithmetic import WIDE, kind_of, reconciled
from pytest_infer.engines.signature import named_outputs
from pytest_infer.engines.torch.graphed import Graphed
from pytest_infer.engines.torch.launch import GraphLaunch, OnCpu, ThereAndBack, TorchLaunch
from pytest_infer.engines.torch.operations import Operations, performed
from pytest_infer.engines.truth import Proof
from pytest_infer.errors import PrecisionRefusedError
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import torch
    from numpy.typing import NDArray

    from pytest_infer.device.cuda_streams import Stream
    from pytest_infer.engines.base import Arrays
    from pytest_infer.engines.signature import Signature

_HAS_ARRAYS: Final = frozenset({"fp64", "fp32", "fp16"})
"""Floating-point types that numpy has, too; others come out as float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a module is called under.

    Attributes:
        device: `cpu` or `cuda`.
        threads: intra-op threads.
        autocast: the type that heavy operations are cast to; None for no autocast.
        fp32: what products of float32 may be computed in, as `fp32_precision` takes it: `ieee` or `tf32`.
    """

    device: str
    threads: int
    autocast: torch.dtype | None
    fp32: str

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function` under these conditions: each call sets what is otherwise now, and sets it back."""
        calm, set_so = self.inside(function), self.settings

        def call(*args: Any, **kwargs: Any) -> Any:
            with set_so():
                return calm(*args, **kwargs)

        return call

    def inside(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function` with what PyTorch keeps a call: no gradients, autocast or none. `settings` belong around it."""
        import torch

        function = _inside(torch.inference_mode(), function)
        if self.autocast is not None:
            return _inside(torch.autocast(self.device, dtype=self.autocast), function)
        if torch.is_autocast_enabled(self.device):
            return _inside(torch.autocast(self.device, enabled=False), function)
        return function

    @contextlib.contextmanager
    def settings(self) -> Iterator[None]:
        """What is set for the whole process, while in the body.

        Around a measurement, not around each of its calls: another number of threads is another pool of them, made
        anew each time that it is set.
        """
        import torch

        with contextlib.ExitStack() as within:
            if self.device == "cpu" and torch.get_num_threads() != self.threads:
                within.enter_context(_Setting(torch.get_num_threads, torch.set_num_threads, self.threads))
            for setting in _legacy_switches(self.device, tf32=self.fp32 == Precision.TF32):
                within.enter_context(setting)
            fine = {self.fp32, "none"} if self.device == "cpu" else {self.fp32}  # to cuDNN "none" means TF32
            for switch in _fp32_switches(self.device):
                if switch.fp32_precision not in fine:
                    read = functools.partial(getattr, switch, "fp32_precision")
                    write = functools.partial(setattr, switch, "fp32_precision")
                    within.enter_context(_Setting(read, write, self.fp32))
            yield


class _Setting(contextlib.AbstractContextManager[None]):
    """One of PyTorch's settings, another one for a while."""

    def __init__(self, read: Callable[[], Any], write: Callable[[Any], object], value: Any) -> None:
        self._read, self._write, self._value = read, write, value

    def __enter__(self) -> None:
        self._before = self._read()
        self._write(self._value)

    def __exit__(self, *_: object) -> None:
        self._write(self._before)


def _inside(context: AbstractContextManager[Any], function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with context:
            return function(*args, **kwargs)

    return call


def _fp32_switches(device: str) -> list[Any]:
    """PyTorch's switches by which products of float32 may be computed in less."""
    import torch

    backends: Any = torch.backends
    if device == "cpu":
        return [backends.mkldnn.matmul, backends.mkldnn.conv, backends.mkldnn.rnn]
    return [backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn]


def _legacy_switches(device: str, *, tf32: bool) -> list[_Setting]:
    """Their elder counterparts for CUDA: where the two disagree, libraries that still read these get an error."""
    import torch

    backends: Any = torch.backends
    found = []
    for owner in () if device == "cpu" else (backends.cuda.matmul, backends.cudnn):
        read = functools.partial(getattr, owner, "allow_tf32")
        with contextlib.suppress(RuntimeError):  # the user has made them disagree: they can't be put back so
            read()
            found.append(_Setting(read, functools.partial(setattr, owner, "allow_tf32"), tf32))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A module that was made ready.

    Attributes:
        name: of the module, in errors.
        precision: what it was asked to be in.
        signature: what it takes.
        dtype: what its floating-point inputs are cast to.
        conditions: what it is called under.
        module: as it is written.
        function: as it is measured, compiled or not.
        example: tensors of one call, by name.
        graphs: the operations of its compiled graphs; None where nothing was compiled.
        graph_captured: whether CUDA graphs stand behind its calls; None where none were asked for.
        stream: where it is timed on a GPU; None leaves that to PyTorch.
        untimed: then, why.
    """

    name: str
    precision: Precision
    signature: Signature
    dtype: torch.dtype
    conditions: Conditions
    module: torch.nn.Module
    function: Callable[..., Any]
    example: Mapping[str, torch.Tensor]
    graphs: Sequence[Operations] | None = None
    graph_captured: bool | None = None
    stream: Stream | None = None
    untimed: str = ""


class TorchEngine:
    """A module and the conditions that it is called under.

    On the CPU a measured call begins and ends with tensors (numpy's arrays are the same memory); on a GPU it begins
    and ends on the host.
    """

    in_flight = 1

    def __init__(self, program: Program, outputs: tuple[str, ...], facts: Mapping[str, Any]) -> None:
        """Wrap a program whose outputs have these names."""
        self.costs: Mapping[str, float] = {}
        self.inputs = program.signature.inputs
        self.outputs = outputs
        self.facts = facts
        self.untimed = program.untimed
        self._program: Program = program

    @functools.cached_property
    def proof(self) -> Proof:
        """What a call performs, found by one; for a compiled module, what its graphs hold.

        Raises:
            PrecisionRefusedError: nothing is computed in what was asked, since torch.compile widened it, or since the
                module is not quantized.
        """
        program = self._program
        args, kwargs = program.signature.arguments(program.example)
        module = program.conditions.around(program.module)
        written = performed(lambda: module(*args, **kwargs))
        nodes: Mapping[str, int] = written.heavy
        if program.graphs is not None:
            computed = sum((graph.heavy for graph in program.graphs), start=collections.Counter[str]())
            nodes = reconciled(written.heavy, computed, program.precision)
        nodes = nodes or written.light
        if program.conditions.fp32 == Precision.TF32:  # float32 goes in; the switch makes it TF32 inside the products
            nodes = {Precision.TF32 if kind == WIDE else kind: count for kind, count in nodes.items()}
        if nodes and not nodes.get(program.precision):
            self._refuse(written, nodes)
        return Proof(
            how="execution trace" if program.graphs is None else "compiled graph",
            nodes=nodes,
            weights=_weights(program.module),
            graph_captured=program.graph_captured,
        )

    def _refuse(self, written: Operations, nodes: Mapping[str, int]) -> None:
        asked, name = self._program.precision, self._program.name
        if written.heavy.get(asked):
            raise PrecisionRefusedError(f"{name}: torch.compile computes its {asked} operations in fp32")
        if asked in {Precision.INT8, Precision.FP8}:
            raise PrecisionRefusedError(
                f"{name}: nothing in it computes in {asked} (but in {', '.join(sorted(nodes))}), and PyTorch quantizes "
                "no module by itself; give one that is quantized"
            )

    def infer(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run once."""
        program = self._program
        args, kwargs = program.signature.arguments(tensors(inputs, program.dtype, program.conditions.device))
        return arrays(program.conditions.around(program.function)(*args, **kwargs))

    def bind(self, rotation: Sequence[Arrays]) -> Callable[[], object]:
        """Make tensors of every set; each call runs the next one."""
        program = self._program
        conditions = program.conditions
        run = conditions.inside(program.function)
        sets = [program.signature.arguments(tensors(one, program.dtype, "cpu")) for one in rotation]
        if program.stream is not None:
            if isinstance(program.function, Graphed):
                return GraphLaunch(program.function, sets, program.stream, conditions.settings, copied_out=arrays)
            return TorchLaunch(run, sets, program.stream, conditions.settings, copied_out=arrays)
        return (
            OnCpu(run, sets, conditions.settings)
            if conditions.device == "cpu"
            else ThereAndBack(run, sets, conditions.settings, copied_out=arrays)
        )

    def close(self) -> None:
        """Drop the module; twice is once."""
        vars(self).pop("_program", None)


def tensors(inputs: Arrays, dtype: torch.dtype, device: str) -> dict[str, torch.Tensor]:
    """Arrays as tensors by name, those of floating-point numbers cast to `dtype`."""
    import torch

    # PyTorch warns of memory that it may not write to.
    made = {name: torch.from_numpy(np.require(array, requirements=["C", "W"])) for name, array in inputs.items()}
    return {name: one.to(device, dtype if one.is_floating_point() else one.dtype) for name, one in made.items()}


def arrays(returned: Any) -> dict[str, NDArray[Any]]:
    """What a module returned as arrays by name."""
    return {name: _array(value) for name, value in named_outputs(returned).items()}


def _array(value: Any) -> NDArray[Any]:
    import torch

    if not isinstance(value, torch.Tensor):
        return np.asarray(value)
    value = value.dequantize() if value.is_quantized else value
    if value.is_floating_point() and kind_of(value.dtype) not in _HAS_ARRAYS:
        value = value.float()
    array: NDArray[Any] = value.detach().cpu().numpy()
    return array


def _weights(module: torch.nn.Module) -> dict[str, float]:
    """The share of the parameters' numbers by type."""
    numbers: collections.Counter[str] = collections.Counter()
    for parameter in module.parameters():
        numbers[kind_of(parameter.dtype) or str(parameter.dtype)] += parameter.numel()
    return {kind: count / numbers.total() for kind, count in numbers.items() if count}
