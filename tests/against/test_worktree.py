"""A revision's work tree: private, complete, and gone afterwards; the user's checkout is as it was."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import filelock
import pytest

from pytest_infer.against.git import Repository
from pytest_infer.against.worktree import fill_lfs, link, remove_leftovers, work_tree
from pytest_infer.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.against.conftest import Checkout

FORKED = """
import contextlib
import os
import sys
from pathlib import Path

from pytest_infer.against.git import Repository
from pytest_infer.against.worktree import work_tree

opened = contextlib.ExitStack()
tree = opened.enter_context(work_tree(Repository(Path(sys.argv[1])), "HEAD"))
if os.fork() == 0:
    opened.close()
    os._exit(0)
os.wait()
assert (tree / "code.py").exists()
opened.close()
"""


def pointer(content: bytes) -> str:
    """What git keeps in the place of an LFS file."""
    digest = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n"


def test_the_revision_is_there_and_goes(checkout: Checkout, elsewhere: Path) -> None:
    """The files of the commit, in a private folder called as the checkout is; afterwards nothing is left anywhere."""
    first = checkout.git("rev-parse", "HEAD")
    checkout.write("code.py", "ONE = 2\n")
    checkout.git("add", "--all")
    checkout.write("code.py", "ONE = 3\n")
    checkout.write("untracked", "mine")
    before = checkout.state()
    with work_tree(Repository(checkout.path), first) as tree:
        assert (tree / "code.py").read_text() == "ONE = 1\n"
        assert tree.name == checkout.path.name
        assert tree.parent.stat().st_mode & 0o077 == 0
        assert not (tree / "untracked").exists()
    assert list(elsewhere.iterdir()) == []
    assert checkout.state() == before
    assert (checkout.path / "code.py").read_text() == "ONE = 3\n"


def test_it_goes_when_the_body_fails(checkout: Checkout, elsewhere: Path) -> None:
    """Ctrl-C, too."""
    with pytest.raises(KeyboardInterrupt), work_tree(Repository(checkout.path), "HEAD"):
        raise KeyboardInterrupt
    assert list(elsewhere.iterdir()) == []
    assert len(checkout.git("worktree", "list").splitlines()) == 1


@pytest.mark.skipif("sys.platform == 'win32'", reason="no fork")
def test_a_forked_copy_leaves_it_alone(checkout: Checkout, elsewhere: Path) -> None:
    """A process that a test forks off comes to its own end, by all that this one would do: the tree is this one's."""
    subprocess.run([sys.executable, "-c", FORKED, str(checkout.path)], check=True, timeout=60)
    assert list(elsewhere.iterdir()) == []


def test_what_killed_runs_left_is_removed(checkout: Checkout, elsewhere: Path) -> None:
    """A folder whose owner is gone, and what git remembers of one that was deleted; not that of a run that lives."""
    repository = Repository(checkout.path)
    trees = {}
    for name in ("killed", "deleted", "living"):
        folder = elsewhere / f"pytest-infer-against-{name}"
        folder.mkdir()
        trees[name] = folder / "project"
        repository.add_work_tree(trees[name], "HEAD")
    shutil.rmtree(trees["deleted"].parent)
    with filelock.FileLock(trees["living"].parent / "owner.lock"):
        remove_leftovers(repository)
    assert set(repository.work_trees()) == {checkout.path, trees["living"]}
    assert not trees["killed"].parent.exists()


def test_other_work_trees_stay(checkout: Checkout, tmp_path: Path) -> None:
    """The user's own, even one whose disk is not there at the moment."""
    mine, away = tmp_path / "mine", tmp_path / "away"
    for path in (mine, away):
        checkout.git("worktree", "add", "--detach", str(path))
    shutil.rmtree(away)
    with work_tree(Repository(checkout.path), "HEAD"):
        pass
    assert {mine, away} < set(Repository(checkout.path).work_trees())


