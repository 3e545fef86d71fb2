"""Where a test module's baselines lie inside a store's folder: `<device>/<test module path>.json`, and back."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pytest_infer.errors import BaselineCorruptError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_infer.baselines.schema import BaselineFile

_UP = "__"
"""Stands for `..`: a module outside rootdir has its place inside the folder, too."""


def place_of(slug: str, module: str) -> PurePosixPath:
    """The file of a test module of a device, relative to the store's folder."""
    parts = [_UP if part == ".." else part for part in PurePosixPath(module).parts if part.strip("/.") or part == ".."]
    return PurePosixPath(slug, *parts).with_suffix(".json")


def device_of(place: PurePosixPath) -> str:
    """The slug of the device that a file is of."""
    return place.parts[0]


def module_of(place: PurePosixPath) -> str:
    """The test module that a file is of, as a path relative to rootdir."""
    parts = [".." if part == _UP else part for part in place.parts[1:]]
    return str(PurePosixPath(*parts).with_suffix(".py"))


def checked(file: BaselineFile, slug: str, path: Path) -> BaselineFile:
    """The file, if it is of the device in whose folder it lies.

    Raises:
        BaselineCorruptError: it is of another one.
    """
    if file.device.get("slug") != slug:
        raise BaselineCorruptError(
            f"{path} was recorded on {file.device.get('slug')!r}, not on {slug!r}; move it to the folder of its device"
        )
    return file
