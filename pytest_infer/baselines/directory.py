"""Baselines in a folder of the repository: `<folder>/<device>/<test module path>.json`."""

from __future__ import annotations

import contextlib
import tempfile
from typing import TYPE_CHECKING

import msgspec

from pytest_infer.baselines.atomic import lock_of, read_file
from pytest_infer.baselines.codec import decode, decode_calibration, encode
from pytest_infer.baselines.places import checked, place_of
from pytest_infer.baselines.schema import SCHEMA, BaselineFile, Calibration, Entry, Session, appended, sessions_of
from pytest_infer.errors import BaselineError
from pytest_infer.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pytest_infer.baselines.store import Update
    from pytest_infer.device.fingerprint import Device


class DirectoryStore:
    """A BaselineStore of JSON files, written atomically, under a lock."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`; it is made when something is saved."""
        self._folder = folder

    def path(self, device: Device, module: str) -> Path:
        """The file of a test module; a module outside rootdir (`../x`) stays inside the folder."""
        return self._folder / place_of(device.slug, module)

    def read(self, device: Device, module: str) -> BaselineFile | None:
        """One module's file, or None."""
        path = self.path(device, module)
        file = read_file(path)
        return None if file is None else checked(file, device.slug, path)

    def read_all(self, device: Device) -> Iterator[BaselineFile]:
        """Every file of the device that can be read; a broken one is told by the tests that need it."""
        for path in sorted((self._folder / device.slug).rglob("*.json")):
            with contextlib.suppress(BaselineError, OSError):
                file = decode(path.read_bytes(), path)
                if file.device.get("slug") == device.slug:
                    yield file

    def calibration(self, device: Device) -> Calibration | None:
        """The study's result, kept beside the device's folder."""
        path = self._folder / f"{device.slug}.json"
        try:
            return decode_calibration(path.read_bytes(), path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BaselineError(f"{path} can't be read: {error.strerror}") from error

    def save_calibration(self, device: Device, calibration: Calibration) -> None:
        """Write the study's result, atomically."""
        path = self._folder / f"{device.slug}.json"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            replace_file(path, msgspec.json.format(msgspec.json.encode(calibration), indent=1) + b"\n")
        except OSError as error:
            raise BaselineError(f"{path} could not be written: {error.strerror}") from error

    def devices(self) -> tuple[str, ...]:
        """Slugs of the devices that have baselines."""
        with contextlib.suppress(OSError):
            return tuple(sorted(entry.name for entry in self._folder.iterdir() if entry.is_dir()))
        return ()

    def check_writable(self, device: Device) -> None:
        """Try to write into the device's folder, or where it would be made: that is done when something is saved."""
        folder = self._folder / device.slug
        try:
            there = next(place for place in (folder, *folder.resolve().parents) if place.exists())
            with tempfile.TemporaryFile(dir=there):
                pass
        except OSError as error:
            raise BaselineError(
                f"baselines can't be written to {folder}: {error.strerror}; mend it, or choose another place with "
                "--infer-baselines"
            ) from error

    def save(self, device: Device, session_id: str, session: Session, updates: Iterable[Update], *, reset: bool) -> int:
        """Merge the updates into their files, one atomic write a file."""
        by_module: dict[str, list[Update]] = {}
        for update in updates:
            by_module.setdefault(update.module, []).append(update)
        for module, changes in by_module.items():
            self._save_module(device, module, session_id, session, changes, reset=reset)
        return sum(len(changes) for changes in by_module.values())

    def _save_module(
        self, device: Device, module: str, session_id: str, session: Session, changes: list[Update], *, reset: bool
    ) -> None:
        path = self.path(device, module)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with lock_of(path):
                file = self.read(device, module) or BaselineFile(
                    schema=SCHEMA, device={"slug": device.slug, **device.identity}
                )
                replace_file(path, encode(_merged(file, session_id, session, changes, reset=reset)).encode())
        except OSError as error:
            raise BaselineError(f"{path} could not be written: {error.strerror}; it is as it was before") from error


def _merged(
    file: BaselineFile, session_id: str, session: Session, changes: list[Update], *, reset: bool
) -> BaselineFile:
    entries = dict(file.entries)
    for update in changes:
        empty = Entry(workload=dict(update.workload))
        entries[update.key] = appended(empty if reset else entries.get(update.key, empty), update.runs)
    return BaselineFile(
        schema=SCHEMA,
        device=file.device,
        sessions=sessions_of(entries, {**file.sessions, session_id: session}),
        entries=entries,
    )
