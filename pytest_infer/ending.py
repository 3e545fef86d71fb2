"""The end of a session, where the user's own pytest is: results come together, are saved, written and told."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pluggy

from pytest_infer.errors import InferError, telling_line

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from pytest_infer.config import Settings
    from pytest_infer.progress import Progress
    from pytest_infer.report.github import Step
    from pytest_infer.result import BrokenTest, RunReport
    from pytest_infer.session import InferSession

OURS: Final = "infer_test"
"""The attribute of a report that says that its test is one of ours."""
REPORTED: Final = "infer_results"
"""The attribute of a report that carries results: xdist sends a report's attributes along."""
_TESTS_FAILED: Final = 1
_BROKEN_OFF: Final = frozenset({2, 3})
"""pytest's exit statuses for interruption and for an internal error."""
_PHASES: Final = frozenset({"setup", "call", "teardown"})
_LONGEST: Final = 500
"""Characters of an error's first line that reports show."""

_ANNOTATES_FAILURES: Final = "pytest_github_actions_annotate_failures"
"""A plugin that does so for failures of any kind: twice would be once too often."""

hookimpl = pluggy.HookimplMarker("pytest")


class Ending:
    """The controller's side of a session: collects results, saves, reports. Not registered in xdist's workers."""

    def __init__(
        self,
        config: pytest.Config,
        settings: Settings,
        session: Callable[[], InferSession],
        *,
        used: Callable[[], bool],
        tests: Callable[[], int],
        usage_error: type[Exception],
        progress: Progress,
    ) -> None:
        """Serve one pytest.

        Args:
            config: pytest's.
            settings: what was asked.
            session: opens it, or gives the open one.
            used: whether it is open.
            tests: how many tests of ours were collected here.
            usage_error: what ends pytest with a message.
            progress: what stands in the terminal's last line.
        """
        self._config = config
        self._settings = settings
        self._session = session
        self._used = used
        self._tests = tests
        self._usage_error = usage_error
        self._progress = progress
        self._ours: set[str] = set()
        self._broken: dict[str, BrokenTest] = {}
        self._lines: list[tuple[str, str]] = []

    @hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        """Open baselines at a URL before the first test: that may take what is not there."""
        if "://" in self._settings.baselines and self._tests() and not self._config.option.collectonly:
            try:
                self._session()
            except InferError as error:
                raise self._usage_error(str(error)) from None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the results that a report brings, with the place of their test; note failures that no result tells."""
        if report.__dict__.get(OURS):
            self._ours.add(report.nodeid)
        content = report.__dict__.get(REPORTED) or ()
        if report.nodeid in self._ours and report.failed and not any(result["failed"] for result in content):
            self._broken.setdefault(report.nodeid, broken(report))
        if content:
            told: dict[str, Any] = {"location": _location(report)}
            if hasattr(report, "wasxfail"):  # nothing of it is to be accepted, missed or reported
                told |= {"recorded": [], "failed": False, "expected": True}
            self._session().keep([{**result, **told} for result in content])

    @hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Save what was recorded, unless the run was broken off; write the reports."""
        if not (self._used() or self._broken or self._settings.report):
            return
        from pytest_infer.report.github import step_of
        from pytest_infer.report.terminal import summary
        from pytest_infer.report.write import write_report

        try:
            infer, broken_off = self._session(), exitstatus in _BROKEN_OFF
        except InferError as error:  # under xdist: each worker has told it of its tests
            self._lines.append((f"ERROR: {error}", "red"))
            return
        report = infer.report(tuple(self._broken.values()), saved=not broken_off)
        if infer.results:
            self._lines = summary(report, verbosity=self._config.get_verbosity(), width=self._width())
        if infer.settings.strict and infer.shifted:
            session.exitstatus = _TESTS_FAILED
        if broken_off and infer.settings.update:
            self._lines.append(("baselines: nothing saved, the run was broken off", "yellow"))
        tasks = [] if broken_off else [infer.save]
        for path in infer.settings.report:
            target = self._config.invocation_params.dir / path
            tasks.append(partial(write_report, report, target, infer.extensions.reporter(target)))
        if (infer.results or self._broken) and (step := step_of(os.environ)) is not None:
            self._tell_github(report, step)
        for task in tasks:
            try:
                self._lines += [(line, "bold") for line in (task(),) if line]
            except InferError as error:
                self._lines.append((f"ERROR: {error}", "red"))
                session.exitstatus = _TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """A line a measurement, also under -q."""
        if self._lines:
            terminalreporter.section("infer")
            for text, style in self._lines:
                terminalreporter.write_line(text, **({style: True} if style else {}))

    def _tell_github(self, report: RunReport, step: Step) -> None:
        """In GitHub Actions: annotations, wherever in the log they stand, and the step's summary."""
        from pytest_infer.report.github import commands, summarise

        others = self._config.pluginmanager.hasplugin(_ANNOTATES_FAILURES)
        for command in commands(report, self._settings.root, step.workspace, failures=not others):
            self._progress.say(command)
        if step.summary is not None and (trouble := summarise(report, step.summary)):
            self._lines.append((trouble, "yellow"))

    def _width(self) -> int | None:
        """The terminal's columns; None for a log, whose lines stay whole for those who search it."""
        terminal = self._config.pluginmanager.getplugin("terminalreporter")
        known = terminal is not None and (terminal.isatty or os.environ.get("COLUMNS"))
        return self._config.get_terminal_writer().fullwidth if known else None


def broken(report: pytest.TestReport) -> BrokenTest:
    """A failed phase of a test as reports tell it."""
    from pytest_infer.report.escaping import printable
    from pytest_infer.result import BrokenTest

    crash = getattr(report.longrepr, "reprcrash", None)
    telling = telling_line(str(report.longrepr if crash is None else crash.message))
    message = printable(telling.removeprefix("Failed: "))
    return BrokenTest(
        nodeid=report.nodeid,
        phase=str(report.when) if report.when in _PHASES else "call",  # xdist knows none of a worker that died
        message=message if len(message) <= _LONGEST else f"{message[:_LONGEST]}...",
        location=_location(report),
    )


def _location(report: pytest.TestReport) -> tuple[str, int] | None:
    file, line, _ = report.location
    return None if line is None else (file, line + 1)
