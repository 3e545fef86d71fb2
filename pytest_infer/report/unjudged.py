"""Tests that failed without a verdict, in one wording for every report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_infer.report.rows import Row

if TYPE_CHECKING:
    from pytest_infer.report.json_report import JsonError
    from pytest_infer.result import BrokenTest

ERROR: Final = "error"
"""Stands where a measurement has its outcome."""


def counted(count: int) -> str:
    """How many there are, as a part of a sentence."""
    return f"{count} test{'' if count == 1 else 's'} failed without a verdict"


def headline(error: BrokenTest | JsonError) -> str:
    """Whose it is, as of a verdict."""
    return f"{ERROR}: {error.nodeid}"


def told(error: BrokenTest | JsonError) -> str:
    """What happened, and when."""
    return f"{error.phase}: {error.message}"


def row_of(error: BrokenTest) -> Row:
    """Its row among measurements."""
    return Row(test=error.nodeid, outcome=ERROR)
