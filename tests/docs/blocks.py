"""The README and CONTRIBUTING as data: their code blocks with the heading above each, and their inline code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (ROOT / "README.md", ROOT / ".github" / "CONTRIBUTING.md")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block: where it stands, its language and its text."""

    page: str
    heading: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        """Where it stands, as the name of a test."""
        return f"{self.page}:{self.line}"


def blocks(language: str | None = None) -> list[Block]:
    """All blocks, or those of one language, in order."""
    return [block for page in PAGES for block in _blocks(page) if language in {None, block.language}]


def inline(page: Path) -> list[str]:
    """Every piece of inline code."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(page.read_text())
    children = [child for token in tokens for child in token.children or ()]
    return [child.content for child in children if child.type == "code_inline"]


def _blocks(page: Path) -> list[Block]:
    found, heading = [], ""
    tokens = MarkdownIt().parse(page.read_text())
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            heading = tokens[number + 1].content
        if token.type == "fence":
            line = token.map[0] + 2 if token.map else 0
            found.append(Block(page=page.name, heading=heading, line=line, language=token.info, text=token.content))
    return found
