"""The report in Markdown, read by a parser of GitHub's dialect."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pytest_infer.measurement import Measurement
from pytest_infer.report.github import SUMMARY
from pytest_infer.report.markdown import COMMENT, encode, markdown
from pytest_infer.result import Result
from pytest_infer.verdict import Outcome
from tests.report_told.conftest import TRACER, VERDICTS, report_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import Suite

GITHUB = MarkdownIt("gfm-like", {"html": True, "linkify": False})


def tables(document: str) -> list[list[list[str]]]:
    """Every table's rows of cells, the head among them; a code span is its text."""
    found: list[list[list[str]]] = []
    tokens = GITHUB.parse(document)
    for before, token in itertools.pairwise(tokens):
        if before.type == "table_open":
            found.append([])
        if before.type == "tr_open":
            found[-1].append([])
        if before.type in {"td_open", "th_open"}:
            found[-1][-1].append("".join(child.content for child in token.children or ()))
    return found


def fences(document: str) -> list[str]:
    """Every fenced block's text."""
    return [token.content for token in GITHUB.parse(document) if token.type == "fence"]


def result(number: int, outcome: Outcome = Outcome.PASSED, *, reason: str = "", device: str = "") -> Result:
    """A result of a test of its own."""
    failed = outcome in {Outcome.REGRESSED, Outcome.OVER_BUDGET}
    measurement = Measurement(name="", workload={}, digest="d", metrics={"latency": 2.0}, device=device)
    return Result(
        nodeid=f"tests/test_net.py::test_net[{number}]",
        outcome=outcome,
        failed=failed,
        reasons=(reason,) if reason else (),
        measurement=measurement,
    )


def test_a_run(suite: Suite) -> None:
    """What needs a look is in the first table, the worst first; failures are told in full; the rest can be opened."""
    suite.conftest(TRACER)
    suite.write(VERDICTS)
    done = suite.run("--infer-isolate=never", "--infer-report=told.md")
    done.stdout.fnmatch_lines(["report: *told.md"])
    document = (suite.path / "told.md").read_text()
    look, rest = tables(document)
    assert look[0] == ["test", "verdict", "p50", *look[0][3:]]
    assert [row[:2] for row in look[1:]] == [
        ["test_it.py::test_slow", "over_budget"],
        ["test_it.py::test_odd[a|b]", "over_budget"],
        ["test_it.py::test_odd[50%, `c`: <b>]", "over_budget"],
        ["test_it.py::test_odd[#1 @me]", "over_budget"],
        ["test_it.py::test_traced", "invalid"],
        ["test_it.py::test_expected", "over_budget"],
    ]
    assert [row[:2] for row in rest[1:]] == [["test_it.py::test_fine", "no_baseline"]]
    assert document.startswith(
        "### pytest-infer: 4 of 7 measurements failed\n\n1 invalid, 1 no_baseline, 5 over_budget"
    )
    assert "\n- `1 result(s): no baseline on cpu-" in document
    *told, environment = fences(document)
    assert told[0].startswith("over_budget: test_it.py::test_slow\n  latency ")
    assert " ms is above the budget max_latency_ms=1e-09\n" in told[0]
    assert "to accept it: raise the budget" in told[0]
    assert len(told) == 6
    assert "\npython: CPython 3" in environment
    assert document.count("<details>") == document.count("</details>") == 2


def test_nothing_ran() -> None:
    """That is said."""
    assert encode(report_of()).decode().startswith("### pytest-infer: no infer test ran\n")


@pytest.mark.parametrize("limit", [COMMENT, SUMMARY])
@pytest.mark.parametrize("kinds", [(Outcome.REGRESSED,), (Outcome.PASSED,), tuple(Outcome)])
def test_it_fits(limit: int, kinds: tuple[Outcome, ...]) -> None:
    """More than there is room for, with long reasons: as many as fit, the failing first, and the rest counted."""
    count = limit // 60
    results = [result(i, kinds[i % len(kinds)], reason="€ because of this and that " * 20) for i in range(count)]
    document = markdown(report_of(*results), limit=limit)
    assert limit * 0.5 < len(document.encode()) <= limit
    found = tables(document)
    shown = sum(len(table) - 1 for table in found)
    left = [int(word) for line in document.splitlines() if line.startswith("… and ") for word in line.split()[2:3]]
    assert shown + sum(left) == count
    assert document.count("<details>") == document.count("</details>")
    assert found[0][1][1] == (kinds[0] if len(kinds) == 1 else "over_budget")


@given(
    st.integers(3000, 20_000),
    st.lists(st.tuples(st.sampled_from(list(Outcome)), st.text(max_size=200)), max_size=60),
)
def test_it_fits_any(limit: int, kinds: list[tuple[Outcome, str]]) -> None:
    """Whatever there is to tell: within the limit, and each part closed."""
    results = [result(i, outcome, reason=reason) for i, (outcome, reason) in enumerate(kinds)]
    document = markdown(report_of(*results, notes=("the whole session is off",)), limit=limit)
    assert len(document.encode()) <= limit
    opened = [token.content for token in GITHUB.parse(document) if token.type == "html_block"]
    assert sum("<details>" in text for text in opened) == sum("</details>" in text for text in opened)
    assert document.startswith("### pytest-infer: ")


def test_several_devices_are_told_apart() -> None:
    """In each row, and in the summary."""
    document = markdown(report_of(result(0, device="gpu-a"), result(1, device="gpu-b")), limit=COMMENT)
    assert [row[0].partition(" on ")[2] for row in tables(document)[0][1:]] == ["gpu-a", "gpu-b"]
    assert "2 passed, on `gpu-a`, `gpu-b`" in document


def test_what_can_be_done_is_said(make_result: Callable[..., Result]) -> None:
    """An improvement leaves its test green: the report is where somebody reads of it."""
    better = make_result(outcome=Outcome.IMPROVED, reasons=("latency 1 ms is 50.0% better",))
    (told, _) = fences(markdown(report_of(better), limit=COMMENT))
    assert "the baseline guards an old speed now: pytest " in told
