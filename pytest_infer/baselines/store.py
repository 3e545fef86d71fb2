"""What a store of baselines is to the rest of the plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_infer.baselines.schema import BaselineFile, BaselineRun, Calibration, Session
    from pytest_infer.device.fingerprint import Device


class BaselineStore(Protocol):
    """Reads and writes the baseline files of devices. A module is a test file's path relative to rootdir."""

    def read(self, device: Device, module: str) -> BaselineFile | None:
        """One module's file, or None where there is none.

        Raises:
            BaselineError: it is there and can't be used.
        """
        ...

    def read_all(self, device: Device) -> Iterable[BaselineFile]:
        """Every readable file of the device: what its spread is estimated from."""
        ...

    def calibration(self, device: Device) -> Calibration | None:
        """What a study on this device found its spread to be."""
        ...

    def save_calibration(self, device: Device, calibration: Calibration) -> None:
        """Keep it."""
        ...

    def devices(self) -> tuple[str, ...]:
        """Slugs of the devices that have baselines."""
        ...

    def check_writable(self, device: Device) -> None:
        """Raise BaselineError now rather than after an hour of recording."""
        ...

    def save(self, device: Device, session_id: str, session: Session, updates: Iterable[Update], *, reset: bool) -> int:
        """Append (or, with `reset`, replace by) the accepted runs of one recording; how many entries were written."""
        ...


class Update(Protocol):
    """Accepted runs of one measurement."""

    @property
    def module(self) -> str:
        """The test file."""
        ...

    @property
    def key(self) -> str:
        """The entry."""
        ...

    @property
    def workload(self) -> Mapping[str, object]:
        """Its description."""
        ...

    @property
    def runs(self) -> tuple[BaselineRun, ...]:
        """The runs, of one session."""
        ...
