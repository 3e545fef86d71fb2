"""In GitHub Actions: annotations on the tests' lines and the step's summary, by themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_infer.report.github import SUMMARY, commands, step_of, summarise
from pytest_infer.verdict import Outcome
from tests.report_told.conftest import TRACER, VERDICTS, report_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.result import Result
    from pytest_infer.verdict import Change
    from tests.integration.conftest import Suite

COMMAND = re.compile(r"::(error|warning) ((?:file=([^,:]+),line=([1-9]\d*),)?title=([^,:]*))::([^\r\n]*)")
ESCAPES = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}


@dataclass(frozen=True)
class Annotation:
    """One command, as GitHub's runner reads it."""

    kind: str
    file: str | None
    line: int | None
    title: str
    message: str


def read(line: str) -> Annotation:
    """One line, strictly: the whole of it is a command, and each % begins an escape."""
    found = COMMAND.fullmatch(line)
    assert found is not None, line
    kind, _, file, number, title, message = found.groups()
    return Annotation(
        kind=kind,
        file=None if file is None else unescaped(file),
        line=None if number is None else int(number),
        title=unescaped(title),
        message=unescaped(message),
    )


def unescaped(text: str) -> str:
    """Each escape once, from left to right; others are errors."""
    return re.sub(r"%..", lambda escape: ESCAPES[escape[0]], text)


def told(lines: list[str]) -> list[Annotation]:
    """All commands of a log."""
    return [read(line) for line in lines if "::error" in line or "::warning" in line]


@pytest.fixture
def step(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A step in which the suite runs, two folders below its checkout; the file of its summary."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(suite.path.parents[1]))
    summary = suite.path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    suite.conftest(TRACER)
    suite.write(VERDICTS)
    return summary


def expected(suite: Suite) -> dict[str, tuple[str, int]]:
    """Kind and line of each annotation: where the test's decorators begin."""
    lines = (suite.path / "test_it.py").read_text().splitlines()

    def line(text: str) -> int:
        number = next(i for i, found in enumerate(lines, 1) if found.startswith(text))
        while lines[number - 2].startswith("@"):
            number -= 1
        return number

    slow, odd, traced = line("def test_slow"), line("def test_odd"), line("def test_traced")
    assert lines[slow - 1].startswith("@pytest.mark.infer(max")
    return {
        "over_budget: test_it.py::test_slow": ("error", slow),
        "over_budget: test_it.py::test_odd[a|b]": ("error", odd),
        "over_budget: test_it.py::test_odd[50%, `c`: <b>]": ("error", odd),
        "over_budget: test_it.py::test_odd[#1 @me]": ("error", odd),
        "invalid: test_it.py::test_traced": ("warning", traced),
    }


@pytest.mark.parametrize("options", [(), ("-q",), ("-qq", "--no-summary"), ("-n2",), ("--infer-isolate=always",)])
def test_annotations(suite: Suite, step: Path, options: tuple[str, ...]) -> None:
    """Each once, on the test's line, whichever process ran it; an expected failure is none; the summary beside them."""
    if "-n2" in options:
        pytest.importorskip("xdist")
    where = () if "--infer-isolate=always" in options else ("--infer-isolate=never",)
    keep = "slow or odd or traced or fine or expected" if where else "slow"
    done = suite.run(*where, *options, "-k", keep)
    found = told([*done.outlines, *done.errlines])
    wanted = expected(suite)
    if not where:
        wanted = {title: what for title, what in wanted.items() if title.endswith("test_slow")}
    assert {a.title: (a.kind, a.line) for a in found} == wanted
    assert len(found) == len(wanted)
    file = (suite.path / "test_it.py").relative_to(suite.path.parents[1]).as_posix()
    assert {a.file for a in found} == {file}
    slow = next(a for a in found if a.title.endswith("test_slow"))
    assert " ms is above the budget max_latency_ms=1e-09\n" in slow.message
    assert "\nto accept it: raise the budget in the test's marker" in slow.message
    assert step.read_text().startswith("### pytest-infer: ")


def test_without_a_terminal(suite: Suite, step: Path) -> None:
    """Also where pytest prints nothing."""
    done = suite.run("--infer-isolate=never", "-p", "no:terminal")
    assert {a.title: (a.kind, a.line) for a in told([*done.outlines, *done.errlines])} == expected(suite)
    assert step.exists()


def test_elsewhere(suite: Suite, step: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable nothing of it is there, nor in a run without infer tests."""
    monkeypatch.setenv("GITHUB_ACTIONS", "")
    assert not told(suite.run("--infer-isolate=never", "-k", "slow").outlines)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    suite.write("def test_plain(): assert False")
    done = suite.run()
    assert done.ret == 1
    assert not told([*done.outlines, *done.errlines])
    assert not step.exists()


def test_beside_another_plugin_that_annotates_failures(suite: Suite, step: Path) -> None:
    """pytest-github-actions-annotate-failures tells them: ours are what it can't know."""
    (suite.path / "pytest_github_actions_annotate_failures.py").touch()
    done = suite.run("--infer-isolate=never", "-p", "pytest_github_actions_annotate_failures")
    assert {a.kind for a in told([*done.outlines, *done.errlines])} == {"warning"}
    assert "4 of 7 measurements failed" in step.read_text()


def test_a_summary_that_can_t_be_written_fails_nothing(
    suite: Suite, step: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step.parent))
    done = suite.run("--infer-isolate=never", "-k", "fine")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["the step's summary could not be written to *: Is a directory"])


