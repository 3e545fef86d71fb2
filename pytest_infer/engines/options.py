"""A backend's options by their names; what each may be, the backend itself knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer import spelling
from pytest_infer.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


def check_names(backend: str, options: Iterable[str], known: Collection[str]) -> None:
    """See that the backend of that name has each of the `options`.

    Raises:
        UsageError: it hasn't; the message names the option that was meant, or all that there are.
    """
    for name in options:
        if name not in known:
            raise UsageError(f"backend {backend!r} has no option {name!r}; {spelling.hint(name, known)}")
