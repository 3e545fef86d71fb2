"""What is asked of git. Nothing here touches the user's own work tree, index or stash."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_infer.errors import UsageError
from pytest_infer.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLAIN: Final = (
    # Checking files out runs none of the user's hooks, and LFS files come as pointers: no download of unknown length.
    "-c", "core.hooksPath=/dev/null",
    "-c", "filter.lfs.smudge=", "-c", "filter.lfs.process=", "-c", "filter.lfs.required=false",
)  # fmt: skip
_GITLINK: Final = "160000"
_OF_A_HOOK: Final = frozenset({
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_NAMESPACE", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE", "GIT_IMPLICIT_WORK_TREE",
    "GIT_INTERNAL_SUPER_PREFIX", "GIT_QUARANTINE_PATH",
})  # fmt: skip
"""A git hook that runs the tests has its own index and folder in the environment (`git rev-parse --local-env-vars`)."""
_COMMIT: Final = re.compile(r"[0-9a-f]{7,40}")
_WHOLE: Final = 40
_ALIKE: Final = 0.8
"""How like another name a mistyped one is, of 1."""
_NAME: Final = re.compile(r"\w[\w./+-]*")
"""A branch or tag; `~`, `^`, `@` and `:` lead from one to somewhere else."""


class Repository:
    """A git repository and the user's checkout of it."""

    def __init__(self, folder: Path) -> None:
        """Find the repository that `folder` lies in.

        Raises:
            UsageError: there is none, or no git.
        """
        self.top = folder
        # Relative: the folder's own name of it, whatever links lead there.
        up = self._asked("rev-parse", "--show-cdup", what=f"no git checkout at {folder}")
        self.top = Path(os.path.normpath(folder / up))

    def commit(self, revision: str, option: str) -> str:
        """The commit that `revision` names; `option` is what to blame.

        Raises:
            UsageError: it is not here; the message holds the command that brings it.
        """
        if found := self._found(revision):
            return found
        if not revision.startswith("-") and not self._run("cat-file", "-t", revision).returncode:
            raise UsageError(f"{option} is no commit: give a branch, a tag or a commit")
        shallow = self._run("rev-parse", "--is-shallow-repository").stdout.strip() == "true"
        where = "this shallow clone" if shallow else str(self.top)
        names = self._run("for-each-ref", "--format=%(refname:short)").stdout.split()
        remotes = self._run("remote").stdout.split()
        advice = ""
        if meant := nearest(revision, names, _ALIKE):
            advice += f" (did you mean {meant}?)"
        if remotes and (command := self._fetch(revision, remotes, shallow=shallow)):
            advice += f"; to fetch it: {command}"
        raise UsageError(
            f"{option}: no such revision in {where}, nor an interpreter or a directory of that name{advice}"
        )

    def full_name(self, revision: str) -> str | None:
        """What `revision` is called in full (`refs/heads/main`); None where it names no commit."""
        commit = self._found(revision)
        return commit and (self._run("rev-parse", "--symbolic-full-name", revision).stdout.strip() or commit)

    def short(self, commit: str) -> str:
        """A commit's name as people read it."""
        return self._asked("rev-parse", "--short", commit, what=f"commit {commit}")

    def ignored(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Those of `paths` that git ignores."""
        # One by one: git gives up at the first that lies in a submodule.
        return tuple(path for path in paths if self._run("check-ignore", "--quiet", "--", path).returncode == 0)

    def tracked(self, path: str) -> tuple[str, ...]:
        """The files that git keeps at `path` in the user's checkout, or below it."""
        return tuple(filter(None, self._run("ls-files", "-z", "--", path).stdout.split("\0")))

    def moved(self, commit: str, submodules: Iterable[str]) -> tuple[str, ...]:
        """Those of `submodules` that are not as `commit` has them in the user's checkout: at another commit, or edited.

        New files in them, which git does not know, do not count.
        """
        submodules = tuple(submodules)
        asked = ("diff-index", "--name-only", "-z", "--ignore-submodules=untracked", commit, "--")
        named = (f":(literal){path}" for path in submodules)
        listed = self._asked(*asked, *named, what="its submodules").split("\0") if submodules else []
        # One that is an ordinary folder by now is listed with all its files.
        return tuple(p for p in submodules if any(name == p or name.startswith(f"{p}/") for name in listed))

    def submodules(self, commit: str) -> dict[str, str]:
        """The submodules of a commit: path and the commit that it wants of each."""
        listed = self._asked("ls-tree", "-r", "-z", commit, what=f"the files of {commit}")
        rows = (row.partition("\t") for row in listed.split("\0") if row.startswith(_GITLINK))
        return {path: head.split()[2] for head, _, path in rows}

    def lfs_files(self, tree: Path) -> tuple[str, ...]:
        """Paths in a work tree that git LFS keeps."""
        files = self._run("-C", str(tree), "ls-files", "-z").stdout
        told = self._run("-C", str(tree), "check-attr", "--stdin", "-z", "filter", stdin=files).stdout.split("\0")
        return tuple(path for path, value in zip(told[::3], told[2::3], strict=False) if value == "lfs")

    @property
    def lfs_store(self) -> Path:
        """Where git LFS keeps what it has fetched."""
        common = self._asked("rev-parse", "--git-common-dir", what="the repository's folder")
        return self.top / common / "lfs" / "objects"

    def add_work_tree(self, path: Path, commit: str) -> None:
        """Check `commit` out at `path`, on no branch.

        Raises:
            UsageError: git could not.
        """
        self._asked(*_PLAIN, "worktree", "add", "--detach", "--quiet", str(path), commit, what=f"a work tree at {path}")

    def remove_work_tree(self, path: Path) -> None:
        """Remove a work tree, or what git remembers of one whose folder is gone. One that is not known is fine."""
        self._run("worktree", "remove", "--force", "--force", str(path))

    def work_trees(self) -> tuple[Path, ...]:
        """All work trees, the user's own among them."""
        lines = self._run("worktree", "list", "--porcelain").stdout.splitlines()
        return tuple(Path(line.removeprefix("worktree ")) for line in lines if line.startswith("worktree "))

    def _found(self, revision: str) -> str | None:
        if revision.startswith("-"):  # an option to git; older ones know no --end-of-options here
            return None
        found = self._run("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        return None if found.returncode else found.stdout.strip()

    def _asked(self, *arguments: str, what: str) -> str:
        done = self._run(*arguments)
        if done.returncode:
            said = " ".join(done.stderr.split()) or f"git ended with status {done.returncode}"
            raise UsageError(f"--infer-against: {what}: {said}")
        return done.stdout.strip()

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of git's processes: in English, and no question that nobody answers."""
        usual = {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}
        return {"GIT_TERMINAL_PROMPT": "0", **usual, "LC_ALL": "C"}

    def _run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(  # noqa: S603 - the arguments are ours, and a revision that is no option
                ["git", "-C", str(self.top), *arguments],  # noqa: S607 - git is found as the shell finds it
                input=stdin,
                capture_output=True,
                encoding="utf-8",
                errors="surrogateescape",
                check=False,
                env=self.environment,
            )
        except FileNotFoundError:
            raise UsageError("--infer-against: a revision needs git, which is not installed") from None

    def _fetch(self, revision: str, remotes: list[str], *, shallow: bool) -> str:
        """The command that brings `revision`; empty where none does."""
        depth = "--depth=1 " if shallow else ""
        remote = "origin" if "origin" in remotes else remotes[0]
        if revision.startswith(("HEAD", "@")):
            return "git fetch --deepen=10" if shallow else ""
        if revision.startswith(("/", ".", "~")):  # a path that is not there
            return ""
        if not _NAME.fullmatch(revision):
            return "git fetch --deepen=10" if shallow else f"git fetch {remote}"
        for name in remotes:
            if revision.startswith(f"{name}/"):
                branch = revision.removeprefix(f"{name}/")
                return f"git fetch {depth}{name} {branch}:refs/remotes/{revision}"
        if _COMMIT.fullmatch(revision):
            whole = "" if len(revision) == _WHOLE else f"... (the hash whole, {_WHOLE} characters)"
            return f"git fetch {depth}{remote} {revision}{whole}"
        return f"git fetch {depth}{remote} {revision}, and then --infer-against=FETCH_HEAD"
