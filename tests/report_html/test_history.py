"""How the runs behind a verdict come to the reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pytest_infer.config import Settings
from pytest_infer.decision import Decision
from pytest_infer.device.fingerprint import Device
from pytest_infer.gating import Gate
from pytest_infer.marker import parse
from pytest_infer.measurement import Measurement
from pytest_infer.report.json_report import encode, read
from pytest_infer.result import Compared, Result
from tests.report_html.reports import history, report, result
from tests.unit.conftest import store

if TYPE_CHECKING:
    from tests.unit.conftest import MemoryStore

__all__ = ["store"]
CPU = Device(slug="cpu-x-4c", kind="cpu", name="CPU X", identity={"cores": 4})
ROUNDS: dict[str, tuple[float, ...]] = {"latency": (0.01, -0.02)}


def decided(store: MemoryStore, *, test: str = "test_0", interleave: Any = None, **given: Any) -> Result:
    """The result of a run of 1 ms, which is what `test_0` of the store takes."""
    settings = Settings(root=Path(), **given)
    decision = Decision(f"test_net.py::{test}", parse({}), settings, Gate(settings, CPU, store, {}))
    run = Measurement(name="", workload={"batch": 1}, digest="d", metrics={"latency": 1.0, "throughput": 1000.0})
    (found,) = decision.compare([run], lambda _: [], interleave)
    return found


def test_the_accepted_runs_are_those_of_the_entry(store: MemoryStore) -> None:
    """All of them, oldest first, each with the time of its recording."""
    (entry,) = (e for key, e in store.files["cpu-x-4c", "test_net.py"].entries.items() if key.startswith("test_0 "))
    found = decided(store).history
    assert [run.metrics for run in found] == [run.metrics for run in entry.runs]
    assert [run.session for run in found] == [run.session for run in entry.runs]
    assert found[0].recorded == "20240101T000000-aa"  # this store's own word for it


@pytest.mark.parametrize("given", [{"baseline_mode": "off"}, {"test": "test_new"}])
def test_without_a_baseline_there_is_no_history(store: MemoryStore, given: dict[str, Any]) -> None:
    """Nothing that was not compared with."""
    assert decided(store, **given).history == ()


def test_the_rounds_of_an_interleaved_comparison(store: MemoryStore) -> None:
    """They are its data; no baseline was looked at."""
    found = decided(store, against="main", interleave=lambda: {"": Compared(rounds=ROUNDS)})
    assert (found.rounds, found.history) == (ROUNDS, ())


def test_both_survive_the_way_to_the_report(tmp_path: Path) -> None:
    """As plain values from a worker, and as JSON to whoever reads it later."""
    kept = msgspec.convert(msgspec.to_builtins(result(rounds=ROUNDS, against="main")), Result)
    file = tmp_path / "report.json"
    file.write_bytes(encode(report(kept)))
    (found,) = read(file).results
    assert (found.history, found.rounds, found.against) == (history(), ROUNDS, "main")
    assert found.accuracy_notes == kept.measurement.accuracy_notes
