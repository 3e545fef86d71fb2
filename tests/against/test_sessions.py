"""Whole sessions: real repositories, real processes. What ends after one round is cheap; few tests play eight."""

from __future__ import annotations

import itertools
import shlex
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import pytest_infer
from tests.against.conftest import SHORT

if TYPE_CHECKING:
    from tests.against.conftest import Suite

CODE: Final = "NUMBER = {number}\n\ndef work():\n    return sum(range(NUMBER))\n"
TEST: Final = """
import code_of_mine
import pytest

@pytest.mark.infer(model=code_of_mine.work)
def test_it(infer_engine):
    infer_engine()
"""


def save_model(path: Path, factor: float, layers: int = 1) -> None:
    """A tiny network: x [1, 4] times `factor`, `layers` times."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    np = pytest.importorskip("numpy")
    names = ["x", *(f"h{i}" for i in range(layers - 1)), "y"]
    nodes = [helper.make_node("Mul", [a, "w"], [b]) for a, b in itertools.pairwise(names)]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    weight = numpy_helper.from_array(np.full((1, 4), factor, np.float32), "w")
    graph = helper.make_graph(nodes, "net", values[:1], values[1:], [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)


def test_slower_code(suite: Suite, elsewhere: Path) -> None:
    """A package on pytest's path got twenty times slower: the test fails, and says all there is to know."""
    suite.write("src/code_of_mine.py", CODE.format(number=2_000))
    suite.write("test_code.py", TEST)
    suite.commit()
    suite.write("src/code_of_mine.py", CODE.format(number=40_000))
    before = suite.state()
    done = suite.run("--infer-against=HEAD")
    assert done.returncode == 1, done.stdout + done.stderr
    result = suite.results()["test_it"]
    assert result.outcome == "regressed"
    assert result.change is not None
    assert 5 < result.change.estimate < 60
    assert result.change.low < result.change.estimate < result.change.high
    assert result.change.runs >= 8
    commit = suite.git("rev-parse", "--short", "HEAD")
    for told in (
        f"infer: against HEAD ({commit})",
        f"worse than HEAD ({commit})'s ",
        f"{result.change.runs} rounds",
        "environment: the same on both sides",
        "pytest test_code.py::test_it --infer-against=HEAD",
    ):
        assert told in done.stdout
    assert suite.state() == before
    assert suite.left() == []
    assert not list(elsewhere.glob("pytest-infer-against*"))


