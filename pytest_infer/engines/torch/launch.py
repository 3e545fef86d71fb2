"""Calls of a module, set by set: on the CPU, on a GPU and back, on a CUDA stream of ours.

What computes on a GPU is not verified on hardware.
"""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, Any

from pytest_infer.device.launch import InParts, Surrounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import torch

    from pytest_infer.device.cuda_streams import Stream
    from pytest_infer.engines.torch.graphed import Graphed

    Arguments = tuple[Sequence[torch.Tensor], Mapping[str, torch.Tensor]]
    Settings = Callable[[], AbstractContextManager[None]]


class OnCpu(Surrounded):
    """Calls a module on tensors of the CPU."""

    def __init__(self, call: Callable[..., Any], sets: Sequence[Arguments], settings: Settings) -> None:
        """Go through `sets`; `settings` are PyTorch's around all calls."""
        self.active = settings
        self._call = call
        self._following = itertools.cycle(sets).__next__

    def __call__(self) -> object:
        """Call it on the next set."""
        args, kwargs = self._following()
        return self._call(*args, **kwargs)


class ThereAndBack(OnCpu):
    """The same on a GPU, on PyTorch's own stream, from the host and back."""

    def __init__(
        self,
        call: Callable[..., Any],
        sets: Sequence[Arguments],
        settings: Settings,
        *,
        copied_out: Callable[[Any], object],
    ) -> None:
        """`copied_out` copies what is returned, and so waits for it."""
        super().__init__(call, sets, settings)
        self._copied_out = copied_out

    def __call__(self) -> object:
        """Copy in, call, copy out."""
        args, kwargs = self._following()
        moved = {name: one.to("cuda") for name, one in kwargs.items()}
        return self._copied_out(self._call(*(one.to("cuda") for one in args), **moved))


class TorchLaunch(InParts):
    """Copies a set of inputs to the GPU, calls the module, copies what it returned: all on the stream."""

    def __init__(
        self,
        call: Callable[..., Any],
        sets: Sequence[Arguments],
        stream: Stream,
        settings: Settings,
        *,
        copied_out: Callable[[Any], object],
    ) -> None:
        """Go through `sets`, which lie on the host; `copied_out` copies what is returned, and so waits for it.

        `settings` are PyTorch's around all calls.
        """
        import torch

        self._cuda: Any = torch.cuda
        self._cuda.synchronize()  # weights were copied on another stream
        self.stream = stream
        self._current = self._cuda.ExternalStream(stream.handle)
        self._settings = settings
        self._call = call
        self._following = itertools.cycle(sets).__next__
        self._copied_out = copied_out
        self._args: Sequence[torch.Tensor] = ()
        self._kwargs: Mapping[str, torch.Tensor] = {}
        self._returned: Any = None

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """PyTorch's current stream is ours, and its settings are the engine's."""
        with self._settings(), self._cuda.stream(self._current):
            yield

    def begin(self) -> None:
        """Copy the next set in."""
        args, kwargs = self._following()
        self._args = [one.to("cuda") for one in args]
        self._kwargs = {name: one.to("cuda") for name, one in kwargs.items()}

    def submit(self) -> None:
        """Call the module."""
        self._returned = self._call(*self._args, **self._kwargs)

    def finish(self) -> object:
        """Copy out what it returned."""
        return self._copied_out(self._returned)


class GraphLaunch(TorchLaunch):
    """The same through a CUDA graph, whose inputs keep their place."""

    def __init__(
        self,
        graph: Graphed,
        sets: Sequence[Arguments],
        stream: Stream,
        settings: Settings,
        *,
        copied_out: Callable[[Any], object],
    ) -> None:
        """Replay `graph`."""
        super().__init__(graph, sets, stream, settings, copied_out=copied_out)
        self.submit = graph.replay  # type: ignore[method-assign] # not one call more than needed
        self._take = graph.take
        self._returned = graph.returned

    def begin(self) -> None:
        """Copy the next set in."""
        self._take(*self._following())
