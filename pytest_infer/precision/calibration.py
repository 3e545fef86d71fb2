"""The user's samples for int8: checked, hashed and written to disk one by one, never held whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pytest_infer.workload import TensorSpec

    Sample = dict[str, NDArray[np.generic]]
    Source = Iterable[Mapping[str, Any]] | Callable[[], Iterable[Mapping[str, Any]]]

METHODS: Final = ("minmax", "entropy", "percentile")
"""How a tensor's range follows from what was seen of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationSet:
    """Samples that lie in a folder.

    Attributes:
        folder: where; it belongs to the set.
        names: the inputs that each sample gives.
        count: how many there are.
        digest: SHA-256 over names, types, shapes and values, in order.
    """

    folder: Path
    names: tuple[str, ...]
    count: int
    digest: str

    @classmethod
    def spool(cls, source: Source, folder: Path, inputs: Sequence[TensorSpec]) -> CalibrationSet:
        """Check each sample against the model's `inputs` and write it into `folder`.

        A named dimension fits any size, and so does the first one: a sample may hold any number of examples.

        Raises:
            UsageError: no samples, or one that the model can't take.
        """
        import numpy as np

        names = tuple(spec.name for spec in inputs)
        digest = hashlib.sha256()
        count = 0
        folder.mkdir(parents=True, exist_ok=True)
        for count, sample in enumerate(_samples(source, names), start=1):
            arrays = [_checked(sample, spec, f"calibration sample {count}") for spec in inputs]
            for name, array in zip(names, arrays, strict=True):
                digest.update(f"{name}\0{array.dtype}\0{array.shape}\0".encode())
                digest.update(np.ascontiguousarray(array).data)
            np.savez(_file(folder, count), *arrays)
        if not count:
            raise UsageError(
                "calibration gave no samples; int8 needs at least one. A generator gives its samples only once: "
                "pass a callable that makes it, where several tests use it"
            )
        return cls(folder=folder, names=names, count=count, digest=digest.hexdigest())

    def __iter__(self) -> Iterator[Sample]:
        """The samples, each read when its turn comes."""
        import numpy as np

        for number in range(1, self.count + 1):
            with np.load(_file(self.folder, number), allow_pickle=False) as arrays:
                yield {name: arrays[f"arr_{i}"] for i, name in enumerate(self.names)}

    def __len__(self) -> int:
        """How many samples there are."""
        return self.count

    def discard(self) -> None:
        """Delete the files, and the folder where nothing else lies in it."""
        for number in range(1, self.count + 1):
            _file(self.folder, number).unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:06}.npz"


def _samples(source: Source, names: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    """The samples of an iterable or of what a callable gives, checked for their names."""
    wanted = "calibration= takes an iterable of {input name: array} or a callable that gives one"
    given: Any = source() if callable(source) else source
    if isinstance(given, Mapping):
        raise UsageError(f"{wanted}; this is a single sample: put it into a list")
    if not isinstance(given, Iterable):
        raise UsageError(f"{wanted}, not {type(given).__name__}")
    for number, sample in enumerate(given, start=1):
        if not isinstance(sample, Mapping):
            hint = f"{{{names[0]!r}: array}}" if len(names) == 1 else f"a dict of {', '.join(names)}"
            raise UsageError(f"calibration sample {number} is no dict but {type(sample).__name__}; write {hint}")
        if unknown := sorted(set(map(str, sample)) - set(names)):
            raise UsageError(
                f"calibration sample {number} names {', '.join(unknown)}; the model's inputs are {', '.join(names)}"
            )
        yield sample


def _checked(sample: Mapping[str, Any], spec: TensorSpec, place: str) -> NDArray[np.generic]:
    """The array that a sample gives for one input, fit for it."""
    import numpy as np

    if spec.name not in sample:
        raise UsageError(f"{place} lacks input {spec.name!r}")
    array = np.asarray(sample[spec.name])
    if str(array.dtype) != spec.dtype:
        raise UsageError(
            f"{place}: input {spec.name!r} is {array.dtype}, the model takes {spec.dtype}; convert it with "
            f".astype({spec.dtype!r})"
        )
    fits = len(array.shape) == len(spec.shape) and all(
        size and (isinstance(wanted, str) or not axis or size == wanted)
        for axis, (size, wanted) in enumerate(zip(array.shape, spec.shape, strict=True))
    )
    if not fits:
        missing = array.shape == spec.shape[1:]
        way_out = "add the first dimension with array[np.newaxis]" if missing else "the rest must agree"
        free = "(any, " + ", ".join(map(str, spec.shape[1:])) + ")"
        raise UsageError(f"{place}: input {spec.name!r} has shape {array.shape}, the model takes {free}; {way_out}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise UsageError(f"{place}: input {spec.name!r} holds values that are not finite; leave such samples out")
    return array
