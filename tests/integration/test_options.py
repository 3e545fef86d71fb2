"""Options: from the command line or the ini file, checked before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import Suite


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--infer-runs=0"], "--infer-runs=0 (from the command line): it takes a whole number from 1 to 20"),
        (["--infer-confirm=x"], "--infer-confirm=x (from the command line): it takes a whole number from 1"),
        (["--infer-alpha=1"], "it takes a number from 1e-09 to 0.2"),
        (["--infer-time=nan"], "--infer-time=nan (from the command line): it takes a number from 0.001"),
        (["--infer-time=5", "--infer-max-time=1"], "--infer-max-time=1 is less than --infer-time=5"),
        (["--infer-baselines="], "it takes a folder or a URL, and this is empty"),
        (["--infer-baseline-mode=strict"], "it takes one of compare, require, off"),
        (["--infer-isolate=yes"], "it takes one of auto, always, never"),
        (["--infer-timeout=0"], "--infer-timeout=0 (from the command line)"),
        (["--infer-report=report"], "it takes a file name that ends in .json, .html or .md"),
        (["--infer-report=report.xml"], "--infer-report=report.xml: .json, .html, .md and .txt are written"),
        (["--infer-lock-clocks=fast"], "it takes auto, or a clock in MHz"),
        (["--infer-lock-clocks=1200"], "--infer-lock-clocks is for a GPU"),
        (["--infer-backend=onnxruntim"], "no backend 'onnxruntim'; did you mean 'onnxruntime'?"),
        (["--infer-force"], "--infer-force is for --infer-update-baselines"),
        (["--infer-update-baselines", "--infer-isolate=never"], "drop --infer-isolate=never"),
        (["--infer-update-baselines", "--infer-baseline-mode=off"], "drop --infer-baseline-mode=off"),
        (["-o", "infer_runs=many"], "infer_runs=many (from the ini file): it takes a whole number from 1 to 20"),
        (["-o", "infer_update_baselines=sometimes"], "infer_update_baselines = 'sometimes': append or reset"),
    ],
)
def test_bad_value(pytester: pytest.Pytester, args: list[str], told: str) -> None:
    """A value that can't be right ends pytest with status 4 and a line that names option, origin and what would be."""
    done = pytester.runpytest_inprocess(*args)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in done.errlines if line.strip()]
    assert line.startswith("ERROR: ")
    assert told in line


def test_a_way_of_recording_that_there_is_not(pytester: pytest.Pytester) -> None:
    """`=rest` is refused with the ways that there are, not with a word about arguments alone."""
    done = pytester.runpytest_inprocess("--infer-update-baselines=rest")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*error: *--infer-update-baselines=append/--infer-update-baselines=reset*'rest'*"])


def test_gpu_without_driver(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU is asked for where no driver answers: status 4 and one line, never the CPU instead."""
    suite.conftest("""
import pynvml

def no_driver():
    raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

pynvml.nvmlInit = no_driver
""")
    suite.write("def test_it(): pass")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    done = suite.run("--infer-gpu=0")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in done.errlines if line.strip()]
    assert line.startswith("ERROR: --infer-gpu=0: no NVIDIA driver answers here")
    assert "leave the option out to measure on the CPU" in line


def test_ini(suite: Suite) -> None:
    """Each option is an ini key too; the command line wins."""
    suite.path.joinpath("pytest.ini").write_text(
        "[pytest]\ninfer_baselines = elsewhere\ninfer_baseline_mode = require\ninfer_strict = true\n"
        "infer_report = one.json two.json\ninfer_isolate = never\n"
    )
    suite.write("""
        import pytest

        @pytest.mark.infer(model=len, inputs=([1],))
        def test_it(infer_engine): pass
    """)
    arguments = [a for a in suite.arguments() if not a.startswith("--infer-report")]
    done = suite.run_bare(*arguments)
    assert (suite.path / "one.json").read_bytes() == (suite.path / "two.json").read_bytes()
    assert suite.cases()["test_it"].status == "failed"
    assert done.ret == 1
    assert suite.run_bare(*arguments, "--infer-baseline-mode=off").ret == 0


def test_help(pytester: pytest.Pytester) -> None:
    """`--help` names each option and its default, and the marker is registered."""
    done = pytester.runpytest_inprocess("--help")
    done.stdout.fnmatch_lines(["*--infer-gpu=*", "*--infer-timeout=SECONDS*", "*--infer-update-baselines=append*"])
    done = pytester.runpytest_inprocess("--markers", "--strict-markers")
    done.stdout.fnmatch_lines(["@pytest.mark.infer(...): hold a network to budgets and baselines*"])
