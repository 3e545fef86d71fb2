"""A test in processes of its own is the same test: ids, classes, conftest, options; and they disturb nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import Suite

CONFTEST = """
import pytest

def pytest_addoption(parser):
    parser.addoption("--scale", type=int, default=1)
    parser.addini("size", "for the tests")

@pytest.fixture
def scale(request):
    return request.config.getoption("--scale")

@pytest.fixture(scope="session", autouse=True)
def alone(request):
    # A worker sees neither the other tests nor what its parent writes.
    if request.config.getoption("--junitxml") is None:
        assert [item.name for item in request.session.items] == [request.session.items[0].name]
"""
SOURCE = """
import os
from pathlib import Path

import helper
import pytest

PIDS = Path(__file__).with_name("pids")

def target():
    return sum(range(helper.NUMBER))

@pytest.fixture(autouse=True)
def noted():
    with PIDS.open("a") as file:
        file.write(f"{os.getpid()}\\n")

@pytest.mark.infer(model=target, batch=[1, 2])
@pytest.mark.parametrize("name", ["[a/b-x y]", "::", "ä 'q'"])
def test_odd(infer_engine, name, tmp_path):
    (tmp_path / "file").write_text(name)

class TestClass:
    class TestInner:
        @pytest.mark.infer(max_latency_ms=1e9)
        def test_method(self, infer, scale, pytestconfig):
            assert scale == 3
            assert pytestconfig.getini("size") == "large"
            infer.measure(target)
            infer.measure(lambda: None)

@pytest.mark.infer(model=target, max_latency_ms=1e-9)
def test_slow(infer_engine): pass

@pytest.mark.xfail(strict=True)
@pytest.mark.infer(model=target)
def test_broken(infer_engine):
    assert infer_engine() == "nonsense"
"""


def test_alike(suite: Suite) -> None:
    """Odd ids, classes, a conftest's option, an ini value and imports reach the worker; its files are its own."""
    suite.conftest(CONFTEST)
    (suite.path / "pytest.ini").write_text("[pytest]\nsize = small\npythonpath = lib\n")
    (suite.path / "lib").mkdir()
    (suite.path / "lib" / "helper.py").write_text("NUMBER = 1000\n")
    suite.write(SOURCE)
    done = suite.run(
        "--infer-isolate=always", "--infer-confirm=1", "--scale=3", "-o", "size=large", "--basetemp=mine",
        "-p", "no:cacheprovider", "-p", "no:xdist",
    )  # fmt: skip
    assert done.ret == 1
    done.assert_outcomes(passed=7, failed=1, xfailed=1)
    assert list(suite.outcomes()) == [
        *(f"test_odd[b{batch}-{name}]" for batch in (1, 2) for name in ("[a/b-x y]", "::", "\\xe4 'q'")),
        "TestClass::TestInner::test_method target",
        "TestClass::TestInner::test_method <lambda>",
        "test_slow",
    ]
    assert suite.outcomes()["test_slow"] == "over_budget"
    assert len(suite.cases()) == 9, "the parent's JUnit file is still the parent's"
    pids = (suite.path / "pids").read_text().split()
    parent = max(set(pids), key=pids.count)
    assert len(set(pids) - {parent}) == 9, "one worker a test"
    assert len(list((suite.path / "mine").glob("test_odd*"))) >= 6, "the parent's temporary files are still there"
    assert not (suite.path / ".pytest_cache").exists()
    assert suite.left() == []


