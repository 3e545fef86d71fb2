"""Foreign text in Markdown, in workflow commands and in OpenMetrics, read back by those who know these formats."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from pytest_infer.report.escaping import (
    block,
    code,
    code_cell,
    command_message,
    command_property,
    label,
    printable,
)

if TYPE_CHECKING:
    from markdown_it.token import Token

GITHUB = MarkdownIt("gfm-like", {"html": True, "linkify": False})
ODD = st.text(alphabet=st.sampled_from("`|\\<>&@#*_[](){}!~ \t\n\r\0\"'%:,ab€\x85\u2028\udc80"), max_size=20)
TEXTS = st.one_of(ODD, st.text(max_size=20))


def inline(markdown: str) -> list[Token]:
    """What stands in the cells and paragraphs of a document, without plain emptiness."""
    tokens = [child for token in GITHUB.parse(markdown) for child in token.children or ()]
    return [token for token in tokens if token.type != "text" or token.content.strip()]


@given(TEXTS.filter(bool))
def test_code_is_one_span_of_the_same_text(text: str) -> None:
    """Nothing in it becomes mark-up, and nothing of it is lost but what is not printable, which is told."""
    for document, written in ((f"a {code(text)} b\n", code), (f"|h|g|\n|-|-|\n|{code_cell(text)}|x|\n", code_cell)):
        found = [token.content for token in inline(document) if token.type == "code_inline"]
        assert found == [printable(text)], (written.__name__, document)


@given(TEXTS.filter(bool))
def test_a_cell_stays_a_cell(text: str) -> None:
    """Two columns stay two, and one row one row."""
    tokens = GITHUB.parse(f"|h|g|\n|-|-|\n|{code_cell(text)}|x|\n")
    assert sum(token.type == "td_open" for token in tokens) == 2
    assert sum(token.type == "tr_open" for token in tokens) == 2


@given(st.lists(TEXTS, min_size=1, max_size=4).map("\n".join))
def test_a_block_holds_its_lines(text: str) -> None:
    """Whatever fences they hold; what comes behind it is outside."""
    fence, *behind = GITHUB.parse(f"{block(text)}\nbehind\n")
    assert fence.type == "fence"
    assert fence.content == "\n".join(printable(line) for line in text.split("\n")) + "\n"
    assert [token.content for token in behind if token.type == "inline"] == ["behind"]


@given(TEXTS)
def test_commands_are_read_back(text: str) -> None:
    """As GitHub's runner does it: no line end and, in properties, neither of the two letters that end one."""
    message, value = command_message(text), command_property(text)
    assert not set("\r\n") & set(message + value)
    assert not set(":,") & set(value)
    for written in (message, value):
        read = written
        for escape, letter in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
            read = read.replace(escape, letter)
        assert read == text


@given(TEXTS)
def test_labels_are_read_back_by_prometheus_and_by_gitlab(text: str) -> None:
    """By GitLab (everything from a # on dropped, then a shell's words) as name and value."""
    line = f'infer_x{{test="{label(text)}",device="d"}} 1.5'
    (family,) = text_string_to_metric_families(f"# TYPE infer_x gauge\n{line}\n# EOF\n")  # type: ignore[no-untyped-call]
    (sample,) = family.samples
    assert sample.labels == {"test": printable(text).replace("#", "%23"), "device": "d"}
    name, value = shlex.split(line.partition("#")[0])
    assert value == "1.5"
    assert name == f"infer_x{{test={printable(text).replace('#', '%23')},device=d}}"


@given(st.text())
def test_what_is_printable_can_be_written(text: str) -> None:
    """In UTF-8, on one line."""
    assert len(printable(text).encode().splitlines() or [b""]) == 1
