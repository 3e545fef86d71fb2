"""Work that a call only promises: what it returned runs when somebody awaits it or goes through it, and nobody does."""

from __future__ import annotations

import inspect

from pytest_infer.errors import UsageError


def refuse_deferred(found: object) -> None:
    """See that what a call returned is no coroutine and no generator: its time would be that of making one.

    Other awaitables (futures, arrays that are computed meanwhile) pass: they may be ready values.

    Raises:
        UsageError: it is one. A coroutine is closed, or Python would warn that it was never awaited.
    """
    if inspect.iscoroutine(found):
        found.close()
        what, way_out = "a coroutine, which nobody awaits", "lambda x: asyncio.run({f}(x))"
    elif inspect.isgenerator(found):
        what, way_out = "a generator, which nobody runs through", "lambda x: list({f}(x))"
    elif inspect.isasyncgen(found):
        what, way_out = "an async generator, which nobody runs through", "lambda x: asyncio.run(exhaust({f}(x)))"
    else:
        return
    name = found.__name__
    known = name.isidentifier() and not name.startswith("__")
    raise UsageError(
        f"{name if known else 'the call'} returns {what}: give a function that runs it, e.g. "
        f"{way_out.format(f=name if known else 'f')}"
    )
