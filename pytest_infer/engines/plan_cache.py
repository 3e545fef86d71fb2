"""Built plans on disk: private, checked at every use, and built once when two processes want the same."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.engines.base import BuiltPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LAYOUT: Final = 3
"""Part of every key: raise it when what lies in an entry is read otherwise than it was written."""
_ENTRY: Final = "entry.json"
_PLAN: Final = "plan"


class PlanCache:
    """A folder of plans. A plan is code: the folder is the user's own (0700), and each file's digest is checked."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use `folder`, by default the user's cache folder of this program."""
        if folder is None:
            import platformdirs

            folder = platformdirs.user_cache_path("pytest-infer") / "plans"
        self._folder = folder

    @property
    def ranges(self) -> Path:
        """Where the ranges of calibrations are kept, for every plan that is made from the same model and samples."""
        return self._folder / "ranges"

    def get(
        self, key: Mapping[str, Any], build: Callable[[Path], Mapping[str, Any]], *, fresh: bool = False
    ) -> BuiltPlan:
        """The plan of `key`, built by `build(folder)` where there is none, or where `fresh` asks for a new one.

        `build` fills the folder and gives the facts to keep. An entry that is damaged is built again.
        """
        import filelock

        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            self._folder.chmod(0o700)
        digest = hashlib.sha256(json.dumps({"layout": _LAYOUT, **key}, sort_keys=True).encode()).hexdigest()[:32]
        entry = self._folder / digest
        with filelock.FileLock(self._folder / f"{digest}.lock"):
            if not fresh and (plan := _read(entry)) is not None:
                return plan
            return self._build(entry, key, build)

    def _build(self, entry: Path, key: Mapping[str, Any], build: Callable[[Path], Mapping[str, Any]]) -> BuiltPlan:
        for left in self._folder.glob(f"{entry.name}.*/"):  # of builds that were killed: we hold the entry's lock
            shutil.rmtree(left, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=f"{entry.name}.", dir=self._folder))
        try:
            plan = draft / _PLAN
            plan.mkdir()
            begun = time.perf_counter()
            facts = dict(build(plan))
            built_s = time.perf_counter() - begun
            files = {path.name: _sha256(path) for path in sorted(plan.iterdir())}
            (draft / _ENTRY).write_text(
                json.dumps({"key": key, "facts": facts, "build_s": built_s, "files": files}, sort_keys=True, indent=1)
            )
            shutil.rmtree(entry, ignore_errors=True)
            draft.replace(entry)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        return BuiltPlan(
            folder=entry / _PLAN, facts=facts, build_s=built_s, size_mb=_size_mb(entry / _PLAN), cached=False
        )


def _read(entry: Path) -> BuiltPlan | None:
    try:
        record = json.loads((entry / _ENTRY).read_text())
        found = {path.name: _sha256(path) for path in sorted((entry / _PLAN).iterdir())}
        if found != record["files"]:
            return None
        os.utime(entry / _ENTRY)
        return BuiltPlan(
            folder=entry / _PLAN,
            facts=record["facts"],
            build_s=record["build_s"],
            size_mb=_size_mb(entry / _PLAN),
            cached=True,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.iterdir()) / 1e6


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
