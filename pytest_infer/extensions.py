"""Where other people's backends, stores and reporters come in, before ours."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infer.baselines.directory import DirectoryStore
from pytest_infer.engines.registry import CALLABLE, find_backend
from pytest_infer.errors import MissingDependencyError, UsageError
from pytest_infer.report.write import reporter_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_infer.baselines.store import BaselineStore
    from pytest_infer.engines.base import Backend, CompilingBackend
    from pytest_infer.result import Result, RunReport


class Extensions:
    """Asks the hooks first, and falls back to what is built in."""

    def __init__(self, hook: Any) -> None:
        """Use `hook`, a pluggy relay that knows our hook specifications."""
        self._hook = hook

    def backend(self, name: str) -> Backend | CompilingBackend:
        """The backend of that name.

        Raises:
            UsageError: there is none. MissingDependencyError: its package is not installed.
        """
        made: Backend | CompilingBackend | None = self._hook.pytest_infer_make_backend(name=name)
        return made if made is not None else find_backend(name)

    def check(self, reports: Iterable[str], backend: str | None) -> None:
        """See before any test runs that reports can be made, and that there is such a backend.

        A backend's package may lack: not all tests need it.

        Raises:
            UsageError: nobody can make a report, or there is no such backend.
        """
        for path in reports:
            self.reporter(Path(path))
        if backend not in {None, CALLABLE}:
            with contextlib.suppress(MissingDependencyError):
                self.backend(str(backend))

    def store(self, location: str, root: Path) -> BaselineStore:
        """The baseline store at `location`: a URL, or a directory under `root`.

        Raises:
            UsageError: it is a URL that nobody knows. MissingDependencyError: what it needs is not installed.
        """
        made: BaselineStore | None = self._hook.pytest_infer_make_store(location=location)
        if made is not None:
            return made
        if "://" in location:
            from pytest_infer.baselines.remote import RemoteStore

            return RemoteStore(location)
        return DirectoryStore(root / location)

    def reporter(self, path: Path) -> Callable[[RunReport], bytes]:
        """What makes the content of a report.

        Raises:
            UsageError: nobody can make one of that kind. MissingDependencyError: its package is not installed.
        """
        made: Callable[[RunReport], bytes] | None = self._hook.pytest_infer_make_reporter(path=path)
        if made is not None:
            return made
        ours = reporter_of(path)
        if ours is None:
            raise UsageError(
                f"--infer-report={path}: .json, .html, .md and .txt are written, and what a pytest_infer_make_reporter "
                "hook makes"
            )
        return ours

    def verdict(self, result: Result) -> None:
        """Tell who wants to hear."""
        self._hook.pytest_infer_verdict(result=result)
