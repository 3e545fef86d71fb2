"""What errors say."""

from __future__ import annotations

import pytest

from pytest_infer.errors import from_process, telling_line


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("x\nE   EOFError: nothing\nE   more", "EOFError: nothing"),
        ("Exception: of a fixture", "Exception: of a fixture"),
        ("ERROR: usage", "ERROR: usage"),
        ("\n  \nfirst\nsecond", "first"),
        ("it was killed; its output:\na\nMemoryError: b\nc", "it was killed; its output: MemoryError: b"),
        ("it was killed; its output:\na\nb", "it was killed; its output: b"),
        ("", ""),
    ],
)
def test_the_line_that_says_most(message: str, told: str) -> None:
    """Whole: its first letters, too."""
    assert telling_line(message) == told


def test_what_another_process_told_is_told_once() -> None:
    """One line stands for itself; of several the one that says most comes first, where a summary shows it."""
    assert from_process("no such metric\n") == "no such metric (in a process of its own)"
    several = "def test():\n>   1 / 0\nE   ZeroDivisionError: x"
    assert from_process(several) == f"ZeroDivisionError: x (in a process of its own)\n{several}"