# --- what there is room for ------------------------------------------------------------------------------------------


def test_a_summary_is_added_to(make_result: Callable[..., Result], tmp_path: Path) -> None:
    """Behind what the step has said so far, and within what is left of its limit."""
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    assert summarise(report_of(make_result()), path) is None
    assert path.read_text().startswith("before\n\n### pytest-infer: none of 1 measurements failed\n")
    path.write_bytes(b"x" * (SUMMARY - 5000))
    assert summarise(report_of(*[make_result()] * 1000), path) is None
    assert SUMMARY - 5000 < path.stat().st_size <= SUMMARY
    full = path.read_bytes() + b"x" * 5000
    path.write_bytes(full)
    assert "summary is full" in str(summarise(report_of(make_result()), path))
    assert path.read_bytes() == full


def test_the_worst_are_annotated(
    make_result: Callable[..., Result], make_change: Callable[..., Change], tmp_path: Path
) -> None:
    """GitHub shows ten of a kind: the worst, and the summary says that there are more."""
    slower = [
        make_result(
            nodeid=f"t.py::t[{i}]", outcome=Outcome.REGRESSED, failed=True, changes=(make_change(estimate=i / 10),)
        )
        for i in range(14)
    ]
    wrong = make_result(nodeid="t.py::wrong", outcome=Outcome.INACCURATE, failed=True)
    doubtful = [make_result(outcome=Outcome.INCONCLUSIVE) for _ in range(11)]
    report = report_of(*slower, *doubtful, wrong)
    found = [read(line) for line in commands(report, tmp_path, None)]
    assert [a.title for a in found[:10]] == [
        "inaccurate: t.py::wrong",
        *(f"regressed: t.py::t[{i}]" for i in range(13, 4, -1)),
    ]
    assert [a.kind for a in found] == ["error"] * 10 + ["warning"] * 10
    path = tmp_path / "summary.md"
    summarise(report, path)
    assert (
        "On the tests' lines GitHub shows 10 of 15 failures and 10 of 11 doubtful results, the worst ones."
        in path.read_text()
    )


def test_what_strict_makes_fail_is_an_error(make_result: Callable[..., Result], tmp_path: Path) -> None:
    """By the test's fate, not by the word."""
    invalid = make_result(outcome=Outcome.INVALID, failed=True, reasons=("steal",))
    (line,) = commands(report_of(invalid), tmp_path, None)
    assert read(line).kind == "error"
    assert read(line).message.endswith("it fails because of --infer-strict")


def test_a_file_outside_the_checkout_has_no_line(make_result: Callable[..., Result], tmp_path: Path) -> None:
    """GitHub could not show it; the annotation stands at the step."""
    for root, location, file in (
        (tmp_path / "repo" / "sub", ("t.py", 7), "sub/t.py"),
        (tmp_path / "repo", ("../t.py", 7), None),
        (tmp_path / "repo", None, None),
    ):
        result = make_result(outcome=Outcome.OVER_BUDGET, failed=True, location=location)
        (line,) = commands(report_of(result), root, tmp_path / "repo")
        assert (read(line).file, read(line).line) == (file, 7 if file else None)


def test_a_step_is_known_by_its_variables() -> None:
    """GitHub's own."""
    assert step_of({"GITHUB_STEP_SUMMARY": "x"}) is None
    found = step_of({"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": "x", "GITHUB_WORKSPACE": ""})
    assert found is not None
    assert (found.summary, found.workspace) == (Path("x"), None)
