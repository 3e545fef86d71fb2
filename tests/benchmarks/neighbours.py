"""Other plugins' own test suites, from their released source, in an environment with pytest-infer and in one without.

Each suite runs in two virtual environments of its own that hold the same packages; from one, pytest-infer was taken
out again. Prints how many tests passed, failed and so on in each, and every test whose result differs. What differs is
run once more on both sides: only what differs again is counted, the rest is told as unsteady.

Usage: python tests/benchmarks/neighbours.py [--folder DIR] [NAME ...] [-- PYTEST_ARGUMENT ...]

It needs the network and some minutes. With `--folder` environments and sources are kept, and found again. Without names
all of `NEIGHBOURS` run. Ends with status 1 where a result differs.
"""

from __future__ import annotations

import argparse
import collections
import os
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

CHECKOUT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A plugin that stores artefacts.

    Attributes:
        name: on the package index; `version` is the release.
        needs: what its tests need beside it.
        arguments: what pytest is called with.
    """

    name: str
    version: str
    needs: tuple[str, ...]
    arguments: tuple[str, ...] = ("tests",)


NEIGHBOURS: Final = (
    Neighbour(
        name="pytest-benchmark",
        version="5.3.1",
        needs=("aspectlib", "elasticsearch", "pygal==3.1.3", "pygaljs==1.0.2", "setuptools>=80", "freezegun", "nbmake"),
    ),
    Neighbour(
        name="pytest-regressions",
        version="2.11.0",
        needs=("matplotlib", "numpy", "pandas", "pillow", "pyarrow", "restructuredtext-lint", "setuptools"),
    ),
    Neighbour(name="pytest-json-report", version="1.5.0", needs=("flaky", "pytest-xdist")),
)


class Place:
    """One neighbour's source and its two environments, below a folder."""

    def __init__(self, neighbour: Neighbour, folder: Path) -> None:
        """Use what is there, fetch and install what is not."""
        self._neighbour = neighbour
        self._folder = folder / neighbour.name
        self._folder.mkdir(parents=True, exist_ok=True)
        self._source = self._unpacked()
        self.environments = {with_us: self._environment(with_us=with_us) for with_us in (False, True)}

    def results(self, arguments: list[str], *, with_us: bool) -> dict[str, str]:
        """The result of each test by its name."""
        report = self._folder / "junit.xml"
        report.unlink(missing_ok=True)
        command = [str(self.environments[with_us] / "bin/python"), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV_CORE", "PYTHONPATH"))}
        done = subprocess.run(
            [*command, f"--junitxml={report}", *(arguments or self._neighbour.arguments)],
            cwd=self._source,
            env=environment
            | {
                "COLUMNS": "80",
                "PATH": f"{self.environments[with_us] / 'bin'}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(self._source / "tests"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if not report.is_file():
            raise SystemExit(
                f"{self._neighbour.name}: pytest wrote no results\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
        found: dict[str, list[str]] = collections.defaultdict(list)
        for case in ET.parse(report).iter("testcase"):  # noqa: S314 - we wrote it
            told = [child.tag for child in case if child.tag in {"failure", "error", "skipped"}]
            found[f"{case.get('classname')}::{case.get('name')}"] += told or ["passed"]
        return {name: "+".join(sorted(statuses)) for name, statuses in found.items()}

    def _unpacked(self) -> Path:
        name, version = self._neighbour.name, self._neighbour.version
        archives = list(self._folder.glob("*.tar.gz"))
        if not archives:
            _run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:",
                 f"--dest={self._folder}", f"{name}=={version}")  # fmt: skip
            (archive,) = self._folder.glob("*.tar.gz")
            with tarfile.open(archive) as content:
                content.extractall(self._folder, filter="data")
        (source,) = (path.parent for path in self._folder.glob("*/PKG-INFO"))
        return source

    def _environment(self, *, with_us: bool) -> Path:
        path = self._folder / ("with" if with_us else "without")
        if not (path / "ready").exists():
            _run(sys.executable, "-m", "venv", path)
            pip = (path / "bin/python", "-m", "pip")
            _run(*pip, "install", "--quiet", CHECKOUT, self._source, *self._neighbour.needs)
            if not with_us:
                _run(*pip, "uninstall", "--quiet", "--yes", "pytest-infer")
            (path / "ready").touch()
        return path


def compare(place: Place, name: str, arguments: list[str]) -> bool:
    """Run a suite on both sides, print what came of it; whether the results are the same."""
    sides = {with_us: place.results(arguments, with_us=with_us) for with_us in (False, True)}
    for with_us, results in sides.items():
        counts = collections.Counter(results.values())
        told = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        print(f"{name:20} {'with' if with_us else 'without':8} {len(results):5} tests: {told}", flush=True)
    differing = _differing(sides)
    if differing:
        again = _differing({with_us: place.results(arguments, with_us=with_us) for with_us in (False, True)})
        for test in sorted(differing - again):
            print(f"    unsteady: {test}")
        differing &= again
    for test in sorted(differing):
        print(f"    {test}: {sides[False].get(test, 'absent')} without, {sides[True].get(test, 'absent')} with")
    return not differing


def _differing(sides: dict[bool, dict[str, str]]) -> set[str]:
    return {test for test in {*sides[False], *sides[True]} if sides[False].get(test) != sides[True].get(test)}


def _run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True)


def main() -> None:
    """Compare the neighbours that are asked for."""
    given = sys.argv[1:]
    end = given.index("--") if "--" in given else len(given)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args(given[:end])
    with tempfile.TemporaryDirectory() as scratch:
        folder = (options.folder or Path(scratch)).resolve()
        wanted = [one for one in NEIGHBOURS if not options.names or one.name in options.names]
        same = [compare(Place(one, folder), one.name, given[end + 1 :]) for one in wanted]
    raise SystemExit(0 if all(same) else 1)


if __name__ == "__main__":
    main()
