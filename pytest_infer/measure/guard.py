"""A shell that tidies up behind this process, however it ends."""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@contextlib.contextmanager
def guard(script: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[bool]:
    """Have `script` run when the body is left, or as soon as this process is gone: `kill -9` gives no other chance.

    Args:
        script: for `/bin/sh`; where everything is tidy already, it is to do nothing.
        arguments: its $1, $2, and so on.
        environment: its variables; this process's own where there are none.

    Yields whether there is such a shell.
    """
    try:
        shell = subprocess.Popen(  # noqa: S603 - a script of ours; what varies are its arguments
            ["/bin/sh", "-c", f"read -r line; {script}", "guard", *arguments],
            stdin=subprocess.PIPE,  # held by nobody else: it ends with this process
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is not for it
            env=None if environment is None else dict(environment),
        )
    except OSError:
        yield False
        return
    with shell:
        yield True
