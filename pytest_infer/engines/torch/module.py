"""A user's PyTorch object as a module to call: a module, an exported program, its file, or what makes one of these."""

from __future__ import annotations

import copy
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infer.engines.signature import Signature, read_signature, resolve_signature
from pytest_infer.errors import EngineBuildError, UsageError
from pytest_infer.workload import TensorSpec

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram

    from pytest_infer.engines.base import CompileRequest

_SEED = 0
"""Of the weights that a factory draws: two engines of one factory, and two processes, must not differ in them."""


def open_module(request: CompileRequest, device: str, where: str) -> tuple[torch.nn.Module, Signature]:
    """The module of `request.model` on `device`, in evaluation mode, and what it takes.

    A user's own module is used as it is and left in evaluation mode; on a GPU a copy of it is.

    Raises:
        UsageError: an object of another kind, or inputs that it hasn't. EngineBuildError: a file that can't be loaded.
    """
    import torch
    from torch.export import ExportedProgram

    model = request.model
    if isinstance(model, Path):
        model = _load(model)
    elif not isinstance(model, torch.nn.Module | ExportedProgram):
        model = _from_factory(model)
    if isinstance(model, ExportedProgram):
        signature = resolve_signature(_declared(model, where), _positional(model), request, where)
        return _exported(model, device), signature
    signature = read_signature(model.forward, request, where)
    if device != "cpu":
        model = copy.deepcopy(model).to(device)
    return model.eval(), signature


def own_dtype(module: torch.nn.Module) -> torch.dtype:
    """What the module's parameters are in, if they agree; else float32, which autocast starts from."""
    import torch

    dtypes = {parameter.dtype for parameter in module.parameters() if parameter.is_floating_point()}
    return dtypes.pop() if len(dtypes) == 1 else torch.float32


def _load(path: Path) -> ExportedProgram:
    import torch

    if path.suffix != ".pt2":
        raise UsageError(
            f"{path}: backend 'torch' loads .pt2 files, which torch.export.save writes; what else torch.save wrote is "
            "a pickle: load it yourself, and give the module as model="
        )
    try:
        return torch.export.load(path)
    except Exception as error:
        raise EngineBuildError(f"{path}: torch.export.load can't read it: {error}") from error


def _from_factory(factory: Any) -> Any:
    import torch
    from torch.export import ExportedProgram

    wanted = (
        "backend 'torch' takes a torch.nn.Module, an ExportedProgram, the path of a .pt2 file, or a class or function "
        "without required arguments that makes one"
    )
    if not callable(factory):
        raise UsageError(f"{type(factory).__name__} can't be the model: {wanted}")
    try:
        _check_no_arguments(factory)
    except TypeError as error:
        raise UsageError(f"{factory!r} can't be the model: {wanted} ({error})") from None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        made = factory()
    if not isinstance(made, torch.nn.Module | ExportedProgram):
        raise UsageError(f"{factory!r} gave a {type(made).__name__}: {wanted}")
    return made


def _check_no_arguments(factory: Any) -> None:
    try:
        signature = inspect.signature(factory)
    except ValueError:  # it is not written in Python and doesn't tell
        return
    signature.bind()


def _declared(exported: ExportedProgram, where: str) -> list[TensorSpec]:
    import torch

    values = {node.name: node.meta.get("val") for node in exported.graph.nodes if node.op == "placeholder"}
    specs = []
    for name in exported.graph_signature.user_inputs:
        value = values.get(str(name))
        if not isinstance(value, torch.Tensor):
            raise UsageError(f"{where}: its input {name!r} is no tensor; export it with tensors alone")
        shape = tuple(d if isinstance(d, int) else str(d) for d in value.shape)
        specs.append(TensorSpec(name=str(name), dtype=str(value.dtype).removeprefix("torch."), shape=shape))
    return specs


def _positional(exported: ExportedProgram) -> int:
    spec = exported.call_spec.in_spec
    if spec is None:
        return len(exported.graph_signature.user_inputs)
    children = spec.children() if hasattr(spec, "children") else spec.children_specs
    return int(children[0].num_leaves)


def _exported(exported: ExportedProgram, device: str) -> torch.nn.Module:
    if device != "cpu":
        from torch.export.passes import move_to_device_pass

        exported = move_to_device_pass(exported, device)
    return exported.module()  # it was exported in evaluation mode, or not: eval() has no meaning for it
