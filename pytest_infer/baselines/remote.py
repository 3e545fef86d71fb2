"""Baselines at a URL (`s3://bucket/baselines`, `sftp://…`), by fsspec: read into a folder of ours, written back.

One writer at a time: a recording reads what is there again before it adds its runs, but places like S3 have no locks,
so two recordings that end in the same second can lose one of them.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pytest_infer.baselines.directory import DirectoryStore
from pytest_infer.errors import BaselineError, MissingDependencyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_infer.baselines.schema import BaselineFile, Calibration, Session
    from pytest_infer.baselines.store import Update
    from pytest_infer.device.fingerprint import Device

_PROBE = ".pytest-infer-writable"


class RemoteStore:
    """A BaselineStore at a URL that fsspec knows: a DirectoryStore on a copy of what is needed of it."""

    def __init__(self, url: str) -> None:
        """Open `url`; nothing is read before it is needed.

        Raises:
            MissingDependencyError: fsspec is not installed.
            UsageError: nobody knows such URLs, or what fsspec needs for them is not installed.
        """
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise MissingDependencyError("fsspec", extra="remote", wanted_by=f"--infer-baselines={url}") from None
        try:
            self._there, self._root = url_to_fs(url)
        except Exception as error:  # noqa: BLE001 - fsspec's own words say what to install; some places are asked at once
            raise UsageError(f"--infer-baselines={url}: {error}") from None
        self._url = url
        self._folder = tempfile.TemporaryDirectory(prefix="pytest-infer-remote-", ignore_cleanup_errors=True)
        self._here = DirectoryStore(Path(self._folder.name))
        self._fetched: set[str] = set()

    def read(self, device: Device, module: str) -> BaselineFile | None:
        """One module's file, or None."""
        with self._named():
            return self._copy(device).read(device, module)

    def read_all(self, device: Device) -> Iterator[BaselineFile]:
        """Every file of the device that can be read."""
        with self._named():
            yield from self._copy(device).read_all(device)

    def calibration(self, device: Device) -> Calibration | None:
        """The study's result."""
        with self._named():
            return self._copy(device).calibration(device)

    def save_calibration(self, device: Device, calibration: Calibration) -> None:
        """Keep the study's result."""
        with self._named():
            self._copy(device).save_calibration(device, calibration)
            self._upload(PurePosixPath(f"{device.slug}.json"))

    def devices(self) -> tuple[str, ...]:
        """Slugs of the devices that have baselines."""
        with self._named():
            if not self._there.exists(self._root):
                return ()
            found = self._there.ls(self._root, detail=True)
            return tuple(sorted(PurePosixPath(e["name"]).name for e in found if e["type"] == "directory"))

    def check_writable(self, device: Device) -> None:
        """Write something into the device's folder, and remove it."""
        folder = f"{self._root}/{device.slug}"
        with self._named():
            there = self._there.exists(folder)
            self._there.makedirs(folder, exist_ok=True)
            self._there.pipe_file(f"{folder}/{_PROBE}", b"")
            self._there.rm_file(f"{folder}/{_PROBE}")
            if not there:
                with contextlib.suppress(Exception):  # it is made when something is saved; some places have no folders
                    self._there.rmdir(folder)

    def save(self, device: Device, session_id: str, session: Session, updates: Iterable[Update], *, reset: bool) -> int:
        """Read what is there now, add the updates, and write the files that changed back."""
        updates = list(updates)
        with self._named():
            self._fetched.discard(device.slug)
            here = self._copy(device)
            count = here.save(device, session_id, session, updates, reset=reset)
            for module in dict.fromkeys(update.module for update in updates):
                self._upload(PurePosixPath(here.path(device, module).relative_to(self._folder.name).as_posix()))
        return count

    def _copy(self, device: Device) -> DirectoryStore:
        """The copy of a device's files, read the first time that they are needed."""
        if device.slug not in self._fetched:
            there = f"{self._root}/{device.slug}"
            shutil.rmtree(Path(self._folder.name, device.slug), ignore_errors=True)
            paths = [path for path in self._there.find(there) if path.endswith(".json")]
            paths += [f"{there}.json"] if self._there.exists(f"{there}.json") else []
            for path in paths:
                target = Path(self._folder.name, PurePosixPath(path).relative_to(PurePosixPath(self._root)))
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(self._there.cat_file(path))
            self._fetched.add(device.slug)
        return self._here

    def _upload(self, place: PurePosixPath) -> None:
        """Write one file whole; a place that renames gets it under another name first."""
        target = f"{self._root}/{place}"
        draft = f"{target}.draft"
        self._there.makedirs(str(PurePosixPath(target).parent), exist_ok=True)
        self._there.pipe_file(draft, Path(self._folder.name, place).read_bytes())
        self._there.mv(draft, target)

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Errors that name the URL: fsspec's file systems raise what their libraries do."""
        try:
            yield
        except BaselineError as error:
            raise type(error)(str(error).replace(self._folder.name, self._url)) from error
        except Exception as error:
            what: Any = getattr(error, "strerror", None) or error
            raise BaselineError(f"baselines at {self._url} can't be used: {what}") from error
