"""The plan cache: built once, checked at every use, private."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.engines.plan_cache import PlanCache

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = {"model": "abc", "precision": "int8", "batch": 8}


class Builder:
    """Writes a plan of two files, and counts how often it was asked."""

    def __init__(self, content: bytes = b"plan") -> None:
        """Write `content`."""
        self.count = 0
        self._content = content

    def __call__(self, folder: Path) -> dict[str, Any]:
        """Build."""
        self.count += 1
        (folder / "model.onnx").write_bytes(self._content)
        (folder / "weights.bin").write_bytes(b"w" * 1000)
        return {"provider": "CPU", "built": self.count}


def entries(folder: Path) -> list[Path]:
    """What is kept, locks left out."""
    return sorted(path for path in folder.iterdir() if path.suffix != ".lock")


def test_a_plan_is_built_once(tmp_path: Path) -> None:
    """The second time it is found: same folder, same facts, same build time and size, and it says so."""
    build = Builder()
    first = PlanCache(tmp_path).get(KEY, build)
    second = PlanCache(tmp_path).get(KEY, build)
    assert build.count == 1
    assert (first.cached, second.cached) == (False, True)
    assert (second.folder, dict(second.facts), second.build_s, second.size_mb) == (
        first.folder,
        dict(first.facts),
        first.build_s,
        first.size_mb,
    )
    assert first.size_mb == pytest.approx(0.001004)
    assert (second.folder / "model.onnx").read_bytes() == b"plan"
    assert sorted(path.name for path in second.folder.iterdir()) == ["model.onnx", "weights.bin"]


@given(st.permutations(sorted(KEY)))
def test_the_order_of_a_key_does_not_count(tmp_path_factory: pytest.TempPathFactory, order: list[str]) -> None:
    """The same things in another order are the same plan."""
    build = Builder()
    cache = PlanCache(tmp_path_factory.mktemp("plans"))
    cache.get(KEY, build)
    assert cache.get({name: KEY[name] for name in order}, build).cached


@pytest.mark.parametrize("change", [{"batch": 1}, {"precision": "fp32"}, {"device": "gpu"}])
def test_another_key_is_another_plan(tmp_path: Path, change: dict[str, Any]) -> None:
    """Both stay: neither takes the other's place."""
    cache = PlanCache(tmp_path)
    one, other = cache.get(KEY, Builder(b"one")), cache.get({**KEY, **change}, Builder(b"two"))
    assert (one.folder / "model.onnx").read_bytes() == b"one"
    assert (other.folder / "model.onnx").read_bytes() == b"two"


def test_a_fresh_build_takes_the_old_one_s_place(tmp_path: Path) -> None:
    """Where build time is measured, a stored plan is no answer; the new one is what is found next."""
    cache = PlanCache(tmp_path)
    cache.get(KEY, Builder(b"old"))
    assert not cache.get(KEY, Builder(b"new"), fresh=True).cached
    kept = cache.get(KEY, Builder(b"unused"))
    assert kept.cached
    assert (kept.folder / "model.onnx").read_bytes() == b"new"


def _cut(plan: Path) -> None:
    (plan / "weights.bin").write_bytes(b"w" * 10)


def _lose(plan: Path) -> None:
    (plan / "weights.bin").unlink()


def _add(plan: Path) -> None:
    (plan / "extra.so").write_bytes(b"code")


def _change(plan: Path) -> None:
    (plan / "model.onnx").write_bytes(b"evil")


def _cut_record(plan: Path) -> None:
    record = plan.parent / "entry.json"
    record.write_bytes(record.read_bytes()[:20])


def _lose_record(plan: Path) -> None:
    (plan.parent / "entry.json").unlink()


def _foreign_record(plan: Path) -> None:
    (plan.parent / "entry.json").write_text("[]")