def test_hooks_and_a_hooks_environment_do_nothing(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """No hook of the user's runs; and where a git hook runs the tests, its index stays its own."""
    hook = checkout.path / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {checkout.path / 'ran'}\n")
    hook.chmod(0o755)
    index = checkout.path / ".git" / "other-index"
    monkeypatch.setenv("GIT_INDEX_FILE", str(index))
    monkeypatch.setenv("GIT_DIR", str(checkout.path / ".git"))
    with work_tree(Repository(checkout.path), "HEAD") as tree:
        assert (tree / "code.py").exists()
    assert not (checkout.path / "ran").exists()
    assert not index.exists()


def test_git_is_asked_as_the_user_would(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """How to reach a server stays (a partial clone fetches what it lacks); nothing waits for an answer from nobody."""
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -i key")
    monkeypatch.setenv("GIT_PREFIX", "sub/")
    environment = Repository(checkout.path).environment
    assert environment["GIT_SSH_COMMAND"] == "ssh -i key"
    assert environment["GIT_TERMINAL_PROMPT"] == "0"
    assert "GIT_PREFIX" not in environment


def test_lfs_files_are_as_the_user_has_them(checkout: Checkout) -> None:
    """From git LFS's own store, or from the user's file where that is the same; the others are told as missing."""
    contents = {"stored.bin": b"in the store", "mine.bin": b"as I have it", "away.bin": b"nowhere here"}
    checkout.write(".gitattributes", "*.bin filter=lfs\n")
    checkout.git("config", "filter.lfs.clean", "cat")
    checkout.git("config", "filter.lfs.smudge", "false")  # as where git-lfs is not installed
    checkout.git("config", "filter.lfs.required", "true")
    for name, content in contents.items():
        (checkout.path / name).write_text(pointer(content))
    checkout.commit()
    (checkout.path / "mine.bin").write_bytes(contents["mine.bin"])
    repository = Repository(checkout.path)
    digest = hashlib.sha256(contents["stored.bin"]).hexdigest()
    stored = repository.lfs_store / digest[:2] / digest[2:4] / digest
    stored.parent.mkdir(parents=True)
    stored.write_bytes(contents["stored.bin"])
    with work_tree(repository, "HEAD") as tree:
        assert fill_lfs(repository, tree) == ("away.bin",)
        assert (tree / "stored.bin").read_bytes() == contents["stored.bin"]
        assert (tree / "mine.bin").read_bytes() == contents["mine.bin"]
        assert (tree / "away.bin").read_text() == pointer(contents["away.bin"])


def test_links_lead_to_the_users_files(checkout: Checkout) -> None:
    """What git does not have: linked where the revision has nothing, or an empty folder; never over its files."""
    checkout.write("models/big.onnx", "downloaded")
    with work_tree(Repository(checkout.path), "HEAD") as tree:
        (tree / "submodule").mkdir()
        (checkout.path / "submodule").mkdir()
        asked = ("models/big.onnx", "submodule", "code.py", "nowhere")
        assert link(asked, Repository(checkout.path), tree) == ("models/big.onnx", "submodule")
        assert (tree / "models" / "big.onnx").read_text() == "downloaded"
        assert (tree / "submodule").is_symlink()
        assert not (tree / "code.py").is_symlink()
    assert (checkout.path / "models" / "big.onnx").read_text() == "downloaded", "the link went, not what it led to"


def test_a_folder_of_which_git_keeps_a_part_is_linked_file_by_file(checkout: Checkout) -> None:
    """Downloads beside a `.gitkeep`; what git keeps is the revision's own, and what it had not yet is not there."""
    for name in ("models/.gitkeep", "models/more/readme", "models/more/own.txt"):
        checkout.write(name, "old")
    checkout.git("add", "--all")
    old = checkout.commit()
    checkout.write("models/more/own.txt", "new")
    checkout.write("models/added.txt", "new")
    checkout.commit()
    for name in ("models/big.onnx", "models/more/big.bin", "models/whole/a", "models/__pycache__/a.pyc"):
        checkout.write(name, "downloaded")
    with work_tree(Repository(checkout.path), old) as tree:
        made = link(("models",), Repository(checkout.path), tree)
        assert set(made) == {"models/big.onnx", "models/more/big.bin", "models/whole"}
        assert (tree / "models" / "more" / "own.txt").read_text() == "old"
        assert (tree / "models" / "whole" / "a").read_text() == "downloaded"
        assert not (tree / "models" / "added.txt").exists()


def test_nothing_is_made_or_removed_behind_a_link(checkout: Checkout) -> None:
    """What lies in a linked folder is the user's own, an empty folder, too."""
    (checkout.path / "models" / "empty").mkdir(parents=True)
    with work_tree(Repository(checkout.path), "HEAD") as tree:
        assert link(("models", "models/empty"), Repository(checkout.path), tree) == ("models",)
    assert (checkout.path / "models" / "empty").is_dir()


def test_a_revision_is_found_by_any_name(checkout: Checkout) -> None:
    """A branch, a tag, a part of a commit, a way to it."""
    first = checkout.git("rev-parse", "HEAD")
    checkout.git("tag", "v1")
    checkout.git("branch", "old")
    checkout.commit()
    repository = Repository(checkout.path)
    for name in ("v1", "old", first[:9], "HEAD~1", "main^"):
        assert repository.commit(name, "x") == first


@pytest.mark.parametrize(
    ("revision", "told"),
    [
        ("HEAD:code.py", "x is no commit: give a branch, a tag or a commit"),
        ("orgin/main", "of that name (did you mean origin/main?); to fetch it: git fetch origin orgin/main, and"),
        ("HEAD~9", "of that name"),
        ("/nowhere/python", "of that name"),
    ],
)
def test_what_no_fetch_brings_is_told_without_one(checkout: Checkout, tmp_path: Path, revision: str, told: str) -> None:
    """Something else than a commit, more steps back than there are, a path; a slip of the finger with what is there."""
    clone = tmp_path / "clone"
    checkout.git("clone", "--quiet", f"file://{checkout.path}", str(clone))
    with pytest.raises(UsageError) as error:
        Repository(clone).commit(revision, "x")
    assert told in str(error.value)
    assert ("to fetch it" in str(error.value)) == ("to fetch it" in told)


def test_where_there_is_no_remote_nothing_can_be_fetched(checkout: Checkout) -> None:
    """A branch that is nowhere."""
    with pytest.raises(UsageError, match=r"of that name$"):
        Repository(checkout.path).commit("release-1", "x")


@pytest.mark.parametrize(
    ("revision", "command"),
    [
        ("origin/main", "git fetch --depth=1 origin main:refs/remotes/origin/main"),
        ("HEAD~3", "git fetch --deepen=10"),
        ("0123456789abcdef0123456789abcdef01234567", "git fetch --depth=1 origin 0123456789abcdef"),
        ("0123456", "git fetch --depth=1 origin 0123456... (the hash whole, 40 characters)"),
        ("v1.2.0", "git fetch --depth=1 origin v1.2.0, and then --infer-against=FETCH_HEAD"),
        ("release-1", "git fetch --depth=1 origin release-1, and then --infer-against=FETCH_HEAD"),
        ("v1~2", "git fetch --deepen=10"),
        ("--upload-pack=evil", "git fetch"),
    ],
)
def test_a_missing_revision_is_told_with_what_brings_it(
    checkout: Checkout, tmp_path: Path, revision: str, command: str
) -> None:
    """In a shallow clone, as continuous integration makes it."""
    checkout.commit()
    checkout.git("branch", "topic")
    shallow = tmp_path / "shallow"
    checkout.git("clone", "--quiet", "--depth=1", "--branch=topic", f"file://{checkout.path}", str(shallow))
    with pytest.raises(UsageError, match="no such revision in this shallow clone") as told:
        Repository(shallow).commit(revision, f"--infer-against={revision}")
    assert command in str(told.value)


def test_no_repository_is_told(checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In git's own words, all of them: where it refuses somebody else's checkout they hold the command that helps."""
    with pytest.raises(UsageError, match=r"no git checkout at .*: fatal: not a git repository"):
        Repository(tmp_path)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(UsageError, match=r"dubious ownership .* git config --global --add safe\.directory "):
        Repository(checkout.path)


def test_no_git_is_told(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a traceback."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="git, which is not installed"):
        Repository(checkout.path)


def test_submodules_are_known_by_their_commit(checkout: Checkout, tmp_path: Path) -> None:
    """What a revision wants of each."""
    library = type(checkout)(tmp_path / "library")
    wanted = library.commit()
    checkout.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library.path), "vendor/library")
    commit = checkout.commit()
    assert Repository(checkout.path).submodules(commit) == {"vendor/library": wanted}


def test_ignored_paths_are_known(checkout: Checkout) -> None:
    """Environments and downloads, by git's own rules; it knows nothing of what lies in a submodule."""
    library = type(checkout)(checkout.path.parent / "library")
    library.commit()
    checkout.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library.path), "lib")
    checkout.write(".gitignore", ".venv/\n")
    (checkout.path / ".venv").mkdir()
    paths = [str(checkout.path / name) for name in ("lib/x", ".venv/lib", "src")]
    assert Repository(checkout.path).ignored(paths) == (paths[1],)
    assert Repository(checkout.path).ignored([]) == ()
