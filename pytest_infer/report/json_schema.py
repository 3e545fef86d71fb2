"""The JSON report's own JSON Schema, made from the code that writes it, and published as a file beside it."""

from __future__ import annotations

import inspect
import json
import sys
from typing import Any, Final

import msgspec

from pytest_infer.report.json_report import SCHEMA, JsonReport

PUBLISHED: Final = f"schema/report-{SCHEMA}.json"
"""The file, relative to this module."""


def report_schema() -> dict[str, Any]:
    """The schema of the reports that this version writes, as JSON Schema of draft 2020-12.

    Unknown properties are allowed: a later version may add some under the same number.
    """
    schema: dict[str, Any] = _uniform(msgspec.json.schema(JsonReport))
    schema["$defs"]["JsonReport"]["properties"]["schema"] = {"const": SCHEMA}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A report of pytest-infer, schema {SCHEMA}",
        **schema,
    }


def schema_text() -> str:
    """The published file's text."""
    return json.dumps(report_schema(), indent=1, sort_keys=True) + "\n"


def _uniform(value: Any) -> Any:
    """The same from every Python and msgspec.

    Descriptions are docstrings, whose indentation Python keeps up to 3.12 and drops from 3.13 on; defaults that are
    empty objects msgspec tells from 0.23 on.
    """
    if isinstance(value, dict):
        return {
            key: inspect.cleandoc(inner) if key == "description" and isinstance(inner, str) else _uniform(inner)
            for key, inner in value.items()
            if not (key == "default" and inner == {})
        }
    return [_uniform(inner) for inner in value] if isinstance(value, list) else value


if __name__ == "__main__":
    sys.stdout.write(schema_text())
