"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_infer.cli.project import find_project
from pytest_infer.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable


def _folder(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> Path:
    return find_project(Path.cwd()).baselines() if value is None else value


def _folder_if_any(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> Path:
    if value is not None:
        return value
    project = find_project(Path.cwd())
    try:
        return project.baselines()
    except UsageError as error:
        click.echo(f"baselines are not looked at: {error}", err=True)
        return project.root / "baselines"


def baselines_option(command: Callable[..., Any], *, needed: bool = True) -> Callable[..., Any]:
    """`--baselines`, given to the command as `folder`; where they are not `needed`, any that can be found."""
    return click.option(
        "--baselines",
        "folder",
        type=click.Path(path_type=Path, file_okay=False),
        callback=_folder if needed else _folder_if_any,
        help="Their folder. Default: where pytest, started here, would look (the ini key infer_baselines, else "
        "'baselines' under rootdir).",
    )(command)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`, given to the command as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Plain values instead of text.")(command)


def dry_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--dry-run`, given to the command as `dry`."""
    return click.option("--dry-run", "dry", is_flag=True, help="Say what would be done, and do nothing.")(command)
