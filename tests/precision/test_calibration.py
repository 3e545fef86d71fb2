"""The user's samples: streamed to disk, checked, and told apart by a digest."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.errors import UsageError
from pytest_infer.precision import CalibrationSet
from pytest_infer.workload import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMAGE = TensorSpec(name="image", dtype="float32", shape=("batch", 3))
TOKENS = TensorSpec(name="tokens", dtype="int64", shape=("batch", "length"))


def image(value: float = 0, rows: int = 1) -> dict[str, Any]:
    """One sample."""
    return {"image": np.full((rows, 3), value, np.float32)}


def test_samples_come_back_in_order(tmp_path: Path) -> None:
    """What went in comes out, with names, types and shapes; a second pass gives the same again."""
    given: list[dict[str, Any]] = [
        {"image": np.full((n, 3), n, np.float32), "tokens": np.arange(2 * n).reshape(1, -1)} for n in (1, 2, 3)
    ]
    kept = CalibrationSet.spool(given, tmp_path, (IMAGE, TOKENS))
    assert len(kept) == 3
    for _ in range(2):
        for before, after in zip(given, kept, strict=True):
            assert list(after) == ["image", "tokens"]
            assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_generator_is_read_once_and_never_held_whole(tmp_path: Path) -> None:
    """When the third sample is made, the first is gone."""
    alive: list[weakref.ref[Any]] = []

    def samples() -> Iterator[dict[str, Any]]:
        for number in range(5):
            array = np.full((1, 3), number, np.float32)
            alive.append(weakref.ref(array))
            assert sum(ref() is not None for ref in alive) <= 3
            yield {"image": array}
            del array

    assert len(CalibrationSet.spool(samples(), tmp_path, (IMAGE,))) == 5


def test_a_callable_gives_the_same_set_as_what_it_gives(tmp_path: Path) -> None:
    """An iterable, a generator function and a list have one digest."""
    sources: list[Any] = [[image(1), image(2)], lambda: iter([image(1), image(2)]), (image(1), image(2))]
    digests = {CalibrationSet.spool(source, tmp_path / str(i), (IMAGE,)).digest for i, source in enumerate(sources)}
    assert len(digests) == 1


@given(values=st.lists(st.floats(-9, 9, width=32), min_size=1, max_size=4), data=st.data())
def test_the_digest_changes_with_any_value_and_with_the_order(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], data: st.DataObject
) -> None:
    """Equal digests mean equal samples in equal order."""
    others = data.draw(st.one_of(st.permutations(values), st.lists(st.floats(-9, 9, width=32), min_size=1, max_size=4)))
    folder = tmp_path_factory.mktemp("digest")
    sets = [
        CalibrationSet.spool([image(v) for v in chosen], folder / name, (IMAGE,))
        for name, chosen in (("a", values), ("b", others))
    ]
    same = [np.float32(v).tobytes() for v in values] == [np.float32(v).tobytes() for v in others]
    assert (sets[0].digest == sets[1].digest) is same


def test_discard_takes_the_folder_away(tmp_path: Path) -> None:
    """Samples are the user's: none stays on disk. What lies beside them does."""
    empty, shared = tmp_path / "empty", tmp_path / "shared"
    CalibrationSet.spool([image()], empty, (IMAGE,)).discard()
    assert not empty.exists()
    kept = CalibrationSet.spool([image()], shared, (IMAGE,))
    (shared / "other").touch()
    kept.discard()
    assert [path.name for path in shared.iterdir()] == ["other"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([], "gave no samples"),
        (lambda: iter(()), "gave no samples"),
        (image(), "put it into a list"),
        (7, "not int"),
        ([np.zeros((1, 3), np.float32)], r"sample 1 is no dict but ndarray; write \{'image': array\}"),
        ([image(), {}], "sample 2 lacks input 'image'"),
        ([{"picture": 1}], "names picture; the model's inputs are image"),
        ([{"image": np.zeros((1, 3))}], r"is float64, the model takes float32; .*astype\('float32'\)"),
        ([{"image": np.zeros(3, np.float32)}], r"shape \(3,\).*array\[np.newaxis\]"),
        ([{"image": np.zeros((1, 4), np.float32)}], r"shape \(1, 4\), the model takes \(any, 3\)"),
        ([{"image": np.zeros((0, 3), np.float32)}], r"shape \(0, 3\)"),
        ([image(np.nan)], "not finite"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, source: Any, message: str) -> None:
    """Each bad source gets one error that says which sample, which input, and the way out."""
    with pytest.raises(UsageError, match=message):
        CalibrationSet.spool(source, tmp_path, (IMAGE,))


def test_an_error_of_the_users_own_generator_is_theirs(tmp_path: Path) -> None:
    """It is not dressed up as ours."""

    def broken() -> Iterator[dict[str, Any]]:
        yield image()
        raise FileNotFoundError("photo.jpg")

    with pytest.raises(FileNotFoundError, match=r"photo\.jpg"):
        CalibrationSet.spool(broken(), tmp_path, (IMAGE,))