def test_elsewhere(suite: Suite) -> None:
    """A package, --import-mode=importlib, -x, --lf, -s: the worker finds its test. Memory is measured there always."""
    folder = suite.path / "inner"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "names.py").write_text("FAR = 1e9\n")
    (folder / "test_inner.py").write_text("""
import pytest

from inner.names import FAR

@pytest.mark.infer(model="models/linear.onnx", max_host_memory_mb=FAR)
def test_it(infer_engine): pass
""")
    (suite.path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    done = suite.run("--rootdir=.", "inner/test_inner.py::test_it", "-q", "-x", "--lf", "-s")
    assert done.ret == 0
    (result,) = suite.report().results
    assert result.nodeid == "inner/test_inner.py::test_it"
    assert result.metrics["host_memory"] > 0


def test_what_a_body_says_in_its_worker(suite: Suite) -> None:
    """A skip keeps its reason, a failed assertion its explanation, and neither brings pytest's own frames along."""
    suite.write("""
        import pytest

        @pytest.mark.infer(model=len, inputs=("abc",))
        def test_skip(infer_engine):
            pytest.skip("not today")

        @pytest.mark.infer(model=len, inputs=("abc",))
        def test_assert(infer_engine):
            assert infer_engine("ab") == 3
    """)
    done = suite.run("--infer-isolate=always", "-rsf")
    text = done.stdout.str()
    assert ": not today" in text
    assert "assert 2 == 3" in text
    done.stdout.fnmatch_lines(["FAILED *test_assert - *assert 2 == 3*"])
    assert "in from_call" not in text
    assert "pluggy" not in "".join(line for line in done.outlines if not line.startswith("platform"))


SPEAKING = """
import logging
import sys

import pytest

@pytest.fixture
def prepared():
    print("from a fixture")

@pytest.mark.infer(model=len, inputs=("abc",))
def test_speaks(prepared, infer_engine):
    print("ä word of its own")
    print("and a complaint", file=sys.stderr)
    logging.getLogger("body").warning("and a warning")
    assert infer_engine("ab") == 3

@pytest.mark.infer(model=len, inputs=("abc",), max_latency_ms=1e-9)
def test_slow(infer_engine):
    print("slow, I know")
"""


def test_what_a_body_prints_in_its_worker(suite: Suite) -> None:
    """It stands below the failure as if the body had run here, once; a verdict that fails has it, too."""
    suite.write(SPEAKING)
    done = suite.run("--infer-isolate=always")
    speaks, slow = done.stdout.str().split("test_slow", 1)
    for section in (
        *("Captured stdout call -*\nä word of its own\n", "Captured stderr call -*\nand a complaint\n"),
        "Captured log call -*\nWARNING  body:test_it.py:* and a warning\n",
    ):
        assert re.search(section.replace("*", ".*"), speaks), section
    assert speaks.count("ä word of its own\n") == 1
    assert re.search("Captured stdout call -*\nslow, I know\n", slow)
    assert done.stdout.str().count("from a fixture\n") == 1, "that is the parent's own"


def test_what_a_body_prints_without_capturing(suite: Suite) -> None:
    """Under -s it is shown, and nothing of what the worker's pytest says of itself."""
    suite.write(SPEAKING)
    done = suite.run("--infer-isolate=always", "-s", "-k", "slow")
    lines = done.outlines
    assert sum(line.endswith("slow, I know") for line in lines) == 1
    assert sum("test session starts" in line for line in lines) == 1
    assert not any("--- pytest-infer" in line for line in lines)


def test_a_recording_says_it_once(suite: Suite) -> None:
    """Of several processes that print the same."""
    suite.write("""
        import pytest

        @pytest.mark.infer(model=len, inputs=("abc",))
        def test_it(infer_engine):
            print("a word")
    """)
    done = suite.run("--infer-update-baselines", "--infer-runs=3", "-rP")
    assert done.stdout.str().count("\na word\n") == 1


@pytest.mark.parametrize("option", ["--log-file=log", "-o log_file=log"])
def test_a_log_file_is_the_parent_s(suite: Suite, option: str) -> None:
    """By option or ini key: no worker begins it anew."""
    suite.write("""
        import logging

        import pytest

        def test_plain():
            logging.warning("said before")

        @pytest.mark.infer(model=len, inputs=("abc",))
        def test_it(infer_engine): pass
    """)
    assert suite.run("--infer-isolate=always", *option.split()).ret == 0
    log = (suite.path / "log").read_text()
    assert log.startswith("WARNING")
    assert "said before" in log


def test_a_copy_of_a_worker_is_not_heard(suite: Suite) -> None:
    """A body that forks, and whose child comes back into pytest: the worker itself tells how the test ended."""
    suite.write("""
        import os

        import pytest

        @pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
        @pytest.mark.infer(model=len, inputs=("abc",))
        def test_it(infer_engine):
            assert os.fork(), "I am a copy"
            os.wait()
    """)
    assert suite.run("--infer-isolate=always").ret == 0
    assert suite.outcomes() == {"test_it": "no_baseline"}


def test_a_fresh_process_imports_no_scipy(suite: Suite) -> None:
    """A quarter of a second, which each of a recording's processes would take longer to start."""
    suite.conftest("""
def pytest_unconfigure():
    import sys
    from pathlib import Path
    if "pytest_infer.measure.child" in sys.modules:
        Path(__file__).with_name("imported").write_text(" ".join(sys.modules))
""")
    suite.write("""
        import pytest

        @pytest.mark.infer(model=sum, inputs=([1, 2],))
        def test_it(infer_engine): pass
    """)
    assert suite.run("--infer-isolate=always").ret == 0
    assert (suite.report().results[0].intervals.keys()) >= {"latency"}
    imported = (suite.path / "imported").read_text().split()
    assert "numpy" in imported
    assert "scipy" not in imported
