"""What `--infer-against` names, and what can't be compared with."""

from __future__ import annotations

import json
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.against import boot
from pytest_infer.against.choose import sides, this_side
from pytest_infer.errors import UsageError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pytest_infer.against.side import Sides
    from tests.against.conftest import Checkout


def opened(
    value: str, checkout: Checkout, *links: str, sys_path: tuple[str, ...] = ()
) -> AbstractContextManager[Sides]:
    """The sides, for a session that was started at the checkout's top."""
    return sides(value, cwd=checkout.path, root=checkout.path, sys_path=sys_path, links=links)


def interpreter(path: Path, says: str) -> str:
    """An executable file that says something."""
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\n")
    path.chmod(0o755)
    return str(path)


def test_a_revision(checkout: Checkout) -> None:
    """Named with its commit, at its work tree, by this interpreter."""
    with opened("main", checkout) as (found):
        assert found.there.label == f"main ({checkout.git('rev-parse', '--short', 'HEAD')})"
        assert (Path(found.there.moved) / "code.py").exists()
        assert found.there.base == found.here.base == str(checkout.path)
        assert found.there.python == sys.executable
        assert not found.there.own_packages
        assert found.here.moved == ""
    assert not Path(found.there.moved).exists()


def test_a_commit_is_named_once(checkout: Checkout) -> None:
    """Not `abc (abc)`."""
    commit = checkout.git("rev-parse", "HEAD")
    with opened(commit[:10], checkout) as found:
        assert found.there.label == commit[:10]


def test_an_interpreter(checkout: Checkout) -> None:
    """The same checkout, under its own packages; a link is left as it is, or it would be no environment any more."""
    with opened(sys.executable, checkout) as found:
        assert found.there.python == sys.executable
        assert found.there.own_packages
        assert found.there.moved == ""


def test_another_checkout(checkout: Checkout, tmp_path: Path) -> None:
    """A folder, also by its name from here."""
    other = tmp_path / "other"
    checkout.git("clone", "--quiet", str(checkout.path), str(other))
    for value in (str(other), "../other"):
        with opened(value, checkout) as found:
            assert found.there.label == value
            assert found.there.moved == str(other)
            assert found.there.base == str(checkout.path)
    assert (other / "code.py").exists(), "it is the user's"


def test_a_folder_without_git(checkout: Checkout, tmp_path: Path) -> None:
    """It stands for rootdir, wherever that lies in the repository."""
    (tmp_path / "plain").mkdir()
    root = checkout.path / "sub"
    root.mkdir()
    with sides(str(tmp_path / "plain"), cwd=tmp_path, root=root, sys_path=()) as found:
        assert found.there.base == str(root)
        assert found.there.moved == str(tmp_path / "plain")


def test_no_git_is_needed_for_the_others(tmp_path: Path) -> None:
    """Interpreters and folders compare without a repository."""
    for value in (sys.executable, str(tmp_path)):
        with sides(value, cwd=tmp_path, root=tmp_path, sys_path=()) as found:
            assert found.here.base == str(tmp_path)


def test_an_environment_is_no_checkout(checkout: Checkout, tmp_path: Path) -> None:
    """What people give by mistake is told with what they meant."""
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "pyvenv.cfg").touch()
    with (
        pytest.raises(UsageError, match=r"is an environment; .* --infer-against=\.\./env/bin/python"),
        opened("../env", checkout),
    ):
        pass


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("hello", "no Python 3.11 or newer that can be used"),
        (json.dumps({"python": "3.12.1", "version": None, "protocol": None}), "has no pytest-infer; install it there"),
        (
            json.dumps({"python": "3.12.1", "version": "0.0.9", "protocol": None, "trouble": "No module named 'x'"}),
            r"pytest-infer 0.0.9 there speaks no A/B protocol \(No module named 'x'\), pytest-infer",
        ),
        (
            json.dumps({"python": "3.12.1", "version": "9.0", "protocol": 99}),
            "pytest-infer 9.0 there speaks A/B protocol 99, pytest-infer",
        ),
    ],
)
def test_interpreters_that_can_not_be_a_side(checkout: Checkout, tmp_path: Path, says: str, told: str) -> None:
    """No Python, no plugin, a plugin of another protocol: both versions are named."""
    value = interpreter(tmp_path / "python", says)
    with pytest.raises(UsageError, match=told) as error, opened(value, checkout):
        pass
    assert "\n" not in str(error.value)


