"""What is known of a model before an engine is made of it: what it is in, what converts it, what counts its samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pytest_infer.engines.model_file import Content, content_of, model_digest
from pytest_infer.errors import EngineBuildError, MissingDependencyError
from pytest_infer.precision import Unconvertible, converters
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_infer.engines.base import BuildRequest

QUANTIZED: Final = frozenset({Precision.INT8, Precision.FP8})
_SHORT: Final = frozenset({str(Precision.FP16), str(Precision.BF16)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a model.

    Attributes:
        digest: of its file; None for an object.
        precision: what an engine of it is to be in: what is asked, or what it is left in.
        converters: what it is converted by, if it is.
        beside: what some of its nodes may be in all the same: it came so.
        open_first: the inputs whose first dimension its file leaves open; None where no file tells.
    """

    digest: str | None
    precision: Precision | Unconvertible
    converters: Mapping[str, str] = field(default_factory=dict)
    beside: frozenset[str] = frozenset()
    open_first: frozenset[str] | None = None


def content_if_told(model: Path, asked: Precision | None) -> Content | None:
    """What a file tells; None where only its backend can read it, which does where a precision is asked.

    Raises:
        EngineBuildError: none is asked, and it is no ONNX.
    """
    try:
        return content_of(model)
    except (EngineBuildError, MissingDependencyError):
        if asked is None:
            raise
        return None


def of_file(build: BuildRequest, content: Content | None) -> Known:
    """What is known of a model file, which tells `content`."""
    digest = model_digest(build.model)
    if content is None:
        return Known(digest=digest, precision=build.precision)
    all_its_own = content.precision in {*QUANTIZED, Unconvertible.INT4}  # such a model is never converted
    return Known(
        digest=digest,
        precision=content.precision if build.as_it_is else build.precision,
        converters={} if build.as_it_is else converters(content.precision, build.precision),
        beside=content.parts if all_its_own else content.parts & {Unconvertible.FP64},
        open_first=content.open_first,
    )


def of_object(digest: str | None, precision: Precision) -> Known:
    """What is known of a Python object, or of a file of one; it is never converted."""
    return Known(digest=digest, precision=precision, beside=_SHORT if precision in QUANTIZED else frozenset())