def test_another_model_file(suite: Suite) -> None:
    """Only the model's file changed: faster, and the file is named; several measurements are told apart by name."""
    pytest.importorskip("onnxruntime")
    (suite.path / "models").mkdir()
    save_model(suite.path / "models" / "net.onnx", 1.0, layers=300)
    suite.write(
        "test_model.py",
        """
import pytest

OPTIONS = {"threads": 1, "graph_optimization": "disabled"}

@pytest.mark.infer(model="models/net.onnx", options=OPTIONS, max_regression=0.5)
def test_model(infer, infer_engine):
    infer.measure(infer_engine)
    infer.measure(sum, ([1, 2],))
""",
    )
    suite.commit()
    save_model(suite.path / "models" / "net.onnx", 1.0, layers=20)
    done = suite.run("--infer-against=HEAD", "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    results = suite.results()
    assert results["test_model"].outcome == "improved", results["test_model"].reasons
    assert results["test_model"].differs[0].startswith("model: ")
    assert "the baseline guards" not in done.stdout
    assert results["test_model sum"].change is not None
    assert results["test_model sum"].differs == ()


ONE_SIDED: Final = {
    "test_new": ("", "def test_new(infer_engine): infer_engine()", "has no such test"),
    "test_broken": (
        "def test_broken(infer_engine): assert infer_engine() == 'nonsense'",
        "def test_broken(infer_engine): infer_engine()",
        "it fails: AssertionError: assert 6.0 == 'nonsense'",
    ),
    "test_skips": (
        "def test_skips(infer_engine): pytest.skip('not yet')",
        "def test_skips(infer_engine): infer_engine()",
        "it skips itself: not yet",
    ),
    "test_dies": (
        "def test_dies(infer_engine): os._exit(7)",
        "def test_dies(infer_engine): infer_engine()",
        "it fails: a worker process ended with exit status 7",
    ),
    "test_wrong": (
        "@pytest.mark.infer(reference=lambda: 5.0, max_abs_error=0.5)\ndef test_wrong(infer_engine): pass",
        "@pytest.mark.infer(reference=lambda: 6.0, max_abs_error=0.5)\ndef test_wrong(infer_engine): pass",
        "its outputs are wrong: max_abs_error 1 is above",
    ),
    "test_several[b]": (
        "@pytest.mark.parametrize('p', ['a'])\ndef test_several(infer_engine, p): infer_engine()",
        "@pytest.mark.parametrize('p', ['b'])\ndef test_several(infer_engine, p): infer_engine()",
        "has no such test",
    ),
    "test_once": (
        "@pytest.mark.parametrize('p', ['a', 'b'])\ndef test_once(infer_engine, p): infer_engine()",
        "def test_once(infer_engine): infer_engine()",
        "has no such test",
    ),
}
"""By test: its code in the revision, its code now, and what is told of the revision."""
HEAD: Final = "import os\n\nimport pytest\n\npytestmark = pytest.mark.infer(model=lambda: 6.0)\n\n\n"


@pytest.mark.parametrize("arguments", [(), ("-p", "xdist", "-n", "2")], ids=["alone", "xdist"])
def test_one_side_only(suite: Suite, elsewhere: Path, arguments: tuple[str, ...]) -> None:
    """A test that the revision has not, or that fails, skips itself or dies there: told, and it passes.

    Under xdist, too, where the workers share the one work tree.
    """
    if arguments:
        pytest.importorskip("xdist")
    suite.write("test_all.py", HEAD + "\n\n".join(old for old, _, _ in ONE_SIDED.values()))
    suite.write("test_module.py", "import nowhere_to_be_found\n")
    suite.commit()
    suite.write("test_all.py", HEAD + "\n\n".join(new for _, new, _ in ONE_SIDED.values()))
    suite.write(
        "test_module.py", "import pytest\n\n@pytest.mark.infer(model=dict)\ndef test_module(infer_engine): pass\n"
    )
    before = suite.state()
    done = suite.run("--infer-against=HEAD", *arguments)
    results = suite.results()
    assert done.returncode == 0, done.stdout + done.stderr
    assert {name: result.outcome for name, result in results.items()} == dict.fromkeys(
        [*ONE_SIDED, "test_module"], "no_baseline"
    )
    for name, (_, _, told) in ONE_SIDED.items():
        assert told in results[name].reasons[0], name
        assert results[name].reasons[0] in " ".join(done.stdout.split()), "also without -v"
    assert "No module named 'nowhere_to_be_found'" in results["test_module"].reasons[0]
    assert suite.state() == before
    assert suite.left() == []
    assert not list(elsewhere.glob("pytest-infer-against*"))


def test_require(suite: Suite) -> None:
    """Nothing to compare with fails where that is asked for."""
    suite.commit()
    suite.write("test_new.py", "import pytest\n\n@pytest.mark.infer(model=dict)\ndef test_new(infer_engine): pass\n")
    done = suite.run("--infer-against=HEAD", "--infer-baseline-mode=require")
    assert done.returncode == 1
    assert "it fails because of --infer-baseline-mode=require" in done.stdout


def test_budgets_still_hold(suite: Suite) -> None:
    """What is over its budget here fails without a comparison."""
    suite.write(
        "test_slow.py",
        "import pytest\n\n@pytest.mark.infer(model=dict, max_latency_ms=1e-9)\ndef test_slow(infer_engine): pass\n",
    )
    suite.commit()
    assert suite.run("--infer-against=HEAD").returncode == 1
    assert suite.results()["test_slow"].outcome == "over_budget"


def test_another_checkout(suite: Suite, tmp_path: Path) -> None:
    """A folder: its tests, its code, its own conftest; a session started in a sub-folder finds it there."""
    suite.write("src/code_of_mine.py", CODE.format(number=10))
    suite.write("sub/test_code.py", TEST)
    suite.commit()
    other = tmp_path / "other"
    suite.git("clone", "--quiet", str(suite.path), str(other))
    (other / "src" / "code_of_mine.py").write_text("def work():\n    raise RuntimeError(__file__)\n")
    done = suite.run("--infer-against=../../other", f"--rootdir={suite.path}", "test_code.py", cwd=suite.path / "sub")
    report = (suite.path / "sub" / "report.json").rename(suite.path / "report.json")
    assert report.exists()
    assert done.returncode == 0, done.stdout + done.stderr
    (reason,) = suite.results()["test_it"].reasons
    assert f"RuntimeError: {other}/src/code_of_mine.py" in reason


def test_an_interpreter_without_the_plugin(suite: Suite, tmp_path: Path) -> None:
    """One line, before any test runs, with the command that installs it."""
    suite.write("test_it.py", "import pytest\n\n@pytest.mark.infer(model=dict)\ndef test_it(infer_engine): pass\n")
    suite.commit()
    venv.create(tmp_path / "bare", with_pip=False)
    python = tmp_path / "python"  # -E: where PYTHONPATH leads to the plugin, it has one
    python.write_text(f'#!/bin/sh\nexec {tmp_path}/bare/bin/python -E "$@"\n')
    python.chmod(0o755)
    done = suite.run(f"--infer-against={python}")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in done.stderr.splitlines() if line]
    assert "has no pytest-infer; install it there: " in line
    assert "test_it" not in done.stdout


