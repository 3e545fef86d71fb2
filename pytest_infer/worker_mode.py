"""A pytest that is a worker: the parent's command line, bent to one test, without reports, updates or workers."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pluggy

from pytest_infer.measure.phases import mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pytest

    from pytest_infer.measure.protocol import Job

hookimpl = pluggy.HookimplMarker("pytest")

NEUTRAL: Final[dict[str, Any]] = {
    # pytest itself
    "xmlpath": None, "usepdb": False, "trace": False, "lf": False, "failedfirst": False, "newfirst": False,
    "stepwise": False, "stepwise_skip": False, "maxfail": 0, "pastebin": None, "durations": None,
    "log_file": os.devnull,  # of the ini key, too: any option wins over that
    # pytest-xdist
    "numprocesses": None, "maxprocesses": None, "dist": "no", "distload": False, "tx": [], "looponfail": False,
    # reports of other plugins: a worker would write over the parent's
    "report_log": None, "htmlpath": None, "json_report": False, "allure_report_dir": None,
    "benchmark_json": None, "benchmark_save": None, "benchmark_autosave": None, "benchmark_compare": None,
    "benchmark_compare_fail": None, "benchmark_histogram": None, "benchmark_cprofile": None,
    "benchmark_cprofile_dump": None, "benchmark_only": False, "benchmark_skip": False,
    # others that would repeat or drop the one test (not pytest-repeat's count: its number is in the test's id)
    "reruns": 0, "splits": None, "group": None,
    # our own
    "infer_report": None, "infer_update_baselines": None, "infer_force": None, "infer_against": None,
    "infer_baseline_mode": "off", "infer_isolate": "never", "infer_strict": None,
}  # fmt: skip
"""Options, of whichever plugin is there, as a worker has them."""

ELSEWHERE: Final[dict[str, Any]] = {
    # syrupy: what no test in this process asked for may be in use
    "disable_unused_snapshots": True, "no_cleanup": True, "warn_unused_snapshots": True,
}  # fmt: skip
"""Options, of whichever plugin is there, in a process that does not run every body: a worker, and its parent."""


def run_elsewhere(option: Any) -> None:
    """Set the parsed options of a pytest that leaves the bodies of some tests to other processes."""
    for name, value in ELSEWHERE.items():
        if hasattr(option, name):
            setattr(option, name, value)


def bend(option: Any, job: Job) -> list[str]:
    """Set the parsed options of a worker; the arguments that are left: its one test."""
    run_elsewhere(option)
    for name, value in NEUTRAL.items():
        if hasattr(option, name):
            setattr(option, name, value)
    option.basetemp = str(Path(job.cache_dir).with_name("tmp"))
    return [job.target]


# --- what its test says ----------------------------------------------------------------------------------------------

_BODY: Final = re.compile("Captured (stdout|stderr|log) call")


class Phases:
    """A plugin of workers: marks in the output where each phase of the test begins, for the parent to find it."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Write marks by `say`, a line each that no capturing takes."""
        self._say = say

    @hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Behind pytest's own header."""
        self._say(mark("collection"))

    @hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Before any fixture."""
        self._say(mark("setup"))

    @hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        """Before the body."""
        self._say(mark("call"))

    @hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
        """Behind the body, before pytest tells how it went."""
        if call.when == "call":
            self._say(mark("end"))


def ended(item: pytest.Item, error: pytest.ExceptionInfo[BaseException], report: pytest.TestReport) -> tuple[str, str]:
    """How a phase of the test ended by an `error`: the outcome and message of an `Answer`.

    What pytest calls an expected failure here is one for the parent, too, which has neither the error's type
    (`raises=`) nor what the body did to its own marks.
    """
    if not report.skipped:
        return "failed", str(item.repr_failure(error))
    if hasattr(report, "wasxfail"):
        return "xfailed", str(report.wasxfail).removeprefix("reason: ")  # which pytest before 9 puts before it
    return "skipped", str(error.value)


def said_by_body(sections: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What a test's body printed and logged, of the sections of its report."""
    return {found[1]: text for name, text in sections if (found := _BODY.fullmatch(name))}


def repeat(item: pytest.Item, said: Mapping[str, str]) -> None:
    """Say here what the body said in a process of its own: it is captured or shown as the body's own words would be."""
    for name in ("stdout", "stderr"):
        stream, text = getattr(sys, name), said.get(name, "")
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(text.encode(encoding, "replace").decode(encoding))
    if log := said.get("log"):
        item.add_report_section("call", "log", log)
