"""A module's call as one CUDA graph. Not verified on hardware."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pytest_infer.errors import EngineBuildError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch

_WARM: Final = 3
"""Calls before the capture, on another stream: libraries allocate and choose kernels in the first ones."""


class Graphed:
    """Replays what one call enqueued, on inputs and outputs that keep their place. It replays on the current stream."""

    def __init__(
        self,
        call: Callable[..., Any],
        args: Sequence[torch.Tensor],
        kwargs: Mapping[str, torch.Tensor],
        where: str,
    ) -> None:
        """Capture `call` on copies of these tensors.

        Raises:
            EngineBuildError: PyTorch can't capture it, with its reason; `where` names the module.
        """
        import torch

        cuda: Any = torch.cuda
        self._args = [one.clone() for one in args]
        self._kwargs = {name: one.clone() for name, one in kwargs.items()}
        side = cuda.Stream()
        side.wait_stream(cuda.current_stream())
        with cuda.stream(side):
            for _ in range(_WARM):
                call(*self._args, **self._kwargs)
        cuda.current_stream().wait_stream(side)
        graph = cuda.CUDAGraph()
        try:
            with cuda.graph(graph):
                self.returned = call(*self._args, **self._kwargs)
        except RuntimeError as error:
            raise EngineBuildError(
                f"{where}: a CUDA graph was asked for, and PyTorch can't capture its call: {error}; drop cuda_graph"
            ) from error
        self.replay = graph.replay
        """Enqueues the captured work; the outputs come into `returned`."""

    def take(self, args: Sequence[torch.Tensor], kwargs: Mapping[str, torch.Tensor]) -> None:
        """Copy the next inputs in, from wherever they are."""
        for own, given in zip(self._args, args, strict=True):
            own.copy_(given)
        for name, own in self._kwargs.items():
            own.copy_(kwargs[name])

    def __call__(self, *args: torch.Tensor, **kwargs: torch.Tensor) -> Any:
        """Copy in, replay; what was returned changes with the next call."""
        self.take(args, kwargs)
        self.replay()
        return self.returned