def test_a_revision_without_the_plugin(suite: Suite) -> None:
    """One whose own files do not load it would run its whole suite in the place of one test: that is told instead."""
    suite.write("pytest.ini", "[pytest]\n")
    suite.write("conftest.py", "")
    ran = suite.path.parent / "ran"
    suite.write("test_other.py", f"from pathlib import Path\n\ndef test_other():\n    Path({str(ran)!r}).touch()\n")
    suite.commit()
    (suite.path / "test_other.py").unlink()
    suite.write("conftest.py", f"pytest_plugins = ['pytest_infer.plugin']\n{SHORT}")
    suite.write("pytest.ini", "[pytest]\ninfer_against = HEAD\ninfer_time = 0.01\ninfer_report = report.json\n")
    suite.write("test_it.py", "import pytest\n\n@pytest.mark.infer(model=dict)\ndef test_it(infer_engine): pass\n")
    done = suite.run_bare()
    assert done.returncode == 0, done.stdout + done.stderr
    (reason,) = suite.results()["test_it"].reasons
    assert "ended with exit status 4" in reason
    assert "this side does not load pytest-infer" in reason
    assert not ran.exists()


def test_another_interpreter(suite: Suite, tmp_path: Path) -> None:
    """The same checkout, uncommitted changes and all, under the packages of another environment."""
    source = """
import code_of_mine
import pytest

try:
    from runtime_of_theirs import VERSION
except ImportError:
    VERSION = 1

@pytest.mark.infer(model=code_of_mine.work)
def test_it(infer_engine):
    assert VERSION == 1, code_of_mine.__file__
"""
    suite.commit()
    suite.write("src/code_of_mine.py", CODE.format(number=10))
    suite.write("test_code.py", source)
    venv.create(tmp_path / "env", with_pip=False)
    (packages,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    (packages / "runtime_of_theirs.py").write_text("VERSION = 2\n")
    ours = str(Path(pytest_infer.__file__).parents[1])  # an editable install is found by a .pth of its own
    shared = [ours, *(path for path in sys.path if path.endswith("site-packages"))]
    (packages / "more.pth").write_text("\n".join(shared))
    value = tmp_path / "env" / "bin" / "python"
    done = suite.run(f"--infer-against={value}")
    assert done.returncode == 0, done.stdout + done.stderr
    (reason,) = suite.results()["test_it"].reasons
    assert reason.startswith(f"on {value} it fails: AssertionError: {suite.path}/src/code_of_mine.py")


@pytest.mark.parametrize("value", ["origin/main", "nonsense"])
def test_a_missing_revision(suite: Suite, elsewhere: Path, value: str) -> None:
    """A usage error, before any test runs; nothing is left behind."""
    suite.write("test_it.py", "import pytest\n\n@pytest.mark.infer(model=dict)\ndef test_it(infer_engine): pass\n")
    suite.commit()
    done = suite.run(f"--infer-against={value}")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: --infer-against={value}: no such revision" in done.stderr
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--infer-update-baselines",), "drop it to record"),
        (("--infer-isolate=never",), "drop --infer-isolate=never"),
        (("--infer-against=",), "a revision, an interpreter or a folder, and this is empty"),
    ],
)
def test_contradictions(suite: Suite, arguments: tuple[str, ...], told: str) -> None:
    """Told before anything happens."""
    done = suite.run("--infer-against=HEAD", *arguments)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert told in done.stderr