def _older_record(plan: Path) -> None:
    record = json.loads((plan.parent / "entry.json").read_text())
    del record["facts"]
    (plan.parent / "entry.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    "damage", [_cut, _lose, _add, _change, _cut_record, _lose_record, _foreign_record, _older_record]
)
def test_a_damaged_entry_is_built_again(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """Half-written, lost or changed by someone: it is never loaded, and whole afterwards."""
    cache = PlanCache(tmp_path)
    damage(cache.get(KEY, Builder()).folder)
    build = Builder()
    assert not cache.get(KEY, build).cached
    assert build.count == 1
    assert cache.get(KEY, build).cached
    assert len(entries(tmp_path)) == 1


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_build_that_fails_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    """Its error comes through, no half plan stays, and the next build is an ordinary one."""

    def build(folder: Path) -> dict[str, Any]:
        (folder / "model.onnx").write_bytes(b"half")
        raise error

    with pytest.raises(error):
        PlanCache(tmp_path).get(KEY, build)
    assert entries(tmp_path) == []
    assert not PlanCache(tmp_path).get(KEY, Builder()).cached


def test_a_failing_fresh_build_keeps_the_old_plan(tmp_path: Path) -> None:
    """What was there is there."""
    cache = PlanCache(tmp_path)
    cache.get(KEY, Builder(b"old"))

    def build(_folder: Path) -> dict[str, Any]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        cache.get(KEY, build, fresh=True)
    assert (cache.get(KEY, Builder()).folder / "model.onnx").read_bytes() == b"old"


def test_what_a_killed_build_left_is_cleared(tmp_path: Path) -> None:
    """Plans are large: a draft whose builder is gone doesn't stay for ever."""
    cache = PlanCache(tmp_path)
    entry = cache.get(KEY, Builder()).folder.parent
    draft = tmp_path / f"{entry.name}.dead"
    draft.mkdir()
    (draft / "model.onnx").write_bytes(b"half")
    cache.get(KEY, Builder(), fresh=True)
    assert entries(tmp_path) == [entry]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_the_folder_is_private(tmp_path: Path) -> None:
    """A plan is code: nobody else may write or read there, even where the folder was open before."""
    made = tmp_path / "new" / "plans"
    PlanCache(made).get(KEY, Builder())
    assert made.stat().st_mode & 0o777 == 0o700
    opened = tmp_path / "open"
    opened.mkdir()
    opened.chmod(0o777)
    PlanCache(opened).get(KEY, Builder())
    assert opened.stat().st_mode & 0o777 == 0o700


def test_the_default_folder_is_the_user_s_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this platform keeps caches, under the program's own name."""
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / name)
    assert PlanCache().get(KEY, Builder()).folder.is_relative_to(tmp_path / "pytest-infer" / "plans")


PROCESS = """
import os, pathlib, sys
from pytest_infer.engines.plan_cache import PlanCache
def say(text):
    os.write(1, text.encode() + b"\\n")  # at once: two processes share this pipe
def build(folder):
    say("building")
    sys.stdin.readline()
    (folder / "model.onnx").write_bytes(b"plan")
    return {}
say("asking")
plan = PlanCache(pathlib.Path(sys.argv[1])).get({"model": "abc"}, build)
say("cached" if plan.cached else "built")
"""


def test_two_processes_build_one_plan(tmp_path: Path) -> None:
    """The second asks while the first builds: it waits, and takes what the first made."""
    reading, writing = os.pipe()
    both = [
        subprocess.Popen([sys.executable, "-c", PROCESS, str(tmp_path)], stdin=subprocess.PIPE, stdout=writing)
        for _ in range(2)
    ]
    os.close(writing)
    with both[0], both[1], os.fdopen(reading) as said:
        # Two ask and one builds; it goes on when a line comes, so that the other one meets it at work.
        before = sorted(next(said).strip() for _ in range(3))
        for one in both:
            assert one.stdin is not None
            one.stdin.write(b"go\n")
            one.stdin.flush()
        after = sorted(line.strip() for line in said)
    assert before == ["asking", "asking", "building"]
    assert after == ["built", "cached"]
