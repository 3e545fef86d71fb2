"""Options of the examples: each can make its network slower, to see its tests fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add one option an example."""
    group = parser.getgroup("examples", "pytest-infer's examples")
    group.addoption(
        "--digits-slowdown", type=int, default=1, metavar="TIMES", help="let the digits network compute all TIMES times"
    )
    group.addoption(
        "--vision-slowdown",
        action="append",
        default=[],
        metavar="NETWORK:TIMES",
        help="let one of the vision networks compute all TIMES times, like SqueezeNet:20; repeatable",
    )
    group.addoption(
        "--minilm-slowdown", type=int, default=1, metavar="TIMES", help="let the encoder compute all TIMES times"
    )
    group.addoption(
        "--callable-slowdown", type=int, default=1, metavar="TIMES", help="let the callables compute all TIMES times"
    )
