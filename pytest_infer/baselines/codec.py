"""Baseline files as text: keys sorted, one run a line, so that a review shows what changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pytest_infer.baselines.schema import SCHEMA, BaselineFile, Calibration
from pytest_infer.errors import BaselineCorruptError, BaselineSchemaError

if TYPE_CHECKING:
    from pathlib import Path


_AGAIN: Final = "delete it and run pytest-infer calibrate again"


def encode(file: BaselineFile) -> str:
    """The file's text."""
    content = msgspec.to_builtins(file)
    lines = ["{", f' "device": {_line(content["device"])},', ' "entries": {']
    entries = sorted(content["entries"].items())
    for i, (key, entry) in enumerate(entries):
        lines += [f"  {json.dumps(key)}: {{", '   "runs": [']
        runs = [f"    {_line(run)}" for run in entry["runs"]]
        lines += [",\n".join(runs)] if runs else []
        lines += ["   ],", f'   "workload": {_line(entry["workload"])}', "  }" + ("," if i + 1 < len(entries) else "")]
    lines += [" },", f' "schema": {file.schema},', ' "sessions": {']
    sessions = [f"  {json.dumps(key)}: {_line(session)}" for key, session in sorted(content["sessions"].items())]
    lines += [",\n".join(sessions)] if sessions else []
    return "\n".join([*lines, " }", "}", ""])


def decode(text: bytes, path: Path) -> BaselineFile:
    """Read a file's text; `path` is for the error messages.

    Raises:
        BaselineSchemaError: a newer pytest-infer wrote it. BaselineCorruptError: it is not what the schema promises.
    """
    content = _json(text, path)
    try:
        return msgspec.convert(content, BaselineFile)
    except msgspec.ValidationError as error:
        raise BaselineCorruptError(f"{path} is no baseline file: {error}; restore it from version control") from None


def decode_calibration(text: bytes, path: Path) -> Calibration:
    """Read a calibration's text.

    Raises:
        BaselineSchemaError: a newer pytest-infer wrote it. BaselineCorruptError: it is none.
    """
    content = _json(text, path)
    try:
        found = msgspec.convert(content, Calibration)
    except msgspec.ValidationError as error:
        raise BaselineCorruptError(f"{path} is no calibration: {error}; {_AGAIN}") from None
    if min(found.run_sd, found.session_sd, found.common_sd, found.df) <= 0:
        raise BaselineCorruptError(f"{path} holds a spread that is not positive; {_AGAIN}")
    return found


def _json(text: bytes, path: Path) -> Any:
    """The file's plain values, of a schema that we know."""
    try:
        content = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BaselineCorruptError(
            f"{path} is no JSON ({error}); restore it from version control, or delete it and record anew"
        ) from None
    schema = content.get("schema") if isinstance(content, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise BaselineSchemaError(
            f"{path} has schema {schema}, written by a newer pytest-infer; this one reads up to {SCHEMA}: upgrade it"
        )
    return content


def _line(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
