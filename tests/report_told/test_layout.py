"""Rows on a terminal of any width."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.report.layout import arranged, folded

CELLS = [
    "p50 2.013 ms",
    "p99 2.5 ms",
    "500/s",
    "+1.3% [-0.2%, +2.8%]",
    "detectable +4.0% (provisional)",
    "cosine 0.99996",
]
HEAD = "tests/vision/deep/test_vision.py::TestNet::test_resnet50[tensorrt-fp16-b8]: passed"


def test_a_log_keeps_lines_whole() -> None:
    """Whoever searches it finds test, verdict and figures on one line, whatever else is there."""
    (lines,) = arranged([(HEAD, *CELLS, "")], None)
    assert lines == [HEAD + "  " + "  ".join(CELLS)]


def test_a_wide_terminal_shows_columns() -> None:
    """Figures of one kind stand below each other; a column that is empty everywhere takes no room."""
    rows = [("a: passed", "p50 2.013 ms", "", "1/s"), ("longer: passed", "p50 9 ms", "", "")]
    assert arranged(rows, 80) == [
        ["a: passed       p50 2.013 ms  1/s"],
        ["longer: passed  p50 9 ms"],
    ]


@given(st.integers(20, 200), st.lists(st.lists(st.sampled_from([*CELLS, ""]), min_size=6, max_size=6), max_size=4))
def test_no_figure_is_cut(width: int, rows: list[list[str]]) -> None:
    """At any width every word of every cell is there, in order; lines keep within it where no word is longer."""
    told = arranged([(HEAD, *cells) for cells in rows], width)
    for cells, lines in zip(rows, told, strict=True):
        words = " ".join(lines).split()
        expected = " ".join(cells).split()
        assert words[len(words) - len(expected) :] == expected
        assert all(len(line) <= max(width, 24) for line in lines)
        assert lines[0].rstrip().endswith("passed") or "passed  " in lines[0]


def test_a_node_id_loses_its_beginning_first() -> None:
    """Folders, then the file, then letters; the verdict behind it stays."""
    assert {width: arranged([(HEAD, *CELLS)], width)[0][0] for width in (90, 80, 60, 45, 24)} == {
        90: HEAD,
        80: "…/vision/deep/test_vision.py::TestNet::test_resnet50[tensorrt-fp16-b8]: passed",
        60: "…::TestNet::test_resnet50[tensorrt-fp16-b8]: passed",
        45: "…::test_resnet50[tensorrt-fp16-b8]: passed",
        24: "…nsorrt-fp16-b8]: passed",
    }


def test_wide_letters_count_as_two() -> None:
    """As a terminal shows them."""
    ((line,), (other,)) = arranged([("模型: passed", "1/s"), ("model: passed", "1/s")], 80)
    assert line == "模型: passed   1/s"
    assert other == "model: passed  1/s"


def test_sentences_fold_between_words() -> None:
    """A command stays whole, so that it can be copied."""
    command = "pytest 'tests/test_net.py::test_net[fp32-b1]'"
    assert folded("short", 40) == ["    short"]
    lines = folded(f"to accept it say {command} --infer-update-baselines", 30)
    assert all(word in " ".join(lines) for word in command.split())
    assert folded("anything " * 20, None) == ["    " + "anything " * 20]
