"""What the pages name is there, and what is there for users is named."""

from __future__ import annotations

import re
from importlib import metadata
from typing import TYPE_CHECKING

import click
import pytest

from pytest_infer.cli import main
from pytest_infer.config import OPTIONS, UPDATE_FLAGS
from pytest_infer.marker import _CHECKS
from pytest_infer.metrics import METRICS
from pytest_infer.verdict import Outcome
from pytest_infer.workload import Precision
from tests.docs.blocks import PAGES, ROOT, blocks, inline

if TYPE_CHECKING:
    from pathlib import Path

README = PAGES[0].read_text()


def words(text: str) -> set[str]:
    """The inline code in a text."""
    return set(re.findall(r"`([^`]+)`", text))


def section(heading: str) -> str:
    """The text under one heading of the README, up to the next one of its level."""
    level = "#" * len(re.match("#+", heading)[0])  # type: ignore[index]
    rest = README.partition(f"\n{heading}\n")[2]
    assert rest, f"README.md has no heading {heading!r}"
    return re.split(rf"^{level} ", rest, flags=re.MULTILINE)[0]


def first_cells(heading: str) -> set[str]:
    """The inline code in the first cells of a section's tables."""
    rows = (line.split(" | ")[0] for line in section(heading).splitlines() if line.startswith("| "))
    return {word for cell in rows for word in words(cell)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_exist(page: Path) -> None:
    """Every --infer option that a page names is one."""
    known = {option.name for option in OPTIONS} | {"--infer-update-baselines"}
    assert set(re.findall(r"--infer-[a-z]+(?:-[a-z]+)*", page.read_text())) <= known


def test_every_option_is_described() -> None:
    """The README's table of options holds all of them."""
    named = {re.match(r"--[a-z-]+", word)[0] for word in first_cells("## Options") if word.startswith("--")}  # type: ignore[index]
    assert named == {option.name for option in OPTIONS} | {flag.partition("=")[0] for flag in UPDATE_FLAGS}


def test_every_key_is_described() -> None:
    """The README's section on the marker names every key of it, and the first cells of its table no other."""
    named = {word.partition("=")[0] for word in words(section("## The marker"))}
    assert _CHECKS.keys() - named == set()
    assert {word.partition("=")[0] for word in first_cells("## The marker")} - _CHECKS.keys() == set()


def test_every_outcome_is_described() -> None:
    """The README's table of outcomes holds all of them, and no other."""
    assert first_cells("## Outcomes") == {str(outcome) for outcome in Outcome}


def test_every_precision_and_metric_is_named() -> None:
    """Whoever looks for a precision or a metric finds its name."""
    text = words(section("## The marker"))
    assert {str(precision) for precision in Precision} <= text
    assert {"latency", "throughput", "device", "energy"} <= METRICS.keys()
    assert METRICS.keys() <= text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_exist(page: Path) -> None:
    """Every file of the project that a page names in code is there."""
    paths = {
        part
        for code in inline(page)
        for part in re.split(r"[\s'=,]", code)
        if re.match(r"(tests|pytest_infer|examples|\.github|\.ci)/\w", part)
    }
    assert paths
    missing = {path for path in paths if not (ROOT / re.sub(r"::.*|\*.*|\[.*", "", path)).exists()}
    assert missing == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_extras_exist(page: Path) -> None:
    """Every extra that a page installs is one of the package."""
    groups = re.findall(r"(?:pytest-infer|\.)\[([a-z,-]+)\]", page.read_text())
    extras = {name for group in groups for name in group.split(",")}
    assert extras <= set(metadata.metadata("pytest-infer").get_all("Provides-Extra") or ())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    """Every `pytest-infer ...` that a page names is a command, with the options that it has."""
    told = [*inline(page), *(block.text for block in blocks("console") if block.page == page.name)]
    for code in re.findall(r"pytest-infer ((?:[a-z-]+ ?)+)", "\n".join(told)):
        command: click.Command = main
        for word in code.split():
            if not isinstance(command, click.Group):
                break
            known = command.commands.get(word)
            assert known is not None, f"{page.name}: no command {code!r}"
            command = known


def test_every_command_is_described() -> None:
    """The README's table of commands holds all of them."""

    def paths(command: click.Command, prefix: str) -> set[str]:
        if not isinstance(command, click.Group):
            return {prefix}
        return {path for name, sub in command.commands.items() for path in paths(sub, f"{prefix} {name}".strip())}

    named = first_cells("## The command line")
    assert {path for path in paths(main, "") if not any(n.startswith(path) for n in named)} == set()
