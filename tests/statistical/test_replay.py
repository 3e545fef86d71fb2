"""Replay of real same-code noise that nobody modelled."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_infer.stats.spread import CPU, GPU, GPU_LOCKED, Prior

if TYPE_CHECKING:
    from types import ModuleType


@pytest.fixture(scope="module")
def replay() -> ModuleType:
    """The benchmark that prints the table; what it replays is tested here."""
    path = Path(__file__).parents[1] / "benchmarks" / "replay.py"
    spec = importlib.util.spec_from_file_location("replay_of_noise", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("prior", [GPU_LOCKED, GPU, CPU], ids=["locked GPU", "GPU", "CPU"])
@pytest.mark.parametrize("backwards", [False, True], ids=["as measured", "backwards"])
def test_the_same_code_is_never_called_regressed(replay: ModuleType, prior: Prior, *, backwards: bool) -> None:
    """Not once, whatever was declared of the device; nor with time turned round, which is the same code as well."""
    rows = {network: samples[::-1] if backwards else samples for network, samples in replay.load().items()}
    assert replay.gate(rows, prior=prior).regressed == 0


def test_rules_on_one_run_call_it_regressed_often(replay: ModuleType) -> None:
    """The rules that compare one run with the next fail at least one in ten of the same places."""
    rows = replay.load()
    for name, rule in replay.OTHERS.items():
        assert replay.other(rule, rows) >= 0.10, name


def test_what_can_not_be_seen_is_said(replay: ModuleType) -> None:
    """Five times slower, on a machine that itself runs up to five times slower: nearly always found or inconclusive."""
    tally = replay.gate(replay.load(), 5.0)
    assert tally.regressed > 0
    assert tally.regressed + tally.inconclusive >= 0.85
    assert tally.detectable > 1.0
