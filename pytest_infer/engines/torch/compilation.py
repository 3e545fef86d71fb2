"""`torch.compile`: its modes and options, what it compiled, and why it could not."""

from __future__ import annotations

import contextlib
import inspect
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.engines.options import check_names
from pytest_infer.engines.torch.operations import graph_recorder
from pytest_infer.errors import EngineBuildError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import torch

    from pytest_infer.engines.base import CompileRequest
    from pytest_infer.engines.torch.engine import Conditions
    from pytest_infer.engines.torch.operations import Operations

EAGER: Final = "eager"
_MODES: Final = (EAGER, "default", "reduce-overhead", "max-autotune")
_OPTIONS: Final = ("mode", "threads", "fullgraph", "dynamic", "cuda_graph")
_WITH_CUDA_GRAPHS: Final = frozenset({"reduce-overhead", "max-autotune"})
_CALLS: Final = 3
"""Until a compiled module runs as it will: the first compiles, the next two warm up and record CUDA graphs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The backend's options, checked; see `TorchBackend`."""

    mode: str = EAGER
    threads: int = 1
    fullgraph: bool = True
    dynamic: bool = False
    cuda_graph: bool = False

    @classmethod
    def read(cls, request: CompileRequest) -> Options:
        """Those of `request`.

        Raises:
            UsageError: an unknown one, or an impossible value.
        """
        given = {"threads": request.threads, **request.options}
        check_names("torch", given, _OPTIONS)
        options = cls(**given)
        if options.mode not in _MODES:
            raise UsageError(f"options={{'mode': {options.mode!r}}}: one of {', '.join(_MODES)} is needed")
        if not isinstance(options.threads, int) or isinstance(options.threads, bool) or options.threads < 1:
            raise UsageError(f"options={{'threads': {options.threads!r}}}: a whole number of at least 1 is needed")
        for key in ("fullgraph", "dynamic", "cuda_graph"):
            if not isinstance(getattr(options, key), bool):
                raise UsageError(f"options={{{key!r}: {getattr(options, key)!r}}}: True or False is needed")
        if options.cuda_graph and options.mode in _WITH_CUDA_GRAPHS:
            raise UsageError(
                f"options={{'cuda_graph': True}}: mode {options.mode!r} makes CUDA graphs by itself; drop it"
            )
        for key in ("fullgraph", "dynamic"):
            if key in given and options.mode == EAGER:
                raise UsageError(f"options={{{key!r}: ...}} is for compiled modules; give a mode, too: 'default'")
        return options


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A module that was compiled.

    Attributes:
        function: calls it.
        graphs: the operations of each of its graphs.
        graph_captured: whether CUDA graphs stand behind its calls; None where none were asked for.
    """

    function: Callable[..., Any]
    graphs: Sequence[Operations]
    graph_captured: bool | None


def compile_module(
    module: torch.nn.Module,
    options: Options,
    conditions: Conditions,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    fresh: bool,
    where: str,
) -> Compiled:
    """Compile `module` for these arguments, and call it until it runs as it will.

    Args:
        module: what to compile.
        options: how.
        conditions: what it is called under.
        args: of one call, by position.
        kwargs: and by name.
        fresh: whether to leave out what Inductor keeps of earlier compilations.
        where: names the module in errors.

    Raises:
        EngineBuildError: with PyTorch's reason. What the module itself raises comes as it is.
    """
    import torch

    with _no_warnings():
        from torch._dynamo.exc import TorchDynamoException, Unsupported
        from torch._dynamo.utils import counters
        from torch._inductor import list_mode_options
        from torch._inductor.utils import fresh_cache

    compile_: Any = torch.compile
    recorder, graphs = graph_recorder()
    # Without it, variants of one class of modules would count against each other, and the ninth would stay eager.
    apart = {"isolate_recompiles": True} if "isolate_recompiles" in inspect.signature(compile_).parameters else {}
    with _no_warnings():
        function = compile_(
            module,
            fullgraph=options.fullgraph,
            dynamic=options.dynamic,
            options={**list_mode_options(options.mode), "post_grad_custom_post_pass": recorder},
            **apart,
        )
    call = conditions.around(function)
    skipped = counters["inductor"]["cudagraph_skips"]
    try:
        with _no_warnings(), fresh_cache() if fresh else contextlib.nullcontext():
            for _ in range(_CALLS):
                call(*args, **kwargs)
    except TorchDynamoException as error:
        conditions.around(module)(*args, **kwargs)  # a module that fails by itself does so in its own words
        pieces = "options={'fullgraph': False} lets it run in pieces, " if isinstance(error, Unsupported) else ""
        raise EngineBuildError(
            f"{where}: torch.compile can't take it: {_reason(error)}\n"
            f"{pieces}options={{'mode': 'eager'}} runs it as it is written"
        ) from error
    if not graphs:
        raise EngineBuildError(f"{where}: torch.compile found nothing to compile; use options={{'mode': 'eager'}}")
    with_graphs = conditions.device == "cuda" and options.mode in _WITH_CUDA_GRAPHS
    return Compiled(
        function=function,
        graphs=graphs,
        graph_captured=counters["inductor"]["cudagraph_skips"] == skipped if with_graphs else None,
    )


@contextlib.contextmanager
def _no_warnings() -> Iterator[None]:
    """`-W error` must not make an error of what is no fault of the user's.

    PyTorch's compiler imports what PyTorch has deprecated, and recommends TF32 to who asked for fp32.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", message="TensorFloat32 tensor cores")
        yield


def _reason(error: Exception) -> str:
    """PyTorch's message without its advice for people who debug PyTorch."""
    return str(error).partition("\n\nSet TORCHDYNAMO_VERBOSE")[0].strip()
