"""Every name of pytest-benchmark that we use and that it does not promise, here alone.

Seen alike in its versions 5.0 to 5.3; `tests/ecosystem/test_benchmark_names.py` tells when one of them moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of pytest-benchmark's table: what it asks a fixture for.

    Attributes:
        name: the test's; `fullname` is its node id.
        group: the table that it stands in.
        param: the id of its parameters; `params` are they by name.
        extra_info: what goes into the JSON beside the figures.
        has_error: whether it is kept out of files.
        cprofile_stats: a profile; we make none.
    """

    name: str
    fullname: str
    group: str | None
    param: str | None
    params: dict[str, Any] | None
    extra_info: dict[str, Any]
    has_error: bool
    cprofile_stats: None = None


def is_benchmark(fixture: object) -> bool:
    """Whether this is pytest-benchmark's own fixture, and none that somebody else calls `benchmark`."""
    from pytest_benchmark.fixture import BenchmarkFixture

    return isinstance(fixture, BenchmarkFixture)


def was_called(benchmark: Any) -> bool:
    """Whether the test used its fixture."""
    return bool(getattr(benchmark, "_mode", None))


def rounds_of(benchmark: Any) -> tuple[list[float], int]:
    """The time of a call in each round, in seconds, and how many calls a round holds; no times where it did not run."""
    stats = getattr(benchmark, "stats", None)
    times = getattr(getattr(stats, "stats", None), "data", None) or []
    return list(times), int(getattr(stats, "iterations", 1))


def prepare(benchmark: Any, around: Callable[[Callable[[], Any]], Any], *, apart: bool) -> None:
    """Let the fixture measure under our conditions.

    Args:
        benchmark: the fixture, before the test's body uses it. It measures also where xdist runs the test: its reason
            not to, that others measure meanwhile, is gone.
        around: calls what measures, alone on the device.
        apart: whether this is a process of xdist's or ours, which has no table and writes no file.
    """
    benchmark.disabled = False
    for name in ("_raw", "_raw_pedantic"):
        setattr(benchmark, name, partial(_surrounded, around, getattr(benchmark, name)))
    if apart:
        benchmark._add_stats = _ignored  # noqa: SLF001 - that is what this module is for


def put(config: pytest.Config, row: Row, times_s: Sequence[float], calls: int, options: dict[str, Any]) -> None:
    """Put a row into the session's table; it takes the place of those that the same test put there before.

    Args:
        config: pytest's.
        row: the line. A test whose fixture measured in this process has its own one already: that is kept.
        times_s: the time of each round, in seconds.
        calls: how many calls a round holds.
        options: how it was measured.
    """
    from pytest_benchmark.stats import Metadata

    rows: list[Any] = config._benchmarksession.benchmarks  # type: ignore[attr-defined]  # noqa: SLF001 - its place
    own = [one for one in rows if one.fullname == row.fullname and is_benchmark(one.fixture)]
    if own:
        entry = own[-1]
        entry.params = row.params
        entry.extra_info.update(row.extra_info)
        entry.fixture.has_error = entry.fixture.has_error or row.has_error
    else:
        entry = Metadata(row, iterations=calls, options=options)  # type: ignore[no-untyped-call]
        for time_s in times_s:
            entry.update(time_s)  # type: ignore[no-untyped-call]
    rows[:] = [one for one in rows if one.fullname != row.fullname] + [entry]


def hush_about_xdist(config: pytest.Config) -> None:
    """Take back that benchmarks are disabled under xdist; older versions say so when they start, and stay wrong."""
    config._benchmarksession.xdist_benchmark_found = False  # type: ignore[attr-defined]  # noqa: SLF001 - its place


def _surrounded(around: Callable[[Callable[[], Any]], Any], measure: Callable[..., Any], *args: Any, **kw: Any) -> Any:
    __tracebackhide__ = True
    return around(partial(measure, *args, **kw))


def _ignored(_: object) -> None:
    pass
