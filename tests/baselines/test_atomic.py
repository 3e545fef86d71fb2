"""Several files change together or not at all."""

from __future__ import annotations

import errno
import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.baselines.atomic import rewrite
from pytest_infer.baselines.codec import encode
from pytest_infer.baselines.schema import BaselineFile, Entry
from pytest_infer.errors import BaselineError
from tests.baselines.strategies import KEYS, entries, file_of, files, run

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = Entry(workload={}, runs=(run("s", 1.0),))
broken = st.one_of(
    st.binary(max_size=40).filter(lambda text: not text.startswith(b"{")),
    st.just(b'{"schema": 99}'),
    st.just(b"{}"),
    files().map(lambda file: encode(file).encode()[:-3]),
)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file under a folder with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that many examples write into."""
    return tmp_path_factory.mktemp("store")


@given(files(), broken, st.booleans())
def test_one_broken_file_and_no_byte_changes(place: Path, file: BaselineFile, text: bytes, first: bool) -> None:  # noqa: FBT001 - drawn
    """Corrupt, cut off, of a newer schema: it is named, and the others wait for it."""
    good, bad = (place / name for name in (("b.json", "a.json") if first else ("a.json", "b.json")))
    good.write_text(encode(file))
    bad.write_bytes(text)
    before = tree(place)
    with pytest.raises(BaselineError, match=bad.name):
        rewrite({path: lambda _: file_of({}) for path in (good, bad)})
    assert tree(place) == before


@given(files(), files())
def test_what_stays_the_same_is_not_written(place: Path, one: BaselineFile, other: BaselineFile) -> None:
    """A file that holds what it is to hold keeps its very bytes, however they are laid out."""
    path = place / "same.json"
    path.write_text(encode(one).replace("\n", "\n\n"))
    before = path.read_bytes()
    assert rewrite({path: lambda file: file}) == {path: (one, one)}
    assert path.read_bytes() == before
    rewrite({path: lambda _: other}, dry=True)
    assert path.read_bytes() == before
    rewrite({path: lambda _: other})
    assert path.read_text() == (before.decode() if one == other else encode(other))


@given(entries())
def test_an_entry_that_can_t_be_written_stops_all(place: Path, entry: Entry) -> None:
    """JSON has no infinity: told before anything is written."""
    wrong = replace(entry, runs=(replace(entry.runs[0], metrics={"latency": float("inf")}),))
    paths = [place / "fine.json", place / "wrong.json"]
    for path in paths:
        path.unlink(missing_ok=True)
    with pytest.raises(ValueError, match="JSON"):
        rewrite({paths[0]: lambda _: file_of({KEYS[0]: entry}), paths[1]: lambda _: file_of({KEYS[0]: wrong})})
    assert not any(path.exists() for path in paths)


def test_a_file_that_is_to_go_goes(tmp_path: Path) -> None:
    """With its folder, where nothing else is in it."""
    path = tmp_path / "cpu-x" / "tests" / "test_net.json"
    rewrite({path: lambda _: file_of({})})
    assert path.exists()
    rewrite({path: lambda _: None})
    assert not path.parent.exists()
    assert rewrite({path: lambda file: file}) == {path: (None, None)}


def test_a_full_disk_says_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that failed is as it was, and those before it are named."""
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    rewrite({b: lambda _: file_of({})})
    before = b.read_bytes()
    synced = os.fsync
    calls = iter([True, False])

    def once(descriptor: int) -> None:
        if not next(calls):
            raise OSError(errno.ENOSPC, "No space left on device")
        synced(descriptor)

    monkeypatch.setattr(os, "fsync", once)
    with pytest.raises(BaselineError, match=r"b\.json could not be written: No space.*written already: .*a\.json"):
        rewrite({path: lambda _: file_of({"k": ENTRY}) for path in (a, b)})
    assert b.read_bytes() == before
    assert sorted(tree(tmp_path)) == ["a.json", "b.json"]


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    """Eight at once on two files, named in either order: every change is in both afterwards."""
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    gate = threading.Barrier(8)

    def one(number: int) -> None:
        def add(file: BaselineFile | None) -> BaselineFile:
            return file_of({**({} if file is None else file.entries), f"test_{number} 01": ENTRY})

        changes: dict[Path, Any] = dict.fromkeys((a, b) if number % 2 else (b, a), add)
        gate.wait()
        rewrite(changes)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for path in (a, b):
        ((_, file),) = rewrite({path: lambda file: file}).values()
        assert file is not None
        assert len(file.entries) == 8
