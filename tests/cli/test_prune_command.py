"""`baselines prune`: pytest itself is asked which tests there are; where it can't say, nothing is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_infer.baselines.codec import decode
from tests.cli.conftest import tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUNS = {"20240101T000000-aa": [1.0, 1.1]}
SUITE = """
import pytest

@pytest.mark.parametrize("precision", ["fp32", "int8 a"])
def test_a(precision): pass

def test_b(): pass
"""


@pytest.fixture
def suite(project: Path, store: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two modules with baselines on two devices; some of their tests are no more, and so is a third module."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly -p no:hypothesispytest -p no:cacheprovider")
    (project / "tests").mkdir()
    (project / "tests" / "test_net.py").write_text(SUITE)
    (project / "tests" / "test_other.py").write_text("def test_here(): pass\n")
    for slug in ("cpu-x", "gpu-y"):
        tests = ("test_a[fp32]", "test_a[int8 a]", "test_a[int8]", "test_b", "test_b f#2", "test_gone")
        store(project / "baselines", dict.fromkeys(tests, RUNS), slug=slug)
        store(project / "baselines", {"test_gone": RUNS, "test_here": RUNS}, slug=slug, module="tests/test_other.py")
    store(project / "baselines", {"test_c": RUNS}, slug="cpu-x", module="tests/test_third.py")
    return project


def entries(project: Path) -> dict[str, list[str]]:
    """The tests that have entries, by file."""
    return {
        str(path.relative_to(project / "baselines").as_posix()): sorted(
            key.rpartition(" ")[0] for key in decode(path.read_bytes(), path).entries
        )
        for path in (project / "baselines").rglob("*.json")
    }


LEFT = {
    f"{slug}/tests/{module}.json": tests
    for slug in ("cpu-x", "gpu-y")
    for module, tests in (
        ("test_net", ["test_a[fp32]", "test_a[int8 a]", "test_b", "test_b f#2"]),
        ("test_other", ["test_here"]),
    )
}


def test_what_is_no_more_goes(suite: Path, call: Callable[..., Any]) -> None:
    """On all devices, parameters and names told apart; a file without entries goes; again, there is nothing to do."""
    said = call("baselines", "prune")
    assert said.status == 0
    assert "cpu-x\ttests/test_third.py::test_c 0123456789ab\n" in said.out
    assert "7 entries dropped from" in said.out
    assert entries(suite) == LEFT
    assert call("baselines", "prune", "--json").json == {
        "folder": str(suite / "baselines"), "dry_run": False, "dropped": [], "not_looked_at": [],
    }  # fmt: skip


def test_a_dry_run_tells_only(suite: Path, call: Callable[..., Any]) -> None:
    """The same, and no byte changes."""
    before = tree(suite / "baselines")
    said = call("baselines", "prune", "--dry-run", "--json")
    assert said.status == 0
    assert len(said.json["dropped"]) == 7
    assert tree(suite / "baselines") == before


@pytest.mark.usefixtures("suite")
def test_what_was_not_looked_through_stays(call: Callable[..., Any]) -> None:
    """A module named, a module left out, single tests named: nobody knows of the rest."""
    said = call("baselines", "prune", "tests/test_other.py")
    assert "2 entries dropped" in said.out
    assert "3 files are of modules that were skipped or not looked at: cpu-x/tests/test_net.json, " in said.out
    said = call("baselines", "prune", "--dry-run", "--ignore=tests/test_net.py", "--json")
    assert [row["module"] for row in said.json["dropped"]] == ["tests/test_third.py"]
    said = call("baselines", "prune", "--dry-run", "tests/test_net.py::test_b", "--json")
    assert said.json["dropped"] == []


def test_deselected_tests_are_there(suite: Path, call: Callable[..., Any]) -> None:
    """`-k` and `-m` choose what runs, not what is."""
    for options in (("-k", "test_b"), ("-k", "nothing"), ("--deselect", "tests/test_net.py::test_b")):
        assert len(call("baselines", "prune", "--dry-run", "--json", *options).json["dropped"]) == 7
    assert call("baselines", "prune", "-k", "test_b").status == 0
    assert entries(suite) == LEFT


def test_a_module_that_is_skipped_as_a_whole_keeps_its_entries(suite: Path, call: Callable[..., Any]) -> None:
    """Its package may be there on another machine."""
    (suite / "tests" / "test_net.py").write_text("import pytest\npytest.importorskip('absent')\n" + SUITE)
    said = call("baselines", "prune", "--json")
    assert said.json["not_looked_at"] == ["cpu-x/tests/test_net.json", "gpu-y/tests/test_net.json"]
    assert len(entries(suite)["cpu-x/tests/test_net.json"]) == 6


def test_a_module_without_tests_has_no_entries(suite: Path, call: Callable[..., Any]) -> None:
    """It was looked into, and there is none."""
    (suite / "tests" / "test_net.py").write_text("")
    assert call("baselines", "prune").status == 0
    assert set(entries(suite)) == {name for name in LEFT if "other" in name}


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("import absent_module\n", ()),
        ("def test_a(:\n", ()),
        (SUITE, ("--nonsense",)),
        (SUITE, ("absent_folder",)),
        (SUITE, ("--co", "-p", "absent_plugin")),
    ],
)
def test_a_broken_collection_changes_nothing(
    suite: Path, call: Callable[..., Any], module: str, options: tuple[str, ...]
) -> None:
    """Status 1, and pytest's own words."""
    (suite / "tests" / "test_net.py").write_text(module)
    before = tree(suite / "baselines")
    said = call("baselines", "prune", *options)
    assert said.status == 1
    assert "nothing is changed. pytest ended with status" in said.err
    assert tree(suite / "baselines") == before


