"""`pytest-infer`: look at devices, baselines and reports without running tests."""

from pytest_infer.cli.command import main

__all__ = ["main"]
