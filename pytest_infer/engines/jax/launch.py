"""Calls of a compiled function in parts, timed by JAX's own waiting. Not verified on hardware.

XLA computes on streams of its own, on which nobody else can set a mark. So a mark is the host's time when JAX says that
all is ready: the device's time has the way there and back in it, some ten microseconds. It is told with the figure.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

from pytest_infer.device.launch import InParts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Arguments = tuple[Sequence[Any], Mapping[str, Any]]


class _Mark:
    def __init__(self) -> None:
        self.at_ns = 0

    def ms_since(self, earlier: _Mark) -> float:
        return (self.at_ns - earlier.at_ns) / 1e6


class OwnWaiting:
    """Marks that are set when everything is ready."""

    timed_by = "JAX's own waiting, by the host's clock"

    def __init__(self, wait: Callable[[], object], clock: Callable[[], int] = time.perf_counter_ns) -> None:
        """Wait with `wait`; `clock` gives nanoseconds."""
        self.synchronize = wait
        self._clock = clock

    def event(self) -> Any:
        """A mark."""
        return _Mark()

    def record(self, event: _Mark) -> None:
        """Wait, and set it."""
        self.synchronize()
        event.at_ns = self._clock()


class JaxLaunch(InParts):
    """Puts a set of inputs on the device, calls the function, copies what it returned."""

    def __init__(
        self,
        call: Callable[..., Any],
        sets: Sequence[Arguments],
        *,
        put: Callable[[Any], Any],
        wait: Callable[[Any], object],
        copied_out: Callable[[Any], object],
    ) -> None:
        """Go through `sets`; `put` brings one to the device, `wait` waits for arrays, `copied_out` copies them."""
        self.stream = OwnWaiting(self._wait)
        self._call = call
        self._following = itertools.cycle(sets).__next__
        self._put, self._wait_for, self._copied_out = put, wait, copied_out
        self._given: Any = ((), {})
        self._pending: Any = None

    def begin(self) -> None:
        """Put the next set on the device."""
        self._given = self._pending = self._put(self._following())

    def submit(self) -> None:
        """Call the function; it returns before it is done."""
        args, kwargs = self._given
        self._pending = self._call(*args, **kwargs)

    def finish(self) -> object:
        """Copy out what it returned."""
        return self._copied_out(self._pending)

    def _wait(self) -> None:
        self._wait_for(self._pending)
