"""pytest-benchmark's private names, where `pytest_infer/benchmark/names.py` looks for them: it fails here first."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.benchmark import names

if TYPE_CHECKING:
    from pytest_benchmark.session import BenchmarkSession


@pytest.fixture
def theirs(pytester: pytest.Pytester) -> tuple[Any, BenchmarkSession]:
    """A used fixture and its session, of a real run."""
    seen: list[Any] = []

    class Look:
        @staticmethod
        def pytest_runtest_call(item: pytest.Item) -> None:
            seen.append(item.funcargs["benchmark"])  # type: ignore[attr-defined]
            seen.append(item.config._benchmarksession)  # type: ignore[attr-defined]

    pytester.makepyfile("def test_it(benchmark): benchmark.pedantic(len, args=('a',), rounds=7, iterations=2)")
    pytester.inline_run("-p", "no:infer", "-p", "no:randomly", "-p", "no:xdist", plugins=[Look()])
    fixture, session = seen
    return fixture, session


def test_what_is_read(theirs: tuple[Any, BenchmarkSession]) -> None:
    """Whether the fixture was used, its rounds in seconds a call, and the session's rows."""
    fixture, session = theirs
    assert names.is_benchmark(fixture)
    assert names.was_called(fixture)
    seconds, calls = names.rounds_of(fixture)
    assert (len(seconds), calls) == (7, 2)
    assert [row.fullname for row in session.benchmarks] == ["test_what_is_read.py::test_it"]
    assert session.benchmarks[0].fixture is fixture
    assert session.benchmarks[0].stats.data == seconds
    assert session.xdist_benchmark_found is False


def test_what_is_replaced(theirs: tuple[Any, BenchmarkSession]) -> None:
    """The two ways to measure, the way into the session, and the switch."""
    fixture, _ = theirs
    source = {name: inspect.getsource(getattr(type(fixture), name)) for name in ("__call__", "pedantic", "_make_stats")}
    assert "self._raw(" in source["__call__"]
    assert "self._raw_pedantic(" in source["pedantic"]
    assert "self._add_stats(" in source["_make_stats"]
    assert fixture.disabled is False
    assert fixture.enabled is True
    assert fixture.has_error is False
    assert fixture.extra_info == {}


def test_what_a_row_is_asked_for() -> None:
    """A row of ours has all that pytest-benchmark takes from a fixture, and gives all that it writes."""
    from pytest_benchmark import stats

    metadata: Any = stats.Metadata
    row = names.Row(
        name="test_x[a]", fullname="t.py::test_x[a]", group="g", param="a", params={"n": 1}, extra_info={"k": 2},
        has_error=True,
    )  # fmt: skip
    entry = metadata(row, iterations=4, options={"timer": "perf_counter_ns"})
    for time_s in (4.0, 8.0):
        entry.update(time_s)
    assert entry.stats.data == [1.0, 2.0]
    assert entry.has_error
    written = entry.as_dict(include_data=True)
    assert written["stats"]["iterations"] == 4
    expected = {"name": row.name, "fullname": row.fullname, "group": "g", "param": "a", "params": {"n": 1}}
    assert expected | {"extra_info": {"k": 2}} == {k: written[k] for k in (*expected, "extra_info")}
    taken = set(inspect.getsource(metadata).replace(")", " ").replace(":", " ").split())
    assert {name.rpartition(".")[2] for name in taken if name.startswith("fixture.")} <= set(
        names.Row.__dataclass_fields__
    )
