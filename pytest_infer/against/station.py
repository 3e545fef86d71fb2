"""A side's end of the line: at each point of measurement it does what it is told, and tells when the test is over."""

from __future__ import annotations

import os
import queue
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pluggy

from pytest_infer.against.boot import inside, moved, real, within
from pytest_infer.against.protocol import ABSENT, Done, Ran, Ready, Run, SideJob, Stop, Warm
from pytest_infer.device.environment import software
from pytest_infer.measure.child import Line
from pytest_infer.measure.loop import FEWEST_BLOCKS, WARMUP_NS, Timings, no_garbage_collection, time_block, warm_up
from pytest_infer.measure.protocol import Answer
from pytest_infer.worker_mode import bend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pytest

    from pytest_infer.measure.loop import Clock, TimeBlock

hookimpl = pluggy.HookimplMarker("pytest")

_NOTHING_RAN: Final = frozenset({4, 5})
"""Exit statuses of pytest: no such test, or none that its options leave."""
_OURS: Final = frozenset({"__main__", "__mp_main__"})
"""`boot.py`, always that of the pytest which asks."""
_TOLD_STRAYS: Final = 5
_KEPT: Final = 10_000
"""Single calls of a block that its side keeps: of very short calls a block holds a million."""


class Station(Line):
    """Serves the measurements of one test to the parent."""

    def __init__(self, side: SideJob) -> None:
        """Connect, and listen."""
        self._told: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._paths = msgspec.to_builtins(side.paths)
        self._uncollected: list[str] = []
        self._answered = False
        self._test = side.job.target.partition("::")[2]
        self.first = side.first
        """Whether this is a comparison's first round: later ones need not check and tell the same again."""
        super().__init__(side.job)

    def serve(
        self,
        run: Callable[[], object],
        clock: Clock,
        *,
        name: str,
        workload: dict[str, Any],
        model_digest: str | None,
        block: TimeBlock = time_block,
    ) -> Timings:
        """Stand ready with `run`, run the blocks that are asked for, and give the times of all of them.

        `block` times one of them, as `loop.measure` takes it.
        """
        ready = Ready(
            name=name,
            workload=workload,
            model_digest=model_digest,
            environment=software() if self.first else {},
            pid=os.getpid(),
        )
        blocks: list[tuple[int, ...]] = []
        warmed: list[int] = []
        settled = False
        with no_garbage_collection():
            self._say(ready)
            while not isinstance(told := self._hear(), Stop):
                if isinstance(told, Warm):
                    warmed, settled = warm_up(run, clock, WARMUP_NS)
                    times = warmed[-max(1, len(warmed) // 4) :]
                else:
                    times = block(run, clock, told.iterations)
                    blocks.append(tuple(times[:: 1 + len(times) // _KEPT]))
                self._say(Ran(median_ns=statistics.median(times)))
            if not blocks:  # nobody compares this one; the test still gets its measurement
                blocks = [tuple(block(run, clock, FEWEST_BLOCKS))]
        return Timings(blocks_ns=tuple(blocks), warmup=len(warmed), settled=settled)

    def answer(self, answer: Answer) -> None:
        """Tell how the test ended; a forked copy of this process tells nothing."""
        if self._connection.closed:
            return
        self._answered = True
        # Only now: what is measured may import in its first call.
        self._say(Done(answer=answer, strays=strays(self._paths, sys.modules.items()) if self.first else ()))

    @hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep the one test: to pytest a name without parameters is that of all tests which have some."""
        kept: list[pytest.Item] = []
        others: list[pytest.Item] = []
        for item in items:
            (kept if item.nodeid.partition("::")[2] == self._test else others).append(item)
        if others:
            items[:] = kept
            config.hook.pytest_deselected(items=others)

    def pytest_collectreport(self, report: Any) -> None:
        """Note why a file could not be collected."""
        if report.failed:
            self._uncollected.append(str(report.longrepr))

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """A test that never ran is told as absent, or with what kept it from running."""
        if self._answered:
            return
        message = "\n".join(self._uncollected)
        if not message and int(exitstatus) not in _NOTHING_RAN:
            message = f"pytest ended with exit status {int(exitstatus)} before the test was over"
        self.answer(Answer(outcome="failed" if message else ABSENT, message=message))

    def _say(self, message: Ready | Ran | Done) -> None:
        self._connection.send_bytes(msgspec.json.encode(message))

    def _hear(self) -> Warm | Run | Stop:
        return msgspec.json.decode(self._told.get(), type=Warm | Run | Stop)

    def _watch(self) -> None:
        try:
            while True:
                self._told.put(self._connection.recv_bytes())
        except (EOFError, OSError):
            os._exit(1)


def open_station(path: str, config: pytest.Config) -> Station:
    """Make of this pytest the side that the job in the file `path` asks for.

    The protocols were held against each other before (`choose.introduced`).
    """
    side = msgspec.json.decode(Path(path).read_bytes(), type=SideJob)
    config.args = bend(config.option, side.job)
    station = Station(side)
    config.pluginmanager.register(station, "infer-station")
    return station


def strays(paths: dict[str, Any], modules: Iterable[tuple[str, Any]]) -> tuple[str, ...]:
    """Modules that come from where this side is not: from the user's own checkout, or from a copy of it."""
    tree = paths["moved"]
    if not tree:
        return ()
    found = []
    for name, module in list(modules):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or inside(real(file), real(tree)) or name in _OURS:
            continue
        copied = any(within(file, copy) for copy in paths["copies"])
        copied = copied or (_has_module(tree, name) and not inside(file, tree))
        if copied or moved(file, paths) != file:
            found.append(f"{name} ({file})")
    return (*found[:_TOLD_STRAYS], *(["..."] if len(found) > _TOLD_STRAYS else []))


def _has_module(tree: str, name: str) -> bool:
    """Whether a checkout has that part of a package itself, in one of the usual two places."""
    package, *parts = name.split(".")
    folder = Path(package, *parts)
    files = (folder / "__init__.py", folder.with_suffix(".py")) if parts else (folder / "__init__.py",)
    return package not in sys.stdlib_module_names and any(
        Path(tree, at, file).is_file() for at in ("", "src") for file in files
    )
