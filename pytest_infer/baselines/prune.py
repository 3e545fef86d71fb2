"""Entries of tests that are no more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_infer.baselines.places import device_of, module_of, place_of
from pytest_infer.baselines.schema import sessions_of

if TYPE_CHECKING:
    from pathlib import PurePosixPath

    from pytest_infer.baselines.schema import BaselineFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What pytest found.

    Attributes:
        tests: by module, the ids of its tests within it (`test_net[fp32]`).
        within: modules and folders that were looked through, relative to rootdir (`.` is all of it); what lies
            elsewhere is not judged.
        unknown: modules that are there and whose tests nobody saw: skipped as a whole, say, for want of a package.
    """

    tests: dict[str, frozenset[str]]
    within: tuple[str, ...] = (".",)
    unknown: frozenset[str] = frozenset()

    def tests_of(self, place: PurePosixPath) -> frozenset[str] | None:
        """The tests of the module that a baseline file is of; None where nobody looked."""
        slug = device_of(place)
        if any(place_of(slug, module) == place for module in self.unknown):
            return None
        for module, tests in self.tests.items():
            if place_of(slug, module) == place:
                return tests
        module = module_of(place)
        looked = any((top == "." and not module.startswith("..")) or _under(module, top) for top in self.within)
        return frozenset() if looked else None


def pruned(file: BaselineFile, tests: frozenset[str]) -> BaselineFile | None:
    """The file without the entries of tests that are not among `tests`; None where none is left."""
    entries = {key: entry for key, entry in file.entries.items() if any(_is_of(key, test) for test in tests)}
    if entries.keys() == file.entries.keys():
        return file
    return replace(file, entries=entries, sessions=sessions_of(entries, file.sessions)) if entries else None


def _is_of(key: str, test: str) -> bool:
    """Whether an entry's key (`schema.entry_key`) is one of the test's."""
    return key == test or key.startswith(f"{test} ")


def _under(module: str, top: str) -> bool:
    return module == top or module.startswith(f"{top}/")
