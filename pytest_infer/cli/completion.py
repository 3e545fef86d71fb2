"""`pytest-infer completion`."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

_PROGRAM: Final = "pytest-infer"
_VARIABLE: Final = "_PYTEST_INFER_COMPLETE"
"""What click looks at when a shell asks: made of the program's name."""


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes `pytest-infer` in a SHELL.

    \b
    bash  eval "$(pytest-infer completion bash)"   in ~/.bashrc
    zsh   eval "$(pytest-infer completion zsh)"    in ~/.zshrc
    fish  pytest-infer completion fish > ~/.config/fish/completions/pytest-infer.fish
    """  # noqa: D301 - click takes a real \b for "leave these lines as they are"
    found = get_completion_class(shell)
    if found is None:  # a click without this shell
        raise click.UsageError(f"this version of click completes nothing in {shell}")
    click.echo(found(context.find_root().command, {}, _PROGRAM, _VARIABLE).source())