def test_a_revision_with_a_plugin_of_its_own(checkout: Checkout) -> None:
    """A repository that holds pytest-infer itself: the revision's plugin is asked, too."""
    checkout.write("pytest_infer/__init__.py", "")
    inner = checkout.write("pytest_infer/against/boot.py", Path(boot.__file__).read_text())
    checkout.commit()
    paths = (str(checkout.path), *sys.path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boot, "__file__", str(inner))
        with pytest.raises(UsageError, match="there speaks no A/B protocol"), opened("HEAD", checkout, sys_path=paths):
            pass
    assert len(checkout.git("worktree", "list").splitlines()) == 1


def test_an_interpreter_that_fails_says_why(checkout: Checkout, tmp_path: Path) -> None:
    """The last that it said."""
    value = interpreter(tmp_path / "python", "")
    Path(value).write_text("#!/bin/sh\necho 'ImportError: libpython3.so' >&2\nexit 1\n")
    with pytest.raises(UsageError, match=r"can be used: ImportError: libpython3\.so$"), opened(value, checkout):
        pass


@pytest.mark.parametrize("alias", [False, True], ids=["by its name", "by a link"])
def test_environments_do_not_move(checkout: Checkout, tmp_path: Path, *, alias: bool) -> None:
    """This interpreter's own folders, and an environment that lends it packages, where they lie in the checkout."""
    (tmp_path / "link").symlink_to(checkout.path)
    called = tmp_path / "link" if alias else checkout.path
    checkout.write(".lent/pyvenv.cfg", "")
    entries = (str(called / ".lent" / "lib" / "site-packages"), str(called / "src"), "/usr/lib")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "prefix", str(called / ".venv"))
        kept = this_side(checkout.path, entries).kept
    assert set(kept) == {str(called / ".venv"), str(called / ".lent")}


def test_what_git_ignores_is_shared_only_where_that_is_asked(checkout: Checkout, tmp_path: Path) -> None:
    """A build on the path: a revision has none, so its modules stand for no side; another checkout has its own."""
    checkout.write(".gitignore", "build/\n.venv/\n")
    build = str(checkout.write("build/lib/code.py", "").parent)
    checkout.write(".venv/pyvenv.cfg", "")
    checkout.commit()
    entries = (build, str(checkout.path), str(checkout.path / ".venv" / "lib"))
    with opened("HEAD", checkout, sys_path=entries) as found:
        assert found.there.path(build) == build
        assert build in found.there.copies
    with opened("HEAD", checkout, "build", sys_path=entries) as found:
        assert found.there.path(build) == build
        assert build not in found.there.copies
    with opened("HEAD", checkout, "build/lib/code.py", sys_path=entries) as found:
        assert (Path(found.there.path(build)) / "code.py").is_symlink()
        assert build not in found.there.copies
    (tmp_path / "other" / ".git").mkdir(parents=True)
    with opened("../other", checkout, sys_path=entries) as found:
        assert found.there.path(build) == str(tmp_path / "other" / "build" / "lib")
        assert found.there.path(entries[2]) == entries[2]
    with opened(sys.executable, checkout, sys_path=entries) as found:
        assert found.there.paths(entries).first == (str(checkout.path),)


def test_a_folder_that_is_called_like_a_revision(checkout: Checkout, tmp_path: Path) -> None:
    """Refused with what to write for either; where it can only be one of them it is that."""
    (checkout.path / "main").mkdir()
    (checkout.path / "docs").mkdir()
    told = "--infer-against=main is a folder and a revision: write ./main for the folder, or refs/heads/main for the"
    with pytest.raises(UsageError, match=told), opened("main", checkout):
        pass
    with opened("./main", checkout) as found:
        assert found.there.moved == str(checkout.path / "main")
    with opened("refs/heads/main", checkout) as found:
        assert (Path(found.there.moved) / "code.py").exists()
    with opened("docs", checkout) as found:
        assert found.there.moved == str(checkout.path / "docs")
    checkout.git("branch", "topic")
    checkout.git("worktree", "add", "--quiet", "topic")
    with opened("topic", checkout) as found:
        assert found.there.moved == str(checkout.path / "topic")
    with sides("main", cwd=checkout.path, root=tmp_path, sys_path=()) as found:  # no repository
        assert found.there.moved == str(checkout.path / "main")
    (checkout.path / "main").rmdir()
    interpreter(checkout.path / "main", "no interpreter at all")
    told = "--infer-against=main is a file and a revision: write ./main for the file"
    with pytest.raises(UsageError, match=told), opened("main", checkout):
        pass


