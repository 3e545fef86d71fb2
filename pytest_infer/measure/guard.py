"""A shell that tidies up behind this process, however it ends."""

from __future__ import annotations

import contextlib
import os
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
            stdin=subprocess.PIPE,  # it ends with this process, and those that it forked
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is not for it
            env=None if environment is None else dict(environment),
        )
    except OSError:
        yield False
        return
    owner = os.getpid()
    try:
        yield True
    finally:
        if os.getpid() == owner:  # a forked copy of this process comes to an end of its own
            with contextlib.suppress(OSError):
                shell.communicate(b"\n")  # a copy may hold the other end open: no end of file would tell it
