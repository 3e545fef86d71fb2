"""What a callable is called with: a user's inputs as arguments, held against its signature before it is called."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def arguments_of(given: Any) -> Arguments:
    """One input as arguments: a tuple is positional, a dict by keyword, None is none, anything else a single one."""
    if given is None:
        return (), {}
    if isinstance(given, tuple):
        return given, {}
    if isinstance(given, dict):
        return (), given
    return (given,), {}


def check_fit(function: Callable[..., Any], sets: Iterable[Arguments], where: str) -> None:
    """See that `function` takes each of the argument sets, as far as its own signature tells; many of C's tell none.

    That of a function which it wraps is not asked: a wrapper may add arguments.

    Raises:
        UsageError: it doesn't take one.
    """
    try:
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        return
    for args, kwargs in sets:
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            raise UsageError(
                f"{where} can't be called with {_told(args, kwargs)}: {error}; give inputs=, a tuple of its arguments, "
                "a dict of them by name, its single argument, or a list of such"
            ) from None


def _told(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    if args:
        return "one argument" if len(args) == 1 else f"{len(args)} arguments"
    return f"the arguments {', '.join(map(repr, kwargs))}" if kwargs else "no argument"
