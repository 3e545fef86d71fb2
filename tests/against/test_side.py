"""Where each side imports from, and what its command line and environment become."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import msgspec
import pytest

from pytest_infer.against.boot import arguments, moved, set_paths
from pytest_infer.against.side import Side, Sides
from pytest_infer.against.station import strays

HERE = Side(label="this checkout", python="/usr/bin/python", base="/home/me/repo", kept=("/home/me/repo/.venv",))
THERE = Side(
    label="main (abc)",
    python="/usr/bin/python",
    base="/home/me/repo",
    moved="/trees/repo",
    kept=("/home/me/repo/.venv", "/home/me/repo/models"),
    copies=("/usr/lib/python3/site-packages/mine",),
)


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/home/me/repo", "/trees/repo"),
        ("/home/me/repo/src", "/trees/repo/src"),
        ("/home/me/repository", "/home/me/repository"),
        ("/home/me/repo/.venv/lib/python3/site-packages", "/home/me/repo/.venv/lib/python3/site-packages"),
        ("/home/me/repo/models/a.onnx", "/home/me/repo/models/a.onnx"),
        ("/usr/lib/python3", "/usr/lib/python3"),
        ("relative", "relative"),
        ("", ""),
        ("/home/me/repo/../lib", "/home/me/repo/../lib"),
        ("/home/me/lib/../repo/src/", "/trees/repo/src"),
    ],
)
def test_paths_inside_the_checkout_move(path: str, there: str) -> None:
    """To the same place on the other side; environments, links and all outside stay; here nothing moves."""
    assert THERE.path(path) == there
    assert HERE.path(path) == path


@pytest.mark.parametrize(
    ("argument", "there"),
    [
        ("/home/me/repo/tests/test_a.py::test_b[x]", "/trees/repo/tests/test_a.py::test_b[x]"),
        ("--rootdir=/home/me/repo", "--rootdir=/trees/repo"),
        ("-c/home/me/repo/pytest.ini", "-c/trees/repo/pytest.ini"),
        ("--path=/mnt/home/me/repo/a", "--path=/mnt/home/me/repo/a"),
        ("--paths=/home/me/repo/a:/home/me/repo/models/b", "--paths=/trees/repo/a:/home/me/repo/models/b"),
        ("tests/test_a.py", "tests/test_a.py"),
        ("-k", "-k"),
    ],
)
def test_arguments_inside_the_checkout_move(argument: str, there: str) -> None:
    """Alone, behind an equals sign, behind a short option; a longer path that ends alike is another one."""
    inside = Path("/home/me/repo/tests")
    assert THERE.arguments((argument,), inside) == (there,)
    assert HERE.arguments((argument,), inside) == (argument,)


@pytest.fixture
def linked(tmp_path: Path) -> Side:
    """Another side of a checkout at `data/repo`, which people also call `home/repo`."""
    (tmp_path / "data" / "repo" / "src").mkdir(parents=True)
    (tmp_path / "home").symlink_to(tmp_path / "data")
    return Side(label="x", python="p", base=str(tmp_path / "data" / "repo"), moved=str(tmp_path / "tree"))


def test_links_to_the_checkout_move(linked: Side, tmp_path: Path) -> None:
    """Whichever of its names an entry has, and whichever the session knows; environments stay by either."""
    name, tree = str(tmp_path / "home" / "repo"), str(tmp_path / "tree")
    other_way = replace(linked, base=name, kept=(f"{linked.base}/.venv",))
    for side, path in ((linked, name), (other_way, linked.base), (other_way, name)):
        assert side.path(f"{path}/src") == f"{tree}/src"
        assert side.path(path) == tree
    assert other_way.path(f"{name}/.venv/lib") == f"{name}/.venv/lib"
    assert replace(linked, own_packages=True).paths((f"{name}/src", "")).first == (f"{name}/src",)
    assert other_way.arguments((f"--x={linked.base}/a", f"{name}/b"), Path(name)) == (f"--x={tree}/a", f"{tree}/b")


def test_modules_behind_a_link_are_told(linked: Side, tmp_path: Path) -> None:
    """A link in a folder of packages leads into the checkout: what is physically there comes from the wrong side."""
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "mine").symlink_to(Path(linked.base) / "src")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "lib").symlink_to(linked.base)
    files = {name: str(tmp_path / name / "code.py") for name in ("packages/mine", "home/repo", "tree/src", "tree/lib")}
    modules = [(name, SimpleNamespace(__file__=file)) for name, file in files.items()]
    told = strays(msgspec.to_builtins(linked.paths(())), modules)
    assert [text.split()[0] for text in told] == ["packages/mine", "home/repo", "tree/lib"]


def test_arguments_given_outside_the_checkout_move(linked: Side, tmp_path: Path) -> None:
    """`cd ..; pytest repo/src`: such paths follow no working directory. Inside the checkout they do."""
    tree, data = str(tmp_path / "tree"), tmp_path / "data"
    given = ("repo/src", "repo/src::test[a/b]", "--rootdir=repo", "-c", "./repo/src", "repo/no", "-k", "repo", "..")
    assert linked.arguments(given, data) == (
        *(f"{tree}/src", f"{tree}/src::test[a/b]", f"--rootdir={tree}", "-c", f"{tree}/src"),
        *("repo/no", "-k", "repo", ".."),
    )
    assert linked.arguments(("src",), data / "repo") == ("src",)
    behind = ("--infer-against=HEAD", "repo", "-q", "repo", "--ignore", "repo")
    assert linked.arguments(behind, data) == (*behind[:1], tree, "-q", tree, "--ignore", tree)


def test_the_same_interpreter_gets_the_whole_path() -> None:
    """Every entry, moved where it lies in the checkout: an editable install's entry is the other side's."""
    entries = ("/home/me/repo/tests", "/usr/lib/python3", "/home/me/repo/src", "/home/me/repo/.venv/lib")
    paths = THERE.paths(entries)
    assert paths.search == ("/trees/repo/tests", "/usr/lib/python3", "/trees/repo/src", "/home/me/repo/.venv/lib")


def test_another_interpreter_keeps_its_own_path() -> None:
    """It gets the checkout's entries first, and none of this interpreter's packages."""
    side = Side(label="p", python="/opt/p/bin/python", own_packages=True, base=HERE.base, kept=HERE.kept)
    paths = side.paths(("/home/me/repo/src", "/usr/lib/python3", "/home/me/repo/.venv/lib/site-packages"))
    assert paths.search is None
    assert paths.first == ("/home/me/repo/src",)


def test_grandchildren_import_from_the_same_side() -> None:
    """PYTHONPATH begins with the moved entries; what the user had there follows, moved as well."""
    environ = {"PYTHONPATH": os.pathsep.join(["/home/me/repo/lib", "/else"]), "HOME": "/home/me"}
    there = THERE.environment(environ, ("/home/me/repo/src", "/usr/lib/python3"))
    assert there["PYTHONPATH"].split(os.pathsep) == ["/trees/repo/src", "/trees/repo/lib", "/else"]
    assert there["HOME"] == "/home/me"
    assert HERE.environment(environ, ()) == environ


def test_variables_that_lead_into_the_checkout_move() -> None:
    """Alone or in a list; not those of environments and links, nor of temporary and cached files."""
    moved_ = {
        "PWD": ("/home/me/repo", "/trees/repo"),
        "DATA": ("/home/me/repo/data/a b", "/trees/repo/data/a b"),
        "PATH": ("/bin:/home/me/repo/bin:", "/bin:/trees/repo/bin:"),
        "PYTEST_ADDOPTS": ("--rootdir=/home/me/repo -k 'a or b'", "--rootdir=/trees/repo -k 'a or b'"),
        "VIRTUAL_ENV": ("/home/me/repo/.venv",) * 2,
        "MODELS": ("/home/me/repo/models",) * 2,
        "TMPDIR": ("/home/me/repo/tmp",) * 2,
        "XDG_CACHE_HOME": ("/home/me/repo/.cache",) * 2,
        "TEXT": ("see /home/me/repo",) * 2,
        "URL": ("https://example.com/home/me/repo",) * 2,
    }
    there = THERE.environment({name: here for name, (here, _) in moved_.items()}, ())
    assert {name: there[name] for name in moved_} == {name: value for name, (_, value) in moved_.items()}


def test_a_folder_that_is_not_there_is_the_nearest_above(tmp_path: Path) -> None:
    """A session that was started in a folder which the revision has not."""
    (tmp_path / "tree" / "a").mkdir(parents=True)
    side = Side(label="x", python="p", base=str(tmp_path / "repo"), moved=str(tmp_path / "tree"))
    assert side.folder(tmp_path / "repo" / "a" / "b" / "c") == tmp_path / "tree" / "a"


def test_sides_travel_as_plain_values() -> None:
    """To xdist's workers and back."""
    sides = Sides(here=HERE, there=THERE)
    assert msgspec.convert(msgspec.to_builtins(sides), Sides) == sides


