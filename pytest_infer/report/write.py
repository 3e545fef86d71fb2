"""Reports to files, by the file's ending."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from pytest_infer.errors import UsageError
from pytest_infer.files import replace_file
from pytest_infer.report.json_report import encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_infer.result import RunReport


def reporter_of(path: Path) -> Callable[[RunReport], bytes] | None:
    """What makes a report's content, by the file's ending; None for one that we have nothing for.

    Raises:
        MissingDependencyError: the extra `report` is not installed, which an HTML report needs.
    """
    from pytest_infer.report import gitlab, markdown

    if path.suffix == ".html":
        from pytest_infer.report.html.page import html_reporter

        return html_reporter(f"--infer-report={path}")
    return {".json": encode, ".md": markdown.encode, ".txt": gitlab.encode}.get(path.suffix)


def write_report(report: RunReport, path: Path, encode: Callable[[RunReport], bytes] = encode) -> str:
    """Write one report, its folder made where it lacks; a line that says so.

    Raises:
        UsageError: it can't be written; what stood there stays.
    """
    content = encode(report)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        place = path.resolve()  # a link stays one
        replace_file(place, content, mode=_mode(place))
    except OSError as error:
        raise UsageError(f"--infer-report={path} could not be written: {error.strerror}") from error
    return f"report: {path}"


def _mode(path: Path) -> int:
    """The rights of the file that is there, else of one that anybody's program would make."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0o077)  # there is no other way to ask for it
    os.umask(mask)
    return 0o666 & ~mask
