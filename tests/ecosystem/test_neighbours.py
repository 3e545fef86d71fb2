"""A suite of pytest-benchmark's that has nothing to do with us is the same with us beside it.

Whole suites of other plugins, from their released source: `tests/benchmarks/neighbours.py`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import Suite

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
    files = {str(path.relative_to(suite.path)) for path in suite.path.rglob("*") if "__pycache__" not in path.parts}
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
    for path in saved.rglob("*.json"):
        path.rename(suite.path / "before.json")
    with_us = told(suite, *options)
    (suite.path / "before.json").unlink(missing_ok=True)
    assert _without_time(with_us) == _without_time(without)


def _without_time(content: tuple[Any, ...]) -> tuple[Any, ...]:
    """Saved files are named by the time of the day."""
    *rest, files = content
    return (
        *rest,
        {"saved" if name.endswith(".json") and ".benchmarks/" in name else name for name in files} - {"before.json"},
    )