def test_links(checkout: Checkout) -> None:
    """Paths of the ini key lead to the user's files, and their modules are no strays; one that is not there is told."""
    checkout.write(".gitignore", "models/\n")
    (checkout.path / "models").mkdir()
    checkout.commit()
    with opened("HEAD", checkout, "models", "nowhere") as found:
        assert (Path(found.there.moved) / "models").is_symlink()
        assert str(checkout.path / "models") in found.there.kept
        assert found.there.notes == ("nowhere: not here, and so not linked",)
    with pytest.raises(UsageError, match=r"infer_against_links: .* is not inside"), opened("HEAD", checkout, "../x"):
        pass


def test_what_variables_name_and_git_ignores_stays(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library to load, a download: the revision has none, and without it would run otherwise. It is told."""
    checkout.write(".gitignore", "build/\n")
    checkout.write("build/lib.so", "")
    checkout.write("data/number", "")
    checkout.commit()
    monkeypatch.setenv("LD_PRELOAD", f"/usr/lib/other.so:{checkout.path}/build/lib.so")
    monkeypatch.setenv("DATA_DIR", str(checkout.path / "data"))
    monkeypatch.setenv("OUT_DIR", str(checkout.path / "build" / "not-yet"))
    with opened("HEAD", checkout) as found:
        there = found.there.environment(os.environ, ())
        assert there["LD_PRELOAD"] == os.environ["LD_PRELOAD"]
        assert there["DATA_DIR"] == str(Path(found.there.moved) / "data")
        assert there["OUT_DIR"] == str(Path(found.there.moved) / "build" / "not-yet")
        assert found.there.notes == (f"{checkout.path}/build/lib.so: this checkout's on both sides, git ignores it",)
        assert f"{checkout.path}/build/lib.so" in found.there.copies, "its modules are no revision's"


def test_submodules_are_linked_and_told(checkout: Checkout, tmp_path: Path) -> None:
    """As the user has them; where the revision has another commit, or they were edited, their modules are strays."""
    library = type(checkout)(tmp_path / "library")
    library.write("lib.py", "")
    library.commit()
    checkout.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library.path), "lib")
    first = checkout.commit()
    inner = checkout.path / "lib"
    for arguments in (
        ("config", "user.name", "t"),
        ("config", "user.email", "t"),
        ("commit", "--allow-empty", "-qm", "x"),
    ):
        checkout.git("-C", str(inner), *arguments)
    checkout.commit()
    with opened("HEAD", checkout) as found:
        assert found.there.notes == ()
        assert str(inner) not in found.there.copies
        assert (Path(found.there.moved) / "lib" / "lib.py").exists()
    for edited, revision in ((False, first), (True, "HEAD")):
        (inner / "lib.py").write_text("EDITED = 1\n" if edited else "")
        with opened(revision, checkout) as found:
            (note,) = found.there.notes
            assert note.startswith("submodule lib: this checkout's on both sides, ")
            assert str(inner) in found.there.copies
    assert checkout.git("submodule", "status").split()[1] == "lib"
    checkout.git("rm", "--quiet", "--cached", "lib", ".gitmodules")
    (inner / ".git").unlink()
    checkout.commit("an ordinary folder from now on")
    with opened(first, checkout) as found:
        assert len(found.there.notes) == 1
        assert str(inner) in found.there.copies


def test_installed_copies_are_known(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that was installed from the checkout and not as editable."""

    class Installed:
        def __init__(self, name: str, origin: dict[str, Any] | None, *more: str) -> None:
            files = (f"{name}/__init__.py", f"{name}/a/__init__.py", f"{name}-1.dist-info/METADATA", *more)
            self.files = list(map(Path, files))
            self._origin = origin

        def read_text(self, _: str) -> str | None:
            return None if self._origin is None else json.dumps(self._origin)

        def locate_file(self, path: str) -> Path:
            return Path("/site") / path

    url = checkout.path.as_uri()
    packages = [
        Installed("copied", {"url": url, "dir_info": {}}, "module.py", "shared/own/__init__.py", "../../bin/tool"),
        Installed("wheel", {"url": f"{url}/dist/wheel-1.whl", "archive_info": {}}),
        Installed("editable", {"url": url, "dir_info": {"editable": True}}),
        Installed("elsewhere", {"url": "file:///else"}),
        Installed("usual", None),
    ]
    monkeypatch.setattr(metadata, "distributions", lambda: packages)
    with opened("HEAD", checkout) as found:
        assert set(found.there.copies) == {"/site/copied", "/site/module.py", "/site/shared/own", "/site/wheel"}
