"""The terminal section in real runs: widths, verbosity, colours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pytest_infer.report.terminal import summary
from pytest_infer.verdict import Outcome
from tests.report_told.conftest import TRACER, VERDICTS, report_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.measurement import Measurement
    from pytest_infer.result import Result
    from tests.integration.conftest import Suite

ESCAPE = "\x1b["


def section(result: pytest.RunResult) -> list[str]:
    """The lines of ours."""
    lines = result.outlines
    (start,) = (i for i, line in enumerate(lines) if re.fullmatch(r"(\x1b\[\d+m)*=+ infer =+(\x1b\[0m)*", line))
    end = next(i for i, line in enumerate(lines[start:], start) if line.startswith(("report: ", f"{ESCAPE}1mreport: ")))
    return lines[start + 1 : end]


@pytest.fixture
def told(suite: Suite) -> Suite:
    """A suite of every kind of verdict that needs no baseline."""
    suite.conftest(TRACER)
    suite.write(VERDICTS)
    return suite


def test_a_log_has_a_line_a_measurement(told: Suite) -> None:
    """Test, verdict, figures and what could have been seen, also under -q; in the order in which tests ran."""
    for options in (("-q",), ("--no-header",)):
        lines = section(told.run("--infer-isolate=never", *options))
        assert lines[0].startswith("device: cpu-")
        rows = [line for line in lines if line.startswith("test_it.py::")]
        assert [row.partition(": ")[0].partition("::")[2] for row in rows[:4]] == [
            "test_fine", "test_slow", "test_expected", "test_traced"
        ]  # fmt: skip
        figures = r".*: \w+  p50 [\d.e-]+ ms  p99 [\d.e-]+ ms  \d+/s  detectable: no baseline"
        assert all(re.fullmatch(figures, row) for row in rows), rows
        assert len(rows) == 7
        assert lines[-1] == "1 invalid, 1 no_baseline, 5 over_budget"


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_terminal_s_width_is_kept(told: Suite, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """By folding and by shortening node ids; every figure that a log has is whole."""
    monkeypatch.setenv("COLUMNS", str(width))
    lines = section(told.run("--infer-isolate=never"))
    assert all(len(line) <= width for line in lines), lines
    text = "\n".join(lines)
    assert len(re.findall(r"\bp50 [\d.e-]+ ms", text)) == len(re.findall(r"\bp99 [\d.e-]+ ms", text)) == 7
    assert len(re.findall(r": (over_budget|invalid|no_baseline)\s", text)) == 7


def test_verbosity(told: Suite) -> None:
    """-v tells reasons and differences, -q no advice, -qq no line of what simply passed."""
    loud, plain, quiet, silent = (
        section(told.run("--infer-isolate=never", *options)) for options in (("-v",), (), ("-q",), ("-qq",))
    )
    reason = "no baseline on cpu-"
    assert [line.startswith("    ") for line in loud if reason in line] == [True]
    assert [line.startswith("1 result(s): ") for line in plain if reason in line] == [True]
    assert not [line for line in (*quiet, *silent) if reason in line]
    assert any("is above the budget" in line for line in loud)
    assert not any("is above the budget" in line for line in plain), "failures tell it themselves"
    assert any("test_fine" in line for line in quiet)
    assert not any("test_fine" in line for line in silent)
    assert any("test_slow" in line for line in silent)
    assert [lines[-1] for lines in (loud, plain, quiet, silent)] == ["1 invalid, 1 no_baseline, 5 over_budget"] * 4


def test_colours(told: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pytest decides: --color before NO_COLOR, and without them none in a log."""
    monkeypatch.delenv("PY_COLORS", raising=False)
    for options, variables, coloured in (
        (("--color=yes",), {}, True),
        (("--color=no",), {"FORCE_COLOR": "1"}, False),
        ((), {"FORCE_COLOR": "1"}, True),
        ((), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ((), {}, False),
    ):
        with monkeypatch.context() as patch:
            patch.setenv("PY_COLORS", "")
            for name, value in variables.items():
                patch.setenv(name, value)
            lines = section(told.run("--infer-isolate=never", "-k", "slow or fine", *options))
        assert any(ESCAPE in line for line in lines) == coloured, (options, variables)
        if coloured:
            (slow,) = (line for line in lines if "test_slow" in line)
            assert slow.startswith(f"{ESCAPE}31m")


def test_accuracy_that_was_held_is_in_the_row(suite: Suite) -> None:
    """By a budget of the test's own or by the default tolerance; not where there is no reference."""
    suite.write("""
        import numpy as np
        import pytest

        infer = pytest.mark.infer

        @infer(model="models/linear.onnx", precision="int8", calibration=[{"x": np.ones((1, 4), np.float32)}])
        def test_default(infer_engine): pass

        @infer(model="models/linear.onnx", precision="int8", calibration=[{"x": np.ones((1, 4), np.float32)}],
               max_abs_error=1e9, min_cosine=-1)
        def test_own(infer_engine): pass

        @infer(model=sum, inputs=([1],))
        def test_none(infer_engine): pass
    """)
    rows = {line.partition(": ")[0].partition("::")[2]: line for line in section(suite.run("--infer-isolate=never"))}
    assert re.search(r"  cosine -?[\d.]+$", rows["test_default"])
    assert re.search(r"  (max_abs_error [\d.e-]+, cosine|cosine [-\d.]+, max_abs_error) -?[\d.e-]+$", rows["test_own"])
    assert rows["test_none"].endswith("detectable: no baseline")


def test_devices_have_groups_of_their_own(
    make_result: Callable[..., Result], make_measurement: Callable[..., Measurement]
) -> None:
    """Each under its name, in the order in which they came; costs in the row of who measured them."""
    results = [
        make_result(nodeid=f"t.py::t[{slug}-{i}]", measurement=make_measurement(device=slug, metrics=metrics))
        for i in range(2)
        for slug, metrics in (("gpu-b", {"latency": 1.0, "power": 300.0, "energy": 12.5}), ("gpu-a", {"latency": 1.0}))
    ]
    lines = [text for text, _ in summary(report_of(*results))]
    assert lines == [
        "device: gpu-b",
        "t.py::t[gpu-b-0]: passed  p50 1 ms  detectable: no baseline  300 W, 12.5 mJ",
        "t.py::t[gpu-b-1]: passed  p50 1 ms  detectable: no baseline  300 W, 12.5 mJ",
        "device: gpu-a",
        "t.py::t[gpu-a-0]: passed  p50 1 ms  detectable: no baseline",
        "t.py::t[gpu-a-1]: passed  p50 1 ms  detectable: no baseline",
        "4 passed",
    ]


def test_missing_baselines_are_explained_once(make_result: Callable[..., Result]) -> None:
    """However many tests lack one for the same reason; of many different reasons the most frequent."""
    same = [make_result(outcome=Outcome.NO_BASELINE, reasons=("none here; record one",))] * 7
    lines = [text for text, _ in summary(report_of(*same))]
    assert [line for line in lines if "record one" in line] == ["7 result(s): none here; record one"]
    many = [make_result(outcome=Outcome.NO_BASELINE, reasons=(f"reason {i}",)) for i in range(9)]
    lines = [text for text, _ in summary(report_of(*same, *many))]
    assert sum("reason " in line for line in lines) == 4
    assert "5 more reason(s) why baselines are missing: -v tells them" in lines
