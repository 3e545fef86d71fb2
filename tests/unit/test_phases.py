"""A worker's output, taken apart again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.measure.phases import by_phase, last_words, mark

HEADER = "=== test session starts ===\nplatform linux\n"


def output(**parts: str) -> str:
    """What a worker prints, by phase, behind pytest's header."""
    return HEADER + "".join(f"{mark(phase)}\n{text}" for phase, text in parts.items())


@given(st.dictionaries(st.sampled_from(["collection", "setup", "call", "end"]), st.text(max_size=20)))
def test_each_phase_has_its_own(parts: dict[str, str]) -> None:
    """Whatever is printed, also without an end of line."""
    assert by_phase(output(**parts)) == {"": HEADER, **parts}


def test_a_death_shows_what_the_test_said() -> None:
    """Pytest's own header is none of it, nor how the test was found; nothing said is nothing shown."""
    parts = {"collection": "collected 1 item\n\ntest_it.py ", "setup": "", "call": "the last words\n"}
    assert last_words(output(**parts)) == "the last words"
    assert last_words(output(**parts | {"call": ""})) == ""


def test_a_death_before_the_test_shows_why() -> None:
    """What was said while the test was looked for, else all that there is."""
    assert last_words(output(collection="E   SyntaxError\n")) == "E   SyntaxError"
    assert last_words("usage: pytest\nerror: no such option\n") == "usage: pytest\nerror: no such option"


def test_a_long_output_is_cut_and_says_so() -> None:
    """Its end tells most; of a crash's own report the beginning does."""
    said = last_words(output(call="a" * 3000 + "b" * 2000))
    assert said == "[3000 characters before ...]\n" + "b" * 2000
    crash = "Fatal Python error: Segmentation fault"
    said = last_words(output(call="a" * 9000 + crash + "b" * 3000))
    assert said.startswith(f"{crash}bbb")
    assert said.endswith(f"b\n[... {len(crash) + 1000} more characters]")
    assert last_words(output(call="a" * 2000)) == "a" * 2000
