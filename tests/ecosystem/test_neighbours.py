"""A suite of pytest-benchmark's that has nothing to do with us is the same with us beside it.

Whole suites of other plugins, from their released source: `tests/benchmarks/neighbours.py`.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Suite

pytestmark = pytest.mark.usefixtures("all_plugins")

SOURCE = """
import warnings

import pytest

pytestmark = pytest.mark.benchmark(max_time=0.01)

@pytest.mark.benchmark(group="sums")
@pytest.mark.parametrize("n", [1, 2])
def test_called(benchmark, n):
    benchmark.extra_info["n"] = n
    assert benchmark(sum, [n]) == n

def test_pedantic(benchmark):
    benchmark.pedantic(sum, args=([1],), rounds=7, iterations=3)

def test_wrong(benchmark):
    benchmark(lambda: 1 / 0)

def test_after(benchmark):
    benchmark.pedantic(len, args=("a",), rounds=5)
    assert False

@pytest.mark.xfail(strict=True, reason="known")
def test_expected(benchmark):
    benchmark.pedantic(len, args=("a",), rounds=5)
    assert False

@pytest.mark.skip(reason="not now")
def test_skipped(benchmark): pass

def test_unused(benchmark): pass

def test_plain(tmp_path):
    warnings.warn("mine")
"""


def told(suite: Suite, *options: str) -> tuple[Any, ...]:
    """Everything that a run of it tells and leaves but its times."""
    file = suite.path / "benchmark.json"
    file.unlink(missing_ok=True)
    done = suite.run_bare(
        "-p", "no:randomly", "-p", "no:hypothesispytest", "--junitxml=junit.xml", "--benchmark-json=benchmark.json",
        "--benchmark-columns=rounds", "-rA", "-W", "default", *options,
    )  # fmt: skip
    rows = json.loads(file.read_text())["benchmarks"] if file.exists() else []
    for row in rows:
        count = row["stats"]["rounds"] if "called" not in row["name"] else None
        row |= {"stats": count, "options": sorted(row["options"])}
    summary = sorted(
        line for line in done.outlines if line.startswith(("FAILED", "PASSED", "SKIPPED", "XFAIL", "ERROR"))
    )
    cases = {name: (case.status, case.message, case.properties) for name, case in suite.cases().items()}
    files = {str(path.relative_to(suite.path)) for path in suite.path.rglob("*") if not _scratch(path)}
    return done.ret, cases, rows, summary, done.parseoutcomes(), files


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--benchmark-disable",),
        ("--benchmark-only",),
        ("--benchmark-skip",),
        ("--benchmark-autosave",),
        ("-n2",),
        ("-n2", "--benchmark-skip"),
        ("--reruns=1",),
    ],
    ids=" ".join,
)
def test_the_same_with_us(suite: Suite, options: tuple[str, ...]) -> None:
    """Results, messages, rows, files, exit status and summary: with the plugin, and with `-p no:infer`."""
    suite.write(SOURCE)
    without = told(suite, "-p", "no:infer", *options)
    saved = suite.path / ".benchmarks"
    if saved.exists():
        shutil.rmtree(saved)
    assert told(suite, *options) == without


def _scratch(path: Path) -> bool:
    """Whether it is not named alike in each run: a temporary folder's, or after the time of the day."""
    return any(part == "__pycache__" or part.startswith(("runpytest", "0001_")) for part in path.parts)


CLEANER = """
import os

def pytest_addoption(parser):
    parser.addoption("--snapshot-disable-unused", dest="disable_unused_snapshots", action="store_true")

def pytest_sessionfinish(session):
    with open(os.environ["SEEN"], "a") as file:
        file.write(f"{session.config.option.disable_unused_snapshots} {len(session.items)}\\n")
"""
REPEATER = """
import pytest

def pytest_addoption(parser):
    parser.addoption("--count", type=int, default=1)

@pytest.fixture
def step(request):
    return request.param

def pytest_generate_tests(metafunc):
    if (count := metafunc.config.option.count) > 1:
        metafunc.fixturenames.append("step")
        metafunc.parametrize("step", range(count), indirect=True, ids=lambda i: f"{i + 1}-{count}")
"""
TWO = """
import pytest

def test_plain(): pass

@pytest.mark.infer(model=len, inputs=("a",))
def test_infer(infer_engine): pass
"""


@pytest.mark.parametrize(
    ("option", "seen"),
    [("--infer-isolate=never", {"False 2"}), ("--infer-isolate=always", {"True 1", "True 2"})],
    ids=["here", "elsewhere"],
)
def test_nothing_is_tidied_away(suite: Suite, monkeypatch: pytest.MonkeyPatch, option: str, seen: set[str]) -> None:
    """A plugin that deletes what no test used (syrupy) is told where not all bodies run: in a worker, in its parent."""
    monkeypatch.setenv("SEEN", str(suite.path / "seen"))
    suite.conftest(CLEANER)
    suite.write(TWO)
    suite.run(option).assert_outcomes(passed=2)
    assert set((suite.path / "seen").read_text().splitlines()) == seen


def test_repeated(suite: Suite) -> None:
    """A plugin that parametrizes by an option (pytest-repeat) does so in a worker, too: else no test has that id."""
    suite.conftest(REPEATER)
    suite.write(TWO)
    suite.run("--count=2", "--infer-isolate=always").assert_outcomes(passed=4)
    assert suite.outcomes() == {"test_infer[1-2]": "no_baseline", "test_infer[2-2]": "no_baseline"}
