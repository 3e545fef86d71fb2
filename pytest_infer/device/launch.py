"""One run of what is measured on a GPU, in the parts that a device timer tells apart."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable

BOUND: Final = "bound"
"""Under this name a device's state says what a workload waits for: `HOST`, or `device`."""
HOST: Final = "host"


class Marked(Protocol):
    """What times are taken on: a CUDA stream (`cuda_streams.Stream`), or a library's own way of waiting.

    Attributes:
        timed_by: what a report says of its marks.
    """

    timed_by: str

    def event(self) -> Any:
        """A mark whose time can be asked for (`cuda_streams.Event`), made before it is needed."""
        ...

    def record(self, event: Any) -> object:
        """Set that mark behind what was submitted until now."""
        ...

    def synchronize(self) -> object:
        """Wait until everything submitted is done and every mark reached."""
        ...


@runtime_checkable
class Launch(Protocol):
    """A callable that runs once, and whose parts can be called by themselves, one after the other.

    What an engine's `bind` gives is one where the engine computes on a stream that marks can be set on.
    """

    @property
    def stream(self) -> Marked:
        """Where the work goes."""
        ...

    def begin(self) -> object:
        """Take the next inputs, and copy them to the device where they are not there yet."""
        ...

    def submit(self) -> object:
        """Enqueue the work on these inputs. It can be enqueued again without another `begin`."""
        ...

    def finish(self) -> object:
        """Copy the outputs back where the application does that, and wait until it has them."""
        ...

    def active(self) -> contextlib.AbstractContextManager[Any]:
        """In its body the library computes on `stream`: the calls of a whole measurement belong there."""
        ...

    def __call__(self) -> object:
        """Begin, submit, finish."""
        ...


class Surrounded:
    """A callable, finished when it returns, all of whose calls belong into a context of its library's.

    Attributes:
        active: gives that context.
    """

    active: Callable[[], contextlib.AbstractContextManager[Any]]


class InParts:
    """A `Launch` as most are: calling it goes through its parts. It needs nothing around it.

    Attributes:
        submit: enqueues the work; each has its own.
    """

    submit: Callable[[], object]

    def begin(self) -> object:
        """Nothing to prepare."""

    def finish(self) -> object:
        """Nothing to wait for."""

    def active(self) -> contextlib.AbstractContextManager[Any]:
        """Nothing to set."""
        return contextlib.nullcontext()

    def __call__(self) -> object:
        """Begin, submit, finish."""
        self.begin()
        self.submit()
        return self.finish()
