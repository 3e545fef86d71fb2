"""What `--infer-against` names, decided by looking: an interpreter, a checkout, or a revision."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import sysconfig
from dataclasses import replace
from importlib import metadata
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final
from urllib.parse import urlparse
from urllib.request import url2pathname

import msgspec

from pytest_infer.against import boot
from pytest_infer.against.git import Repository
from pytest_infer.against.protocol import PROTOCOL, Introduction
from pytest_infer.against.side import Side, Sides, named_paths
from pytest_infer.against.worktree import fill_lfs, link, link_whole, work_tree
from pytest_infer.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PATIENCE_S: Final = 60.0
"""How long an interpreter may take to say who it is."""


@contextlib.contextmanager
def sides(
    value: str, *, cwd: Path, root: Path, sys_path: tuple[str, ...], links: tuple[str, ...] = ()
) -> Iterator[Sides]:
    """This side and the one that the option's `value` names, for as long as the body runs.

    Args:
        value: an executable file is an interpreter, a directory another checkout, all else a revision.
        cwd: where this pytest was started.
        root: pytest's rootdir.
        sys_path: this session's.
        links: paths under `root` that a revision's work tree takes from the user's checkout where it has none.

    Raises:
        UsageError: it is none of these, or nothing can be compared with it; the message says why and what to do.
    """
    path = cwd / Path(value).expanduser()
    mine = this_side(root, sys_path)
    ignored = _ignored(mine, sys_path)
    if path.is_file() and os.access(path, os.X_OK):
        _check_no_revision(value, root, "file")
        there = replace(mine, label=value, python=str(path), own_packages=True, kept=(*mine.kept, *ignored))
        yield Sides(here=mine, there=introduced(there, sys_path))
    elif path.is_dir():
        if not (path / ".git").exists():
            _check_no_revision(value, root, "folder")
        there = _checkout(value, Path(os.path.normpath(path)), mine, root)
        yield Sides(here=mine, there=introduced(there, sys_path))
    else:
        repository = Repository(root)
        commit = repository.commit(value, f"--infer-against={value}")
        with work_tree(repository, commit) as tree:
            there = _revision(value, commit, repository, tree, mine, _under(repository, root, links), ignored)
            yield Sides(here=mine, there=introduced(there, sys_path))


def this_side(root: Path, sys_path: tuple[str, ...]) -> Side:
    """The user's checkout as it is: the top of its git work tree, or pytest's rootdir. Environments in it are kept."""
    try:
        base = str(Repository(root).top)
    except UsageError:
        base = str(root)
    kept = {sys.prefix, sys.base_prefix, sys.exec_prefix, *sysconfig.get_paths().values()}
    for entry in map(Path, sys_path):  # of an environment that lends its packages to another one
        kept |= {str(folder) for folder in (entry, *entry.parents) if (folder / "pyvenv.cfg").exists()}
    return Side(label="this checkout", python=sys.executable, base=base, kept=_below(base, kept))


def introduced(side: Side, sys_path: tuple[str, ...]) -> Side:
    """The side, if its interpreter runs a plugin that understands this one.

    Raises:
        UsageError: it is no Python, or has no pytest-infer, or one that speaks another protocol.
    """
    if not side.own_packages and side.path(boot.__file__) == boot.__file__:
        return side  # the very plugin that runs this session
    mine = metadata.version("pytest-infer")
    try:
        done = subprocess.run(  # noqa: S603 - the interpreter that the user names
            [side.python, "-P", boot.__file__, "introduce"],
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
            env=side.environment(os.environ, sys_path),
            input=json.dumps(msgspec.to_builtins(side.paths(sys_path))),
        )
        who = msgspec.json.decode(done.stdout, type=Introduction)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"--infer-against={side.label}: no Python 3.11 or newer that can be used: {error}") from None
    except msgspec.MsgspecError:
        why = (done.stderr.strip().splitlines() or ["it says something else"])[-1]
        raise UsageError(f"--infer-against={side.label}: no Python 3.11 or newer that can be used: {why}") from None
    here = f"{mine} here speaks A/B protocol {PROTOCOL}"
    if who.version is None:
        raise UsageError(
            f"--infer-against={side.label}: that Python {who.python} has no pytest-infer; install it there: "
            f"{side.python} -m pip install pytest-infer=={mine}"
        )
    if who.protocol != PROTOCOL:
        there = f"no A/B protocol ({who.trouble})" if who.protocol is None else f"A/B protocol {who.protocol}"
        raise UsageError(
            f"--infer-against={side.label}: pytest-infer {who.version} there speaks {there}, pytest-infer {here}; "
            "use the same version on both sides"
        )
    return side


def _below(base: str, paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({path for path in paths if boot.within(path, base) and boot.real(path) != boot.real(base)}))


def _ignored(side: Side, entries: Iterable[str]) -> tuple[str, ...]:
    """Those of `entries` that lie in the checkout and that git ignores, but for environments: builds, downloads."""
    own = (entry for entry in entries if not any(boot.within(entry, kept) for kept in side.kept))
    try:
        return Repository(Path(side.base)).ignored(map(boot.real, _below(side.base, own)))
    except UsageError:
        return ()


def _check_no_revision(value: str, root: Path, what: str) -> None:
    """Refuse the bare name of a file or folder that is a revision, too: whichever was meant, the other one is not."""
    if Path(value).name != value:
        return
    try:
        name = Repository(root).full_name(value)
    except UsageError:
        return
    if name is not None:
        raise UsageError(
            f"--infer-against={value} is a {what} and a revision: write ./{value} for the {what}, or {name} for the "
            "revision"
        )


def _checkout(value: str, folder: Path, mine: Side, root: Path) -> Side:
    if (folder / "pyvenv.cfg").exists():
        raise UsageError(
            f"--infer-against={value} is an environment; to compare with its packages name its interpreter: "
            f"--infer-against={Path(value) / 'bin' / 'python'}"
        )
    # A checkout's top stands for this one's; any other folder for rootdir.
    base = mine.base if (folder / ".git").exists() else str(root)
    return replace(mine, label=value, base=base, moved=str(folder), copies=_copies(base))


def _revision(
    value: str,
    commit: str,
    repository: Repository,
    tree: Path,
    mine: Side,
    links: tuple[str, ...],
    ignored: tuple[str, ...],
) -> Side:
    submodules = repository.submodules(commit)
    shared = [made for path in submodules for made in link_whole(path, repository.top, tree)]
    other = repository.moved(commit, shared)
    linked = link(links, repository, tree)
    short = repository.short(commit)
    named = [path for path in _ignored(mine, filter(os.path.exists, named_paths(os.environ))) if path not in ignored]
    notes = [
        f"submodule {path}: this checkout's on both sides, {value} has another commit of it ({submodules[path][:12]})"
        for path in other
    ]
    notes += [f"{path}: this checkout's on both sides, git ignores it" for path in named]
    notes += [f"{path}: not here, and so not linked" for path in links if not os.path.lexists(repository.top / path)]
    notes += [
        f"{path}: only its LFS pointer is here; to fetch it: git lfs fetch origin {short}"
        for path in fill_lfs(repository, tree)
    ]
    mine_too = [str(repository.top / path) for path in (*shared, *linked)]
    # The revision has none: not to be shared in silence. Where a part of one is linked, that part is all there is.
    unshared = [p for p in ignored if not any(boot.within(p, own) or boot.within(own, p) for own in mine_too)]
    return replace(
        mine,
        label=value if commit.startswith(value) else f"{value} ({short})",
        moved=str(tree),
        copies=(*_copies(mine.base), *unshared, *named, *(str(repository.top / path) for path in other)),
        kept=tuple(sorted({*mine.kept, *mine_too, *unshared, *named})),
        notes=tuple(notes),
    )


def _under(repository: Repository, root: Path, links: tuple[str, ...]) -> tuple[str, ...]:
    """`links`, under rootdir, as paths under the repository's top.

    Raises:
        UsageError: one leads out of it.
    """
    found = []
    for text in links:
        path = Path(os.path.normpath(root / text))
        if not boot.inside(str(path), str(repository.top)):
            raise UsageError(f"infer_against_links: {text} is not inside {repository.top}")
        found.append(str(path.relative_to(repository.top)))
    return tuple(found)


def _copies(base: str) -> tuple[str, ...]:
    """Where packages lie that were installed as copies of folders in the checkout: their tests would test no side."""
    found = set()
    for distribution in metadata.distributions():
        text = distribution.read_text("direct_url.json")
        origin = json.loads(text) if text else {}
        folder = url2pathname(urlparse(origin.get("url", "")).path)
        if boot.within(folder, base) and not origin.get("dir_info", {}).get("editable"):
            found |= {str(distribution.locate_file(place)) for place in _places(distribution.files or ())}
    return tuple(sorted(found))


def _places(files: Iterable[PurePath]) -> set[PurePath]:
    """The packages and modules among installed files; a namespace that they share with others is none."""
    files = list(files)
    packages = {file.parent for file in files if file.name == "__init__.py"}
    modules = [file for file in files if file.suffix in {".py", ".so", ".pyd"}]
    return {next((up for up in reversed(file.parents) if up in packages), file) for file in modules}
