"""A pytest that is a worker: the parent's command line, bent to one test, without reports, updates or workers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pytest_infer.measure.protocol import Job

NEUTRAL: Final[dict[str, Any]] = {
    # pytest itself
    "xmlpath": None, "usepdb": False, "trace": False, "lf": False, "failedfirst": False, "newfirst": False,
    "stepwise": False, "stepwise_skip": False, "runxfail": True, "maxfail": 0, "pastebin": None, "durations": None,
    # pytest-xdist
    "numprocesses": None, "maxprocesses": None, "dist": "no", "distload": False, "tx": [], "looponfail": False,
    # reports of other plugins: a worker would write over the parent's
    "report_log": None, "htmlpath": None, "json_report": False, "allure_report_dir": None,
    "benchmark_json": None, "benchmark_save": None, "benchmark_autosave": None, "benchmark_compare": None,
    "benchmark_compare_fail": None, "benchmark_histogram": None, "benchmark_cprofile": None,
    "benchmark_cprofile_dump": None, "benchmark_only": False, "benchmark_skip": False,
    # others that would repeat or drop the one test
    "reruns": 0, "splits": None, "group": None, "count": 1,
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
