"""Whole sessions: each side runs its own files, whatever leads to the user's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import pytest

from tests.against.test_sessions import CODE, TEST

if TYPE_CHECKING:
    from pathlib import Path

    from tests.against.conftest import Suite

LAZY: Final = """
import pytest

def work():
    import code_of_mine
    return code_of_mine.work()

@pytest.mark.infer(model=work)
def test_it(infer_engine): pass
"""


@pytest.mark.parametrize("test", [TEST, LAZY], ids=["imported", "imported when it is measured"])
def test_installed_code_is_no_revision(suite: Suite, test: str) -> None:
    """Code that comes from the checkout on both sides (here by an absolute path of its own): not compared, told."""
    suite.write("src/code_of_mine.py", CODE.format(number=10))
    suite.write("test_code.py", f"import sys\nsys.path.insert(0, {str(suite.path / 'src')!r})\n{test}")
    suite.commit()
    done = suite.run("--infer-against=HEAD")
    assert done.returncode == 0, done.stdout + done.stderr
    (reason,) = suite.results()["test_it"].reasons
    assert f"does not come from there: code_of_mine ({suite.path}/src/code_of_mine.py)" in reason


FILES: Final = """
import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.infer(model=dict)

def test_linked(infer_engine):
    infer_engine()
    assert (Path(__file__).parent / "models" / "big.txt").read_text() == {downloaded!r}

def test_variable(infer_engine):
    infer_engine()
    assert (Path(os.environ["DATA_DIR"]) / "number.txt").read_text() == {number!r}
"""


def test_each_side_reads_its_own_files(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a variable of the environment names is the revision's; what git ignores is linked where the ini asks."""
    suite.write("pytest.ini", "[pytest]\ninfer_against_links =\n  models\n")
    suite.write(".gitignore", "__pycache__/\n/report.json\n/models/\n")
    suite.write("models/big.txt", "downloaded")
    suite.write("data/number.txt", "1")
    suite.write("test_it.py", FILES.format(downloaded="there?", number="there?"))
    suite.commit()
    suite.write("data/number.txt", "2")
    suite.write("test_it.py", FILES.format(downloaded="downloaded", number="2"))
    monkeypatch.setenv("DATA_DIR", str(suite.path / "data"))
    before = suite.state()
    done = suite.run("--infer-against=HEAD")
    assert done.returncode == 0, done.stdout + done.stderr
    told = {name: result.reasons[0] for name, result in suite.results().items()}
    assert told["test_linked"].endswith("it fails: AssertionError: assert 'downloaded' == 'there?'")
    assert told["test_variable"].endswith("it fails: AssertionError: assert '1' == 'there?'")
    assert (suite.path / "models" / "big.txt").read_text() == "downloaded", "the link went, not what it leads to"
    assert suite.state() == before


def search_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a folder on the path by the environment, as a shell's profile does."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH")))))


WRONG: Final = "def work():\n    raise RuntimeError(__file__)\n"


def test_a_checkout_by_another_name(suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path names the checkout by a link to it: the revision's code runs all the same."""
    (tmp_path / "link").symlink_to(suite.path)
    search_first(tmp_path / "link" / "src", monkeypatch)
    suite.write("pytest.ini", "[pytest]\n")
    suite.write("src/code_of_mine.py", WRONG)
    suite.write("test_code.py", TEST)
    suite.commit()
    suite.write("src/code_of_mine.py", CODE.format(number=10))
    done = suite.run("--infer-against=HEAD")
    assert done.returncode == 0, done.stdout + done.stderr
    (reason,) = suite.results()["test_it"].reasons
    assert "it fails: RuntimeError: " in reason
    assert "/pytest-infer-against-" in reason


def test_a_build_that_git_ignores(suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A revision has none, and this checkout's is not its: told. Another checkout has its own."""
    search_first(suite.path / "build" / "lib", monkeypatch)
    suite.write("pytest.ini", "[pytest]\n")
    suite.write(".gitignore", "__pycache__/\n/report.json\n/build/\n")
    suite.write("build/lib/code_of_mine.py", CODE.format(number=10))
    suite.write("test_code.py", TEST)
    suite.commit()
    assert suite.run("--infer-against=HEAD").returncode == 0
    (reason,) = suite.results()["test_it"].reasons
    assert f"does not come from there: code_of_mine ({suite.path}/build/lib/code_of_mine.py)" in reason
    assert reason.endswith("in the ini key infer_against_links")
    other = tmp_path / "other"
    suite.git("clone", "--quiet", str(suite.path), str(other))
    (other / "build" / "lib").mkdir(parents=True)
    (other / "build" / "lib" / "code_of_mine.py").write_text(WRONG)
    assert suite.run("--infer-against=../other").returncode == 0
    (reason,) = suite.results()["test_it"].reasons
    assert f"RuntimeError: {other}/build/lib/code_of_mine.py" in reason
