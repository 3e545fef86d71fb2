"""`pytest-infer baselines prune`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_infer.baselines.atomic import rewrite
from pytest_infer.baselines.places import device_of, module_of
from pytest_infer.baselines.prune import pruned
from pytest_infer.baselines.tree import read_tree
from pytest_infer.cli.collecting import collect, kept
from pytest_infer.cli.options import baselines_option, dry_option, json_option
from pytest_infer.cli.output import print_json
from pytest_infer.errors import BaselineNotFoundError, UsageError

if TYPE_CHECKING:
    from pathlib import PurePosixPath

    from pytest_infer.baselines.atomic import Change
    from pytest_infer.baselines.schema import BaselineFile


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--keep-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file of the tests that there are, one node id a line, instead of asking pytest.",
)
@baselines_option
@dry_option
@json_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def prune(*, arguments: tuple[str, ...], keep_file: Path | None, folder: Path, dry: bool, as_json: bool) -> None:
    """Drop the entries of tests that are no more, on all devices.

    pytest is asked which tests there are, started with ARGUMENTS (folders, modules, options); only baselines of what it
    looked through are judged: a module that is skipped as a whole, or left out by --ignore, keeps its entries. Where
    collection fails, or finds nothing, nothing is changed.
    """
    tree = read_tree(folder)  # what is broken is told before anything is changed
    if not tree:
        raise BaselineNotFoundError(f"no baselines in {folder}")
    if keep_file is not None and arguments:
        raise UsageError("--keep-file says which tests there are: pytest's arguments have no part in it")
    found = collect(arguments, map(module_of, tree)) if keep_file is None else kept(keep_file)
    tests = {place: found.tests_of(place) for place in tree}
    changes: dict[Path, Change] = {
        folder / place: partial(_without, some) for place, some in tests.items() if some is not None
    }
    done = rewrite(changes, dry=dry)
    rows = [row for place in tree if folder / place in done for row in _rows(place, *done[folder / place])]
    aside = sorted(str(place) for place, some in tests.items() if some is None)
    if as_json:
        print_json({"folder": str(folder), "dry_run": dry, "dropped": rows, "not_looked_at": aside})
        return
    for row in rows:
        click.echo(f"{row['device']}\t{row['module']}::{row['key']}")
    click.echo(f"{len(rows)} entries {'would be ' if dry else ''}dropped from {folder}")
    if aside:
        click.echo(f"{len(aside)} files are of modules that were skipped or not looked at: {', '.join(aside)}")


def _without(tests: frozenset[str], file: BaselineFile | None) -> BaselineFile | None:
    return None if file is None else pruned(file, tests)


def _rows(place: PurePosixPath, before: BaselineFile | None, after: BaselineFile | None) -> list[dict[str, Any]]:
    entries, left = (set() if file is None else file.entries.keys() for file in (before, after))
    told = {"device": device_of(place), "module": module_of(place)}
    return [told | {"key": key} for key in sorted(entries - left)]
