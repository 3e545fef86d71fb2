"""What is measured: the identity of a workload, and the shapes that go through it."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pytest_infer.errors import UsageError


class Precision(StrEnum):
    """The arithmetic a network is asked to run in."""

    FP32 = "fp32"
    TF32 = "tf32"
    FP16 = "fp16"
    BF16 = "bf16"
    INT8 = "int8"
    FP8 = "fp8"


class Scenario(StrEnum):
    """How requests arrive, in MLPerf Inference's terms."""

    SINGLE_STREAM = "single_stream"
    MULTI_STREAM = "multi_stream"
    SERVER = "server"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """One input or output of an engine.

    Attributes:
        name: its name in the model.
        dtype: numpy's name of the element type (`float32`, `int64`).
        shape: dimensions; a string is the name of a dynamic one.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]

    def resolved(self, batch: int | None, shapes: Mapping[str, tuple[int, ...]], model: str) -> TensorSpec:
        """The same tensor with every dimension a number.

        A dynamic first dimension takes `batch` (one where none is asked), the other dynamic ones come from `shapes`.

        Raises:
            UsageError: a dimension that stays dynamic, or a fixed one that contradicts what was asked.
        """
        given = shapes.get(self.name)
        if given is not None:
            return TensorSpec(name=self.name, dtype=self.dtype, shape=self._merged(given, batch, model))
        shape: list[int | str] = list(self.shape)
        if shape and isinstance(shape[0], str):
            shape[0] = batch or 1
        open_dimensions = [f"{i} ({d!r})" for i, d in enumerate(shape) if isinstance(d, str)]
        if open_dimensions:
            wanted = self.shape[1:] if isinstance(self.shape[0], str) else self.shape
            raise UsageError(
                f"{model}: input {self.name!r} has dynamic dimensions {', '.join(open_dimensions)} that nothing sets; "
                f"give them with shapes={{{self.name!r}: ({', '.join(map(str, wanted))},)}}, a number for each name"
            )
        return TensorSpec(name=self.name, dtype=self.dtype, shape=tuple(shape))

    def _merged(self, given: tuple[int, ...], batch: int | None, model: str) -> tuple[int, ...]:
        if len(given) == len(self.shape) - 1 and self.shape and isinstance(self.shape[0], str):
            given = (batch or 1, *given)
        fits = len(given) == len(self.shape) and all(
            isinstance(mine, str) or mine == asked for mine, asked in zip(self.shape, given, strict=True)
        )
        if not fits:
            raise UsageError(
                f"{model}: shapes={{{self.name!r}: {given}}} does not fit that input's shape {list(self.shape)}; "
                "it holds all of its dimensions, or all but a dynamic first one, and fixed ones must agree"
            )
        if batch is not None and self.shape and isinstance(self.shape[0], str) and given[0] != batch:
            raise UsageError(
                f"{model}: shapes={{{self.name!r}: {given}}} and batch={batch} ask for two different first dimensions; "
                "leave the first one out of shapes"
            )
        return given


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What a measurement means: everything that makes two timings comparable, and nothing that merely may differ.

    The model's content, library versions and clocks are recorded beside a run and told where they differ; they are
    not part of this identity, since a changed model that got slower is what a gate must see.
    """

    target: str
    backend: str
    precision: Precision | None = None
    batch: int | None = None
    inputs: tuple[TensorSpec, ...] = ()
    scenario: Scenario = Scenario.SINGLE_STREAM
    options: Mapping[str, Any] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """The identity as plain JSON values, for reports and baselines."""
        return {
            "target": self.target,
            "backend": self.backend,
            "precision": None if self.precision is None else str(self.precision),
            "batch": self.batch,
            "inputs": [{"name": t.name, "dtype": t.dtype, "shape": list(t.shape)} for t in self.inputs],
            "scenario": str(self.scenario),
            "options": {key: plain(self.options[key]) for key in sorted(self.options)},
        }

    def digest(self) -> str:
        """Twelve hex digits that change when the meaning of the measurement does (its name does not count)."""
        meaning = {key: value for key, value in self.describe().items() if key != "target"}
        return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()[:12]


def plain(value: Any) -> Any:
    """`value` as JSON can hold it, the same in every process: containers kept, the rest by name or by text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return re.sub(r" at 0x[0-9a-f]+", "", getattr(value, "__qualname__", None) or str(value))
