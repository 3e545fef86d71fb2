"""The plugin beside pytest-benchmark, where that is there: its options hold for us, its table has our rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import pluggy

from pytest_infer.benchmark.names import hush_about_xdist, is_benchmark, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import pytest

_FIXTURE: Final = "benchmark"
_LABEL: Final = "infer_benchmark"
"""The attribute of a report that says how a table calls its test: only the process that ran it knows."""

hookimpl = pluggy.HookimplMarker("pytest")


class Case(Protocol):
    """What measures a test."""

    def around(self, loop: Callable[[], Any]) -> Any:
        """Run a loop that measures, alone on the device and watched."""


class BesideBenchmark:
    """What `--benchmark-only`, `-skip` and `-disable` mean to infer tests; their fixture; their rows."""

    def __init__(
        self,
        config: pytest.Config,
        *,
        is_infer: Callable[[pytest.Item], bool],
        case_of: Callable[[pytest.Item], Case | None],
        disabled: bool,
        apart: bool,
        reported: str,
    ) -> None:
        """Serve one pytest.

        Args:
            config: its own.
            is_infer: whether a test is one of ours.
            case_of: what measures a test.
            disabled: whether nothing is to be measured.
            apart: whether this is a worker of xdist's or ours: it has no table.
            reported: the attribute of a report that carries results.
        """
        self._config = config
        self._is_infer = is_infer
        self._case_of = case_of
        self._disabled = disabled
        self._apart = apart
        self._reported = reported

    @hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, None, None]:
        """While pytest-benchmark chooses tests by their fixture, ours seem to have it."""
        lent: list[list[str]] = []
        if self._config.option.benchmark_only or self._config.option.benchmark_skip:
            for item in filter(self._is_infer, items):
                names: list[str] = getattr(item, "fixturenames", [])
                if _FIXTURE not in names:  # the cases of one parametrized test share the list
                    names.append(_FIXTURE)
                    lent.append(names)
        try:
            yield
        finally:
            for names in lent:
                names.remove(_FIXTURE)
        if not any(_FIXTURE in getattr(item, "fixturenames", ()) and not self._is_infer(item) for item in items):
            hush_about_xdist(self._config)

    def pytest_report_collectionfinish(self, items: list[pytest.Item]) -> str | None:
        """A green run that measured nothing says so."""
        count = sum(map(self._is_infer, items))
        if not self._disabled or not count:
            return None
        return f"infer: {count} test(s) only run and check what they compute, nothing is measured (--benchmark-disable)"

    @hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Before the body: the fixture measures as we do, alone on the device and watched."""
        case, fixture = self._case_of(item), getattr(item, "funcargs", {}).get(_FIXTURE)
        if case is not None and not self._disabled and is_benchmark(fixture):
            prepare(fixture, case.around, apart=self._apart)

    @hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Send along what a table calls the test: the report may come from an xdist worker."""
        report = yield
        if call.when == "call" and self._case_of(item) is not None:
            from pytest_infer.benchmark.table import label

            report.__dict__[_LABEL] = label(item)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Put what was measured into the table."""
        results = report.__dict__.get(self._reported)
        if results and not self._apart:
            from pytest_infer.benchmark.table import enter

            enter(self._config, results, report.__dict__[_LABEL])
