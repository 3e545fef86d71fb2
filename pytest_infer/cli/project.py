"""Where baselines are, as pytest started in this folder would find them.

pytest's own search is private to it (`_pytest.config.findpaths`), and takes its command line into account. This is its
documented rule for a start without arguments: the nearest folder upwards with a configuration file of pytest's is
rootdir, else the nearest pyproject.toml's, else the nearest setup.py's, else this one.
https://docs.pytest.org/en/stable/reference/customize.html#finding-the-rootdir
"""

from __future__ import annotations

import configparser
import itertools
import os
import shlex
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_OPTION: Final = "--infer-baselines"
_FILES: Final = {  # in the order in which pytest prefers them; the section, and whether the file counts without one
    "pytest.toml": ("pytest", True),
    ".pytest.toml": ("pytest", True),
    "pytest.ini": ("pytest", True),
    ".pytest.ini": ("pytest", True),
    "pyproject.toml": ("tool.pytest", False),
    "tox.ini": ("pytest", False),
    "setup.cfg": ("tool:pytest", False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What pytest would run in.

    Attributes:
        root: pytest's rootdir.
        options: its configuration file's options, as text or lists of texts.
    """

    root: Path
    options: Mapping[str, Any] = field(default_factory=dict)

    def baselines(self, environment: Mapping[str, str] | None = None) -> Path:
        """The folder of the baselines: of the ini key, of `addopts` or PYTEST_ADDOPTS, or the default.

        Raises:
            UsageError: they are not in a folder.
        """
        environment = os.environ if environment is None else environment
        added = self.options.get("addopts", [])
        words = [
            *(shlex.split(added) if isinstance(added, str) else map(str, added)),
            *shlex.split(environment.get("PYTEST_ADDOPTS", "")),
        ]
        place = _given(words) or str(self.options.get("infer_baselines") or "baselines")
        if "://" in place:
            raise UsageError(f"{_OPTION}={place} is no folder: copy what is there, and name the copy with --baselines")
        return self.root / place


def find_project(start: Path) -> Project:
    """Find what pytest, started in `start`, would take for its rootdir.

    Raises:
        UsageError: a configuration file can't be read.
    """
    folders = (start, *start.parents)
    for folder in folders:
        for name, (section, alone) in _FILES.items():
            path = folder / name
            if path.is_file():
                options = _options(path, section)
                if options is not None or alone:
                    return Project(root=folder, options=options or {})
    for name in ("pyproject.toml", "setup.py"):
        for folder in folders:
            if (folder / name).is_file():
                return Project(root=folder)
    return Project(root=start)


def _options(path: Path, section: str) -> Mapping[str, Any] | None:
    """The options of a file's section; None where it has no such section."""
    try:
        if path.suffix != ".toml":
            parser = configparser.RawConfigParser(strict=False)
            parser.read_string(path.read_text(encoding="utf-8"))
            return dict(parser.items(section)) if parser.has_section(section) else None
        content: Any = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, configparser.Error) as error:
        raise UsageError(f"{path} can't be read as pytest's configuration: {error}") from None
    for key in section.split("."):
        content = content.get(key) if isinstance(content, dict) else None
    if not isinstance(content, dict) or not content:
        return None
    options: Mapping[str, Any] = content.get("ini_options", content)
    return options


def _given(words: Sequence[str]) -> str | None:
    """The last value of the option among command-line words."""
    found = None
    for word, following in itertools.zip_longest(words, words[1:]):
        if word == _OPTION:
            found = following
        elif word.startswith(f"{_OPTION}="):
            found = word.partition("=")[2]
    return found
