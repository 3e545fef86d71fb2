"""Start one side of an A/B comparison: its paths first, then pytest. Standard library only.

Run as a file by the side's interpreter, before anything is imported that could come from the user's checkout although
the side stands for another one; so this is always the file of the pytest that asks, whatever the side has installed.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from typing import Any


def moved(path: str, paths: dict[str, Any]) -> str:
    """`path` as this side has it; `paths` are the plain values of `protocol.Paths`."""
    base: str = paths["base"]
    if not paths["moved"] or not within(path, base) or any(within(path, kept) for kept in paths["kept"]):
        return path
    name = os.path.normpath(path)
    below = name[len(base) :] if inside(name, base) else real(path)[len(real(base)) :]
    return str(paths["moved"]) + below


def within(path: str, folder: str) -> bool:
    """Whether an absolute `path` lies in `folder`, by its name or by where it really is: links give other names."""
    if not os.path.isabs(path):  # noqa: PTH117 - texts in, texts out: thousands of modules are asked about
        return False
    return inside(os.path.normpath(path), folder) or inside(real(path), real(folder))


def inside(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or lies in it, by their names alone."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


@functools.cache
def real(path: str) -> str:
    """Where `path` really is: no links in it."""
    return os.path.realpath(path)


def set_paths(paths: dict[str, Any]) -> None:
    """Let this process import from where its side is."""
    if paths["search"] is None:
        sys.path[:0] = [entry for entry in paths["first"] if entry not in sys.path]
    else:
        sys.path[:] = paths["search"]
    for name, module in list(sys.modules.items()):
        # setuptools' editable installs of some layouts: a finder with a table of packages and their folders.
        if name.startswith("__editable__") and isinstance(getattr(module, "MAPPING", None), dict):
            module.MAPPING.update({package: moved(path, paths) for package, path in module.MAPPING.items()})


def introduce() -> None:
    """Say who this is: `protocol.Introduction` as JSON."""
    version = protocol = trouble = None
    try:
        from importlib import metadata

        version = metadata.version("pytest-infer")
        from pytest_infer.against.protocol import PROTOCOL

        protocol = PROTOCOL
    except ImportError as error:
        trouble = str(error)
    who = {"python": sys.version.split()[0], "version": version, "protocol": protocol, "trouble": trouble}
    sys.stdout.write(json.dumps(who))


class Attended:
    """A plugin of pytest's: ends a pytest that does not load pytest-infer, before it runs the whole suite."""

    def pytest_configure(self, config: Any) -> None:
        """After pytest-infer's own, which comes first."""
        if not config.pluginmanager.hasplugin("infer-station"):
            import pytest

            raise pytest.UsageError(
                "this side does not load pytest-infer: do its options or its ini block it (-p no:)?"
            )


def arguments(given: list[str]) -> list[str]:
    """The command line as this interpreter's plugins know it: what pytest-infer added for pytest-cov needs it here."""
    from importlib.util import find_spec

    return given if find_spec("pytest_cov") else [argument for argument in given if argument != "--no-cov"]


def main() -> None:
    """Set the paths, and run pytest as the job says, or with the argument `introduce` only say who this is.

    The job is in the file that the environment names; who is only to introduce himself is told his paths by his input.
    """
    if sys.argv[1:] == ["introduce"]:
        set_paths(json.load(sys.stdin))
        introduce()
        return
    with open(os.environ["PYTEST_INFER_SIDE"], encoding="utf-8") as job:  # noqa: PTH123 - few imports before the paths
        side = json.load(job)
    set_paths(side["paths"])
    sys.argv[0] = "pytest"
    import pytest

    raise SystemExit(pytest.main(arguments(side["job"]["args"]), plugins=[Attended()]))


if __name__ == "__main__":
    main()