def test_paths_are_set_before_anything_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """`sys.path`, and the tables of setuptools' editable finders."""
    monkeypatch.setattr(sys, "path", ["/old"])
    finder = ModuleType("__editable___mine_finder")
    table = {"mine": "/home/me/repo/src/mine", "other": "/else/other"}
    finder.MAPPING = table  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, finder.__name__, finder)
    set_paths(msgspec.to_builtins(THERE.paths(("/home/me/repo/src", "/usr/lib/python3"))))
    assert sys.path == ["/trees/repo/src", "/usr/lib/python3"]
    assert table == {"mine": "/trees/repo/src/mine", "other": "/else/other"}


def test_another_interpreters_path_is_only_put_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has already stays where it is."""
    monkeypatch.setattr(sys, "path", ["/its/own", "/home/me/repo/lib"])
    side = Side(label="p", python="p", own_packages=True, base=HERE.base)
    set_paths(msgspec.to_builtins(side.paths(("/home/me/repo/src", "/home/me/repo/lib"))))
    assert sys.path == ["/home/me/repo/src", "/its/own", "/home/me/repo/lib"]


def test_modules_of_the_wrong_side_are_told() -> None:
    """From the user's own checkout, or from an installed copy of it; the side's own, and libraries, are fine."""
    files = {
        "right": "/trees/repo/src/right.py",
        "library": "/usr/lib/python3/library.py",
        "environment": "/home/me/repo/.venv/lib/environment.py",
        "linked": "/home/me/repo/models/linked.py",
        "leaked": "/home/me/repo/src/leaked.py",
        "copied": "/usr/lib/python3/site-packages/mine/copied.py",
        "builtin": None,
        "__main__": "/home/me/repo/pytest_infer/against/boot.py",
    }
    modules = [(name, SimpleNamespace(__file__=file)) for name, file in files.items()]
    told = strays(msgspec.to_builtins(THERE.paths(())), modules)
    assert [text.split()[0] for text in told] == ["leaked", "copied"]
    assert strays(msgspec.to_builtins(HERE.paths(())), modules) == ()


def test_installed_packages_that_the_side_has_itself_are_told(tmp_path: Path) -> None:
    """Whoever installed them, and from where: the side's own package is not what ran. Linked ones are its own."""
    for package in ("mine", "src/deep", "linked", "json"):
        (tmp_path / "tree" / package).mkdir(parents=True)
        (tmp_path / "tree" / package / "__init__.py").touch()
    (tmp_path / "tree" / "mine" / "code.py").touch()
    paths = {"base": "/home/me/repo", "moved": str(tmp_path / "tree"), "kept": [], "copies": []}
    files = {
        "mine.code": "/site/mine/code.py",
        "mine.of_another_distribution": "/site/mine/of_another_distribution.py",
        "deep": "/site/deep/__init__.py",
        "other": "/site/other.py",
        "json": "/usr/lib/python3/json/__init__.py",
        "linked": str(tmp_path / "tree" / "linked" / "__init__.py"),
    }
    (tmp_path / "tree" / "linked" / "__init__.py").unlink()
    (tmp_path / "tree" / "linked" / "__init__.py").symlink_to(__file__)
    told = strays(paths, [(name, SimpleNamespace(__file__=file)) for name, file in files.items()])
    assert [text.split()[0] for text in told] == ["mine.code", "deep"]


def test_a_plugin_that_the_side_lacks_needs_no_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    """What pytest-infer itself adds for pytest-cov is unknown where that is not installed."""
    given = ["-q", "--no-cov", "test_it.py"]
    for found, there in ((object(), given), (None, ["-q", "test_it.py"])):
        monkeypatch.setattr(importlib.util, "find_spec", lambda _, found=found: found)
        assert arguments(given) == there


def test_many_strays_are_cut_short() -> None:
    """Five say enough."""
    modules = [(f"m{i}", SimpleNamespace(__file__=f"/home/me/repo/m{i}.py")) for i in range(9)]
    assert len(strays(msgspec.to_builtins(THERE.paths(())), modules)) == 6


def test_a_work_tree_inside_the_checkout_is_the_side(tmp_path: Path) -> None:
    """Temporary files may lie there."""
    paths = {"base": str(tmp_path), "moved": str(tmp_path / "tmp" / "tree"), "kept": [], "copies": []}
    inner = tmp_path / "tmp" / "tree" / "a.py"
    assert strays(paths, [("a", SimpleNamespace(__file__=str(inner)))]) == ()
    assert moved(str(tmp_path / "a.py"), paths) == str(inner)