def test_no_test_at_all_changes_nothing(suite: Path, call: Callable[..., Any]) -> None:
    """An empty suite is a slip, more likely than a wish."""
    for path in (suite / "tests").glob("*.py"):
        path.unlink()
    before = tree(suite / "baselines")
    said = call("baselines", "prune")
    assert said.status == 1
    assert "no test was found" in said.err
    assert tree(suite / "baselines") == before


def test_a_list_of_tests_serves_as_well(suite: Path, call: Callable[..., Any]) -> None:
    """What `pytest --collect-only -q` printed elsewhere; a list without a test changes nothing."""
    listed = suite / "tests.txt"
    listed.write_text("tests/test_net.py::test_b\n\n1 test collected in 0.01s\n")
    assert call("baselines", "prune", "--keep-file", listed).status == 0
    assert entries(suite) == {f"{slug}/tests/test_net.json": ["test_b", "test_b f#2"] for slug in ("cpu-x", "gpu-y")}
    before = tree(suite / "baselines")
    for text in (b"", b"no tests\n", b"\xff"):
        listed.write_bytes(text)
        assert call("baselines", "prune", "--keep-file", listed).status == 2
    assert call("baselines", "prune", "--keep-file", listed, "tests").status == 2
    assert tree(suite / "baselines") == before


@given(text=st.one_of(st.binary(max_size=30), st.just(b'{"schema": 99}'), st.just(b'{"schema": 1, "device": {}}')))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=20)
def test_a_broken_baseline_changes_nothing(suite: Path, call: Callable[..., Any], text: bytes) -> None:
    """Not even the files that could be read; it is told before pytest is asked."""
    (suite / "tests.txt").write_text("tests/test_net.py::test_b\n")
    (suite / "baselines" / "gpu-y" / "tests" / "test_other.json").write_bytes(text)
    before = tree(suite / "baselines")
    said = call("baselines", "prune", "--keep-file", suite / "tests.txt")
    assert said.status == 1
    assert "test_other.json" in said.err
    assert tree(suite / "baselines") == before


def test_no_baselines(project: Path, call: Callable[..., Any]) -> None:
    """Status 1, and no pytest is started."""
    assert call("baselines", "prune").status == 1
    assert list(project.iterdir()) == [project / "pytest.ini"]
