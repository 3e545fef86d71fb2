"""The command line as a whole. Exit status: 0 fine, 1 a regression or a missing thing, 2 wrong use."""

from __future__ import annotations

import click

from pytest_infer.cli.baselines import baselines
from pytest_infer.cli.calibrate import calibrate
from pytest_infer.cli.compare import compare
from pytest_infer.cli.completion import completion
from pytest_infer.cli.devices import devices
from pytest_infer.errors import InferError, UsageError


class _WrongUse(click.ClickException):
    exit_code = 2


class _Group(click.Group):
    """Our errors as the command line's own: one message, and an exit status."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except InferError as error:
            kind = _WrongUse if isinstance(error, UsageError) else click.ClickException
            raise kind(str(error)) from None


@click.group(cls=_Group)
@click.version_option(package_name="pytest-infer")
def main() -> None:
    """Look at what pytest-infer measures on and compares with.

    Exit status: 0 fine, 1 a regression or a missing thing, 2 wrong use.
    """


for _command in (baselines, calibrate, compare, completion, devices):
    main.add_command(_command)
