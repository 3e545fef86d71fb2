"""The other side of an interleaved comparison: opened before any test runs, gone when pytest ends, however it ends."""

from __future__ import annotations

import atexit
import tempfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pluggy

from pytest_infer.against.choose import sides
from pytest_infer.against.side import Sides
from pytest_infer.device.gpu import COMPUTE_MODE, EXCLUSIVE
from pytest_infer.errors import InferError
from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from pytest_infer.config import Settings
    from pytest_infer.device.fingerprint import Device
    from pytest_infer.result import Result

_TOLD: Final = "infer_against"
"""What an xdist worker is told: both sides, as plain values."""

hookimpl = pluggy.HookimplMarker("pytest")


class TwoSides:
    """A plugin of pytest's that holds the sides. xdist's workers share what their controller opened."""

    def __init__(
        self, settings: Settings, sys_path: tuple[str, ...], gpus: tuple[Device, ...], refuse: type[Exception]
    ) -> None:
        """Open what `settings.against` names when the session starts; `refuse` is how pytest is told of wrong use."""
        self._gpus = gpus
        self.sides: Sides | None = None
        self._settings = settings
        self._sys_path = sys_path
        self._refuse = refuse
        self._opened = ExitStack()

    @hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Open it, before xdist starts its workers."""
        config = session.config
        if config.option.collectonly or self._settings.against is None:
            return
        told: dict[str, Any] = getattr(config, "workerinput", {})
        if _TOLD in told:
            self.sides = msgspec.convert(told[_TOLD], Sides)
            return
        if any(gpu.facts.get(COMPUTE_MODE) == EXCLUSIVE for gpu in self._gpus):
            raise self._refuse(
                "--infer-against: this GPU takes one process at a time, and a comparison needs one a side at once; "
                "nvidia-smi --compute-mode=0 lets it (as root)"
            )
        atexit.register(self._opened.close)
        try:
            found = sides(
                self._settings.against,
                cwd=config.invocation_params.dir,
                root=self._settings.root,
                sys_path=self._sys_path,
                links=self._settings.against_links,
            )
            self.sides = self._opened.enter_context(found)
        except InferError as error:
            raise self._refuse(str(error)) from None
        except OSError as error:
            raise self._refuse(
                f"--infer-against={self._settings.against}: no work tree could be made in {tempfile.gettempdir()}: "
                f"{error} (where it lacks room: TMPDIR names another folder)"
            ) from None

    @hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell an xdist worker."""
        node.workerinput[_TOLD] = msgspec.to_builtins(self.sides)

    def pytest_report_header(self) -> list[str]:
        """Say what is compared with, and what of it is not as its name says."""
        if self.sides is None:
            return []
        there = self.sides.there
        return [f"infer: against {there.label}", *(f"infer: {note}" for note in there.notes)]

    def notes(self, results: Sequence[Result]) -> tuple[str, ...]:
        """What was compared with; that nothing was compared at all would look like a pass."""
        if self.sides is None or not results:
            return ()
        if any(result.outcome is not Outcome.NO_BASELINE for result in results):
            return (f"compared in turn with {self.sides.there.label}, not with baselines",)
        require = "--infer-baseline-mode=require makes that fail"
        return (f"--infer-against={self._settings.against}: no test could be compared; each says why above; {require}",)

    def pytest_unconfigure(self) -> None:
        """Remove what was made."""
        self._opened.close()
        atexit.unregister(self._opened.close)
