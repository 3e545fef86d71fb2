"""Outputs held against a reference, and against labels. Pure: arrays in, figures out."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_MATRIX: Final = 2
"""Dimensions of scores: samples by classes."""
_SMALLEST_SHARE: Final = 1e-6
"""Relative errors are taken over at least this share of the reference's largest magnitude: zeros have none."""
_NO_NUMBERS: Final = frozenset("OSUTmM")
"""Kinds of numpy's types: labels as text, a map for each sample, dates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """How right an engine is. Figures that nothing was there for (labels, a reference) are None.

    Attributes:
        cosine: smallest cosine similarity to the reference's outputs over outputs and samples.
        max_abs_error, max_rel_error: largest errors against them over all elements.
        top1, top5: shares of samples whose label is the best, among the best five.
        top1_drop, top5_drop: how much lower than the reference's; without labels, the share of samples on which the
            reference's best class is not the engine's (not among its five).
        notes: where the figures come from.
        non_finite: where outputs hold NaN or infinity.
    """

    cosine: float | None = None
    max_abs_error: float | None = None
    max_rel_error: float | None = None
    top1: float | None = None
    top5: float | None = None
    top1_drop: float | None = None
    top5_drop: float | None = None
    notes: tuple[str, ...] = ()
    non_finite: tuple[str, ...] = ()

    def figures(self) -> dict[str, float]:
        """The figures that are there, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, float)}


def accuracy(
    outputs: Mapping[str, NDArray[Any]],
    reference: Mapping[str, NDArray[Any]] | None,
    labels: NDArray[Any] | None,
    notes: tuple[str, ...] = (),
) -> Accuracy:
    """All figures that outputs (by name), reference outputs and labels allow.

    Scores are the first output of shape (samples, classes): classifiers often give labels before them. Outputs are held
    against those of the same names, or in their order where the names are others. What is no number is left out, and
    noted.

    Raises:
        ValueError: shapes that don't fit each other, or labels where nothing is left that could be scores.
    """
    broken = non_finite(outputs)
    if broken:
        return Accuracy(notes=notes, non_finite=broken)
    numbers = _numbers(outputs)
    if left_out := [repr(name) for name in outputs if name not in numbers]:
        notes = (*notes, f"left out, since they are no numbers: {', '.join(left_out)}")
    mine = list(numbers.values())
    theirs = [] if reference is None else _like(numbers, _numbers(reference))
    figures: dict[str, float] = {}
    at = next((i for i, array in enumerate(mine) if _are_scores(array)), 0)
    if at:
        notes = (*notes, f"scores: output {list(numbers)[at]!r}")
    if reference is not None and (mine or theirs):
        figures |= compare(mine, theirs)
        if labels is None and _are_scores(theirs[at]):
            best = theirs[at].argmax(axis=1)
            figures |= {f"top{k}_drop": 1.0 - top_k(mine[at], best, k) for k in (1, 5)}
    if labels is not None:
        if not mine:
            raise ValueError("labels need scores, and none of the outputs are numbers")
        figures |= against_labels(mine[at], labels, theirs[at] if theirs else None)
    return Accuracy(
        cosine=figures.get("cosine"),
        max_abs_error=figures.get("max_abs_error"),
        max_rel_error=figures.get("max_rel_error"),
        top1=figures.get("top1"),
        top5=figures.get("top5"),
        top1_drop=figures.get("top1_drop"),
        top5_drop=figures.get("top5_drop"),
        notes=notes,
    )


def _are_scores(array: NDArray[Any]) -> bool:
    return array.ndim == _MATRIX and array.shape[1] > 1


def _numbers(outputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name: array for name, array in outputs.items() if array.dtype.kind not in _NO_NUMBERS}


