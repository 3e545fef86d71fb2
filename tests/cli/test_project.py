"""Baselines are looked for where pytest would: its own search is the judge."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.cli.project import Project, find_project
from pytest_infer.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LAYOUTS: list[dict[str, str]] = [
    {},
    {"pytest.ini": ""},
    {"pytest.ini": "[pytest]\ninfer_baselines = perf\n"},
    {".pytest.ini": "[pytest]\ninfer_baselines = perf\n", "a/tox.ini": "[tox]\nenvlist = py\n"},
    {"pytest.ini": "[pytest]\ninfer_baselines = perf\n", "a/pytest.ini": "[pytest]\n"},
    {"pyproject.toml": "[tool.pytest.ini_options]\ninfer_baselines = 'perf/here'\n"},
    {"pyproject.toml": "[tool.pytest.ini_options]\n", "setup.py": "", "a/setup.py": ""},
    {"pyproject.toml": "[project]\nname = 'x'\n"},
    {"pyproject.toml": "[project]\nname = 'x'\n", "a/setup.py": "", "a/b/tests/empty": ""},
    {"a/pyproject.toml": "[project]\nname = 'x'\n", "tox.ini": "[pytest]\ninfer_baselines = perf\n"},
    {"setup.cfg": "[tool:pytest]\ninfer_baselines = perf\n", "a/setup.cfg": "[metadata]\nname = x\n"},
    {"tox.ini": "[pytest]\naddopts = -q --infer-baselines=one --infer-baselines two\ninfer_baselines = perf\n"},
    {"pyproject.toml": "[tool.pytest.ini_options]\naddopts = ['-q', '--infer-baselines=a b']\n"},
    {"a/setup.py": ""},
    {"pytest.ini": "[pytest]\nmarkers =\n    a: 100%% of it\n    b\naddopts =\n    -q\n    --infer-baselines=x\n"},
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_the_folder_is_pytest_s(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, layout: dict[str, str]
) -> None:
    """Rootdir and the place of the baselines are those that pytest, started in the same folder, comes to."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    folder = pytester.path / "a" / "b"
    folder.mkdir(parents=True)
    for name, text in layout.items():
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(folder)
    found = find_project(folder)
    config = pytester.parseconfig()
    assert found.root == config.rootpath
    place = config.getoption("--infer-baselines") or config.getini("infer_baselines") or "baselines"
    assert found.baselines({}) == config.rootpath / str(place)


def test_the_environment_has_the_last_word(tmp_path: Path) -> None:
    """PYTEST_ADDOPTS comes behind addopts, and an absolute path stays one."""
    found = Project(root=tmp_path, options={"addopts": "--infer-baselines=one"})
    assert found.baselines({"PYTEST_ADDOPTS": "-x --infer-baselines two"}) == tmp_path / "two"
    assert found.baselines({"PYTEST_ADDOPTS": f"--infer-baselines={os.sep}three"}).is_absolute()


def test_baselines_that_are_no_folder_are_named(tmp_path: Path) -> None:
    """With the way out."""
    with pytest.raises(UsageError, match="s3://bucket is no folder: copy what is there"):
        Project(root=tmp_path, options={"infer_baselines": "s3://bucket"}).baselines({})


@pytest.mark.parametrize(
    ("name", "text"), [("pytest.ini", "no section\n"), ("pyproject.toml", "[tool"), ("pyproject.toml", b"\xff")]
)
def test_a_configuration_that_can_t_be_read_is_named(tmp_path: Path, name: str, text: Any) -> None:
    """Rather than a guess at where the baselines may be."""
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError, match=f"{name} can't be read"):
        find_project(tmp_path)


def test_commands_look_there(
    project: Path, call: Callable[..., Any], store: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a folder within; --baselines says otherwise, relative to where one stands."""
    (project / "pytest.ini").write_text("[pytest]\ninfer_baselines = perf\n")
    (project / "tests").mkdir()
    store(project / "perf", {"test_a": {"s1": [1.0]}})
    store(project / "tests" / "mine", {"test_b": {"s1": [1.0]}})
    monkeypatch.chdir(project / "tests")
    assert "test_a" in call("baselines", "list").out
    assert "test_b" in call("baselines", "list", "--baselines", "mine").out
    (project / "pytest.ini").write_text("[pytest]\ninfer_baselines = s3://x\n")
    assert call("baselines", "list").status == 2
