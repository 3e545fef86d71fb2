"""`pytest-infer baselines merge`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_infer.baselines.atomic import read_file, rewrite
from pytest_infer.baselines.merge import merged
from pytest_infer.cli.options import json_option
from pytest_infer.cli.output import print_json
from pytest_infer.errors import BaselineNotFoundError

if TYPE_CHECKING:
    from pytest_infer.baselines.schema import BaselineFile


@click.command()
@click.argument("ours", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("theirs", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("base", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="What is written.")
@json_option
def merge(*, ours: Path, theirs: Path, base: Path | None, output: Path, as_json: bool) -> None:
    """Make one baseline file of two branches' OURS and THEIRS; BASE is what both came from.

    All accepted runs of both, at most 20 an entry; the order of the two does not matter. What one side began anew, or
    pruned while the other left it as it was, is gone. For git to do it by itself:

    \b
      git config merge.pytest-infer.driver 'pytest-infer baselines merge %A %B %O -o %A'
      echo 'baselines/*/** merge=pytest-infer' >> .gitattributes
    """  # noqa: D301 - click takes a real \b for "leave these lines as they are"
    before = None if base is None or not base.exists() or not base.read_bytes() else _read(base)  # empty: added by both
    file = merged(_read(ours), _read(theirs), before)
    rewrite({output: lambda _: file})
    runs = sum(len(entry.runs) for entry in file.entries.values())
    if as_json:
        print_json({"output": str(output), "entries": len(file.entries), "runs": runs})
    else:
        click.echo(f"{output}: {len(file.entries)} entries, {runs} runs")


def _read(path: Path) -> BaselineFile:
    file = read_file(path)
    if file is None:
        raise BaselineNotFoundError(f"{path}: there is no such file")
    return file
