"""`pytest-infer baselines`: look at the accepted runs of a folder, and change them as a whole or not at all."""

import click

from pytest_infer.cli.baselines.accept import accept
from pytest_infer.cli.baselines.diff import diff
from pytest_infer.cli.baselines.look import list_, show
from pytest_infer.cli.baselines.merge import merge
from pytest_infer.cli.baselines.prune import prune

__all__ = ["baselines"]


@click.group()
def baselines() -> None:
    """Look at baselines, accept new ones, tidy up old ones."""


for _command in (list_, show, diff, accept, prune, merge):
    baselines.add_command(_command)