def test_collecting_compares_nothing(suite: Suite, elsewhere: Path) -> None:
    """No work tree for a look at the tests."""
    suite.write("test_it.py", "import pytest\n\n@pytest.mark.infer(model=dict)\ndef test_it(infer_engine): pass\n")
    suite.commit()
    assert suite.run("--infer-against=HEAD", "--collect-only").returncode == 0
    assert list(elsewhere.iterdir()) == []


def test_classes_and_parameters(suite: Suite) -> None:
    """A parametrized test in a class meets itself on the other side, whatever its id holds."""
    test = """
import code_of_mine
import pytest

@pytest.mark.infer(model=code_of_mine.work)
class TestIt:
    @pytest.mark.parametrize("n", [1], ids=["a b/c"])
    def test_it(self, infer_engine, n):
        infer_engine()
"""
    suite.write("src/code_of_mine.py", CODE.format(number=2_000))
    suite.write("test_code.py", test)
    suite.commit()
    suite.write("src/code_of_mine.py", CODE.format(number=40_000))
    assert suite.run("--infer-against=HEAD").returncode == 1
    assert suite.results()["TestIt::test_it[a b/c]"].outcome == "regressed"


def test_other_inputs_are_another_workload(suite: Suite) -> None:
    """More work for the same code makes no code slower: what a callable is called with is compared, too."""
    test = """
import numpy as np
import pytest

@pytest.mark.infer(model=np.sort, inputs=np.zeros({}))
def test_it(infer_engine): pass
"""
    suite.write("test_code.py", test.format(2_000))
    suite.commit()
    suite.write("test_code.py", test.format(40_000))
    assert suite.run("--infer-against=HEAD").returncode == 0
    (reason,) = suite.results()["test_it"].reasons
    assert "measures another workload (inputs: float64[2000] → float64[40000])" in reason


def test_a_shallow_clone(suite: Suite, tmp_path: Path) -> None:
    """As continuous integration makes it: the command that brings the revision is told, and once it ran all is well."""
    suite.commit()
    suite.git("checkout", "--quiet", "-b", "topic")
    suite.write("test_new.py", "import pytest\n\n@pytest.mark.infer(model=dict)\ndef test_new(infer_engine): pass\n")
    suite.commit()
    shallow = tmp_path / "shallow"
    suite.git("clone", "--quiet", "--depth=1", "--branch=topic", f"file://{suite.path}", str(shallow))
    done = suite.run("--infer-against=origin/main", cwd=shallow)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: --infer-against=origin/main: no such revision in this shallow clone" in done.stderr
    command = shlex.split(done.stderr.strip().rpartition("to fetch it: ")[2])
    assert command[:2] == ["git", "fetch"]
    subprocess.run(command, cwd=shallow, check=True, capture_output=True)
    done = suite.run("--infer-against=origin/main", cwd=shallow)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "has no such test" in " ".join(done.stdout.split())
