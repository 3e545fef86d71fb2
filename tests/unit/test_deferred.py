"""What a call returned and has not computed yet."""

from __future__ import annotations

import asyncio
import functools
import gc
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.deferred import refuse_deferred
from pytest_infer.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator


async def respond(x: int) -> int:
    """Never runs."""
    return x


def tokens(x: int) -> Iterator[int]:
    """Never runs."""
    yield x


async def stream(x: int) -> AsyncIterator[int]:
    """Never runs."""
    yield x


class Server:
    """Callable as a coroutine function."""

    async def __call__(self) -> int:
        """Never runs."""
        return 1


class Ready:
    """A value that is there, and can be awaited, too."""

    def __await__(self) -> Generator[None, None, int]:
        """Give itself."""
        yield
        return 1


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: respond(1), r"^respond returns a coroutine, .* lambda x: asyncio.run\(respond\(x\)\)$"),
        (functools.partial(respond, 1), "^respond returns a coroutine"),
        (Server(), r"^the call returns a coroutine, .*asyncio.run\(f\(x\)\)$"),
        (lambda: tokens(1), r"^tokens returns a generator, .* lambda x: list\(tokens\(x\)\)$"),
        (lambda: (x for x in "ab"), "^the call returns a generator"),
        (lambda: stream(1), "^stream returns an async generator"),
    ],
)
def test_promises_are_refused(call: Callable[[], Any], told: str) -> None:
    """By what the call returned, whoever made it, and without Python's warning that nobody awaited it."""
    with warnings.catch_warnings(record=True) as warned, pytest.raises(UsageError, match=told):
        refuse_deferred(call())
    gc.collect()
    assert not warned


@pytest.mark.parametrize("value", [None, 5, [1, 2], iter([1]), map(str, [1]), Ready()])
def test_values_pass(value: object) -> None:
    """Also those that can be awaited or gone through: they may be results."""
    refuse_deferred(value)


def test_what_the_advice_says_passes() -> None:
    """A function that runs the coroutine, or goes through the generator, has computed something."""
    refuse_deferred(asyncio.run(respond(1)))
    refuse_deferred(list(tokens(1)))