def _like(outputs: Mapping[str, NDArray[Any]], reference: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """The reference's outputs in the order of `outputs`, if the names are the same."""
    names = outputs if outputs.keys() == reference.keys() else reference
    return [reference[name] for name in names]


def compare(outputs: Sequence[NDArray[Any]], reference: Sequence[NDArray[Any]]) -> dict[str, float]:
    """How far `outputs` are from the `reference`, same number and shapes, in double precision.

    `cosine` is the smallest over outputs and samples (first dimension), `max_abs_error` and `max_rel_error` the
    largest over all elements.

    Raises:
        ValueError: the outputs differ in number or shape.
    """
    if len(outputs) != len(reference):
        raise ValueError(f"{len(outputs)} outputs against {len(reference)} of the reference")
    cosines, absolute, relative = [1.0], [0.0], [0.0]
    for mine, theirs in zip(outputs, reference, strict=True):
        if mine.shape != theirs.shape:
            raise ValueError(f"an output of shape {list(mine.shape)} against {list(theirs.shape)} of the reference")
        if not mine.size:
            continue
        a, b = np.asarray(mine, np.float64), np.asarray(theirs, np.float64)
        if not np.isfinite(b).all():
            raise ValueError("the reference's outputs are not finite")
        cosines.append(float(_cosines(a, b).min()))
        error = np.abs(a - b)
        absolute.append(float(error.max()))
        floor = max(float(np.abs(b).max()) * _SMALLEST_SHARE, float(np.finfo(np.float64).tiny))
        with np.errstate(over="ignore"):
            largest = float((error / np.maximum(np.abs(b), floor)).max())
        relative.append(min(largest, float(np.finfo(np.float64).max)))
    return {"cosine": min(cosines), "max_abs_error": max(absolute), "max_rel_error": max(relative)}


def _cosines(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = a.shape[0] if a.ndim > 1 else 1
    a, b = a.reshape(rows, -1), b.reshape(rows, -1)
    norms: NDArray[np.float64] = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    both_zero = (np.linalg.norm(a, axis=1) == 0) & (np.linalg.norm(b, axis=1) == 0)
    products: NDArray[np.float64] = (a * b).sum(axis=1) / np.where(norms == 0, 1.0, norms)
    return np.where(both_zero, 1.0, products)


def top_k(scores: NDArray[Any], labels: NDArray[Any], k: int) -> float:
    """The share of rows of `scores` (samples, classes) whose label is among the k highest.

    Raises:
        ValueError: shapes that can't be scores and labels, or labels that are no numbers of classes.
    """
    if scores.ndim != _MATRIX or labels.shape != scores.shape[:1]:
        raise ValueError(
            f"labels need scores (samples, classes) and one label a sample: {scores.shape}, {labels.shape}"
        )
    labels = _classes(labels)
    if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < scores.shape[1]:
        raise ValueError(
            f"labels run from {labels.min()} to {labels.max()}, the classes from 0 to {scores.shape[1] - 1}"
        )
    own = scores[np.arange(len(scores)), labels]
    # Ties count for the label: int8 scores tie often, and an engine equal to its reference must agree with it.
    return float(((scores > own[:, None]).sum(axis=1) < k).mean())


def _classes(labels: NDArray[Any]) -> NDArray[Any]:
    """Labels as whole numbers; files of labels often hold them as floats."""
    whole = labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels == np.trunc(labels)).all()
    if not whole and labels.dtype.kind not in "iub":
        raise ValueError(
            f"labels are classes by number, counted from 0; of type {labels.dtype}, these are not all whole numbers"
        )
    return labels.astype(np.int64)


def against_labels(
    scores: NDArray[Any], labels: NDArray[Any], reference_scores: NDArray[Any] | None
) -> dict[str, float]:
    """Top-1 and top-5 of `scores`, and their drop from the reference's where there is one (positive is worse)."""
    figures = {"top1": top_k(scores, labels, 1), "top5": top_k(scores, labels, 5)}
    if reference_scores is not None:
        for name, k in (("top1", 1), ("top5", 5)):
            figures[f"{name}_drop"] = top_k(reference_scores, labels, k) - figures[name]
    return figures


def non_finite(outputs: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    """Where outputs hold NaN or infinity, one line an output; empty when all are finite."""
    found = []
    for name, array in outputs.items():
        if array.dtype.kind not in "fc":
            continue
        bad = ~np.isfinite(array)
        if bad.any():
            first = np.unravel_index(int(bad.argmax()), array.shape)
            where = [int(i) for i in first]
            found.append(
                f"output {name!r}: {int(bad.sum())} of {array.size} values not finite, first {array[first]} at {where}"
            )
    return tuple(found)
