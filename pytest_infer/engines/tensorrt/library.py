"""The TensorRT that is installed, and what its logger says."""

from __future__ import annotations

import collections
import contextlib
import functools
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.errors import EngineBuildError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULES: Final = {
    "tensorrt": ("tensorrt", "tensorrt_bindings"),
    "tensorrt-rtx": ("tensorrt_rtx", "tensorrt_rtx_bindings"),
}
"""Modules by the name of backend and extra; the second is what the wheels of the bindings bring by themselves."""
_KEPT: Final = 20
_ERRORS: Final = frozenset({"INTERNAL_ERROR", "ERROR"})


class Said:
    """What TensorRT said during one step of ours.

    Attributes:
        errors: its last errors, in its own words.
        warnings: its last warnings.
        listing: the layers of the engine that it built, as a builder with detailed verbosity lists them at its end.
        stopped: what one of our callbacks raised. TensorRT would print it and go on: it is raised again by us.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.errors: collections.deque[str] = collections.deque(maxlen=_KEPT)
        self.warnings: collections.deque[str] = collections.deque(maxlen=_KEPT)
        self.listing = ""
        self.stopped: BaseException | None = None

    def take(self, severity: str, message: str) -> None:
        """Keep what is worth it; a build says tens of thousands of things."""
        if severity in _ERRORS:
            self.errors.append(message.strip())
        elif severity == "WARNING":
            self.warnings.append(message.strip())
        elif "LayerType:" in message:
            self.listing = message

    def reason(self) -> str:
        """Its errors in one line each, the first one first."""
        return "\n".join(self.errors) or "it gave no reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """One installed TensorRT.

    Attributes:
        name: the backend's name: `tensorrt` or `tensorrt-rtx`.
        trt: the module.
        logger: ours. There is one a process: TensorRT ignores a second.
    """

    name: str
    trt: Any
    logger: Any

    @property
    def version(self) -> str:
        """Name and version, for reports and cache keys."""
        return f"{self.name} {self.trt.__version__}"

    def start(self, kind: str, said: Said) -> Any:
        """Its `Builder` or `Runtime`.

        Raises:
            EngineBuildError: it can't start here: no driver, no GPU.
        """
        try:
            return getattr(self.trt, kind)(self.logger)
        except TypeError:  # what pybind11 makes of a factory that gives nothing
            raise EngineBuildError(f"{self.version} can't start its {kind.lower()} here:\n{said.reason()}") from None

    @contextlib.contextmanager
    def listening(self) -> Iterator[Said]:
        """What it says while the body runs; what stopped one of our callbacks meanwhile is raised at the end."""
        before, said = self.logger.said, Said()
        self.logger.said = said
        try:
            yield said
        except Exception:
            if said.stopped is None:
                raise
        finally:
            self.logger.said = before
        if said.stopped is not None:
            raise said.stopped


@functools.cache
def find_library(name: str) -> Library:
    """The library behind the backend `name`, its plugins registered.

    Raises:
        MissingDependencyError: not installed. EngineBuildError: installed, but it can't be imported.
    """
    for module in MODULES[name]:
        try:
            trt = importlib.import_module(module)
        except ImportError as error:
            if isinstance(error, ModuleNotFoundError) and error.name == module:
                continue
            raise EngineBuildError(f"{module} is installed, but can't be imported: {error}; install it anew") from error
        library = Library(name=name, trt=trt, logger=make_logger(trt))
        trt.init_libnvinfer_plugins(library.logger, "")
        return library
    raise MissingDependencyError(MODULES[name][0], name, f"backend {name!r}")


def make_logger(trt: Any) -> Any:
    """A logger that hands on to its `said`, which `Library.listening` sets."""

    class Logger(trt.ILogger):  # type: ignore[misc] # the module is known when it is there
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.said = Said()

        def log(self, severity: Any, message: str) -> None:
            try:
                self.said.take(severity.name, message)
            except KeyboardInterrupt as interrupt:  # the main thread builds: this is where Ctrl-C arrives
                self.said.stopped = interrupt

    return Logger()
