"""All baseline files of a folder or of a revision, held in memory, to be looked at, compared and judged by."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeAlias

from pytest_infer.baselines.codec import decode
from pytest_infer.baselines.directory import DirectoryStore
from pytest_infer.baselines.places import checked, device_of, place_of
from pytest_infer.baselines.schema import BaselineFile
from pytest_infer.errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_infer.baselines.schema import Calibration, Session
    from pytest_infer.baselines.store import Update
    from pytest_infer.device.fingerprint import Device

Tree: TypeAlias = dict[PurePosixPath, BaselineFile]
"""By place: `<device>/<test module path>.json`."""


def read_tree(folder: Path) -> Tree:
    """Every baseline file of a folder; studies, which lie beside the folders of their devices, are none.

    Raises:
        BaselineError: one can't be read, is none, or lies in another device's folder.
    """
    return tree_of(
        (path.relative_to(folder).as_posix(), _bytes(path), path) for path in sorted(folder.glob("*/**/*.json"))
    )


def tree_of(files: Iterable[tuple[str, bytes, Path]]) -> Tree:
    """The same of files by their place, content, and what messages call them."""
    tree: Tree = {}
    for name, text, path in files:
        place = PurePosixPath(name)
        tree[place] = checked(decode(text, path), device_of(place), path)
    return tree


class TreeStore:
    """A BaselineStore of what is in memory, to be judged by; it saves nothing. Studies are a directory's."""

    def __init__(self, tree: Mapping[PurePosixPath, BaselineFile], studies: Path) -> None:
        """Hold the files of `tree`; calibrations lie in the folder `studies`."""
        self._tree = tree
        self._studies = DirectoryStore(studies)

    def read(self, device: Device, module: str) -> BaselineFile | None:
        """One module's file, or None."""
        return self._tree.get(place_of(device.slug, module))

    def read_all(self, device: Device) -> Iterator[BaselineFile]:
        """Every file of the device."""
        return (file for place, file in self._tree.items() if device_of(place) == device.slug)

    def calibration(self, device: Device) -> Calibration | None:
        """What a study on this device found its spread to be."""
        return self._studies.calibration(device)

    def devices(self) -> tuple[str, ...]:
        """Slugs of the devices that have baselines."""
        return tuple(sorted({device_of(place) for place in self._tree}))

    def check_writable(self, device: Device) -> None:
        """It never is.

        Raises:
            BaselineError: always.
        """
        raise BaselineError(f"baselines on {device.slug} are held to be looked at, not to be written")

    def save_calibration(self, device: Device, calibration: Calibration) -> None:  # noqa: ARG002 - the protocol's
        """Refuse.

        Raises:
            BaselineError: always.
        """
        self.check_writable(device)

    def save(self, device: Device, session_id: str, session: Session, updates: Iterable[Update], *, reset: bool) -> int:  # noqa: ARG002 - the protocol's
        """Refuse.

        Raises:
            BaselineError: always.
        """
        self.check_writable(device)
        return 0


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BaselineError(f"{path} can't be read: {error.strerror}") from error
