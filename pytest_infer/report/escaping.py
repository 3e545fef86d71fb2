"""Foreign text (node ids, reasons, drivers' words) inside the formats of reports, so that it stays what it is."""

from __future__ import annotations

import re
from typing import Final

_BACKTICKS: Final = re.compile("`+")


def printable(text: str) -> str:
    """What is not printable as an escape: line ends would end a row, and lone surrogates can't be written at all."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def code(text: str) -> str:
    """A code span of GitHub-flavoured Markdown: no mark-up, HTML, mention or link in it acts.

    It is fenced by more backticks than stand together in it; what begins or ends like the fence is kept off by a space.
    """
    kept = printable(text)
    fence = "`" * (_longest_run(kept) + 1)
    pad = " " if kept.strip(" ") and (kept[0] in "` " or kept[-1] in "` ") else ""
    return f"{fence}{pad}{kept}{pad}{fence}"


def code_cell(text: str) -> str:
    """The same in a table, whose own rule escapes pipes also in code; elsewhere the backslash would show."""
    return code(text).replace("|", r"\|")


def block(lines: str) -> str:
    """A fenced block of Markdown that holds any lines."""
    kept = "\n".join(printable(line) for line in lines.split("\n"))
    fence = "`" * max(3, _longest_run(kept) + 1)
    return f"{fence}text\n{kept}\n{fence}\n"


def command_message(text: str) -> str:
    """The message of a workflow command of GitHub Actions (`escapeData` of its toolkit)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def command_property(text: str) -> str:
    """A property of one (`escapeProperty`)."""
    return command_message(text).replace(":", "%3A").replace(",", "%2C")


def label(text: str) -> str:
    r"""The value of an OpenMetrics label, without its quotes.

    `#` becomes `%23`: GitLab's reader takes it for the beginning of a comment wherever it stands.
    """
    return printable(text).replace("#", "%23").replace("\\", r"\\").replace('"', r"\"")


def _longest_run(text: str) -> int:
    return max(map(len, _BACKTICKS.findall(text)), default=0)
