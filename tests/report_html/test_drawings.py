"""What pictures are made of, whatever was measured: plotly.py's own schema takes each of them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_infer.measurement import Measurement, Samples
from pytest_infer.report.html.drawing import log_ticks, scale
from pytest_infer.report.html.page import inert_json, page_of
from pytest_infer.report.json_report import content_of
from pytest_infer.result import AcceptedRun, Result
from pytest_infer.verdict import Outcome
from tests.report_html.reports import HOSTILE, change, family, history, report, result

graph_objects = pytest.importorskip("plotly.graph_objects", reason="plotly is not installed")

positive = st.floats(1e-6, 1e9)
fractions = st.floats(-0.99, 1e6)
texts = st.sampled_from(["", "a", HOSTILE])
names = st.sampled_from(["latency", "throughput", "engine_size", "speedup_over_fp32"])
quantiles = st.dictionaries(st.sampled_from(["min", "p50", "p90", "p99", "max"]), st.integers(1, 10**12))
metrics = st.dictionaries(names, positive)
workloads = st.fixed_dictionaries(
    {}, optional={"batch": st.sampled_from([None, 1, 8]), "precision": st.sampled_from([None, "fp32", "int8", "odd"])}
)
changes = st.builds(
    change,
    metric=st.sampled_from(["latency", "throughput"]),
    estimate=fractions,
    low=fractions,
    high=fractions,
    detectable=st.none() | st.floats(0, 100),
    tolerance=st.floats(0, 1),
    baseline=positive,
    current=positive,
    confirmed=st.integers(0, 3),
    shift=st.none() | fractions,
    against=st.sampled_from(["baseline", "anchor", "other"]),
)
measurements = st.builds(
    Measurement,
    name=texts,
    workload=workloads,
    digest=texts,
    metrics=metrics,
    intervals=st.dictionaries(names, st.tuples(positive, positive)),
    samples=st.none()
    | st.builds(
        Samples,
        count=st.integers(0, 9),
        block_medians_ns=st.lists(st.integers(1, 10**12)).map(tuple),
        quantiles_ns=quantiles,
    ),
    accuracy=st.dictionaries(st.sampled_from(["top1", "cosine", "max_abs_error"]), st.floats(-1, 1)),
    device=texts,
)
results = st.builds(
    Result,
    nodeid=st.sampled_from(["t.py::a[fp32-b1]", "t.py::a[int8-b8]", "t.py::a", HOSTILE]),
    outcome=st.sampled_from(Outcome),
    failed=st.booleans(),
    reasons=st.lists(texts).map(tuple),
    measurement=measurements,
    changes=st.lists(changes, max_size=3).map(tuple),
    history=st.lists(
        st.builds(AcceptedRun, session=texts, recorded=texts, metrics=metrics, quantiles_ns=quantiles), max_size=4
    ).map(tuple),
    rounds=st.dictionaries(st.sampled_from(["latency", "throughput"]), st.lists(fractions, min_size=1).map(tuple)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(results, max_size=5))
def test_whatever_was_measured_is_drawn(found: list[Result]) -> None:
    """Each picture is one that plotly.js knows how to draw, holds no NaN, and none is empty; each row is there."""
    page = page_of(content_of(report(*found)))
    assert len(page.rows) == len(found)
    for figure in (*(f for row in page.rows for f in row.detail.figures), *(f for g in page.groups for f in g.figures)):
        assert figure.title
        assert figure.words
        drawing = json.loads(inert_json(figure.drawing))
        assert drawing["data"]
        graph_objects.Figure(_painted(drawing))


def _painted(value: Any) -> Any:
    """A drawing whose colours are no longer names of CSS variables."""
    if isinstance(value, dict):
        return {
            key: "#123456" if key.endswith("color") and isinstance(inner, str) else _painted(inner)
            for key, inner in value.items()
        }
    return [_painted(inner) for inner in value] if isinstance(value, list) else value


def traces(of: Result, title: str) -> dict[str, dict[str, Any]]:
    """The named traces of one of a result's pictures."""
    (row,) = page_of(content_of(report(of))).rows
    (figure,) = (figure for figure in row.detail.figures if figure.title == title)
    return {trace["name"]: trace for trace in figure.drawing["data"] if "name" in trace}


def test_the_history_shows_what_the_verdict_rests_on() -> None:
    """Accepted runs in order, the band around the baseline, what could have been seen, this run, and the fresh ones."""
    slow = change(2.6, confirmed=3, current=2.5)
    found = traces(result(latency=2.6, changes=(slow,), outcome=Outcome.REGRESSED), "History of latency")
    assert found["accepted run"]["y"] == [float(f"{run.metrics['latency']:.6g}") for run in history()]
    assert found["accepted run"]["text"][0] == "2026-01-01 00:00"
    assert found["baseline"]["y"] == [2.0, 2.0]
    assert found["tolerance of 2.0%"]["y"] == [2.04, 2.04]
    assert found["detectable +1.5%"]["y"] == [2.03, 2.03]
    assert (found["this run"]["x"], found["this run"]["y"]) == ([16], [2.6])
    assert found["3 fresh runs, mean"]["y"] == [2.5]
    assert len(found["blocks of this run"]["y"]) == 7


def test_where_more_is_better_worse_lies_below() -> None:
    """Of throughput the detectable change is a lower value."""
    gated = change(metric="throughput", unit="samples/s", baseline=4000.0, detectable=0.25)
    found = traces(result(changes=(gated,)), "History of throughput")
    assert found["detectable +25.0%"]["y"] == [3200.0, 3200.0]


def test_the_distribution_lies_over_that_of_the_accepted_runs() -> None:
    """A line by percentile for this run, an area from the lowest to the highest accepted run, only where both tell."""
    found = traces(result(), "Distribution of latency")
    assert found["this run"]["x"] == ["min", "p50", "p90", "p95", "p99", "max"]
    assert found["this run"]["y"] == [1.9, 2.0, 2.2, 2.4, 2.6, 4.0]
    area = found["accepted runs, from lowest to highest"]
    assert area["x"] == ["min", "p50", "p99", "max"]
    assert area["y"][1] == max(run.quantiles_ns["p50"] for run in history()) / 1e6


def test_an_interleaved_comparison_shows_its_rounds() -> None:
    """In percent, with the tolerance and the interval of all; there is no history to show."""
    ab = change(2.1, against="other", other="main", low=0.03, high=0.06)
    found = traces(result(changes=(ab,), history=(), rounds={"latency": (0.05, -0.01)}), "Rounds of latency")
    assert found["round"]["y"] == [5.0, -1.0]
    assert found["tolerance of 2.0%"]["y"] == [2.0, 2.0]
    assert found["95 % interval"]["y"] == [3.0, 3.0, None, 6.0, 6.0]


def test_what_varies_names_the_series() -> None:
    """Devices, backends and a user's own parameters tell series apart where they differ, and are left out otherwise."""
    both = [*family(), *family(measured_on="gpu-a")]
    (group,) = page_of(content_of(report(*both))).groups
    series = [trace["name"] for trace in group.figures[0].drawing["data"]]
    assert series == ["fp32 · cpu-x-4c", "fp32 · gpu-a", "int8 · cpu-x-4c", "int8 · gpu-a"]


@pytest.mark.parametrize(
    ("ids", "series"),
    [
        (["a[fp32-b1-small]", "a[fp32-b8-small]", "a[fp32-b1-large]"], ["small", "large"]),
        (["a[gpu0-fp32-b1]", "a[gpu0-fp32-b8]"], ["a"]),
        (["a[fp32-b1]", "a[fp32-b8]", "b[fp32-b1]"], ["a"]),
    ],
)
def test_a_users_own_parameters(ids: list[str], series: list[str]) -> None:
    """They are what an id holds beside backend, precision and batch."""
    found = [
        result(
            nodeid=f"t.py::{test}",
            measurement={
                "workload": {"backend": "onnxruntime", "precision": "fp32", "batch": 8 if "b8" in test else 1}
            },
        )
        for test in ids
    ]
    (group,) = page_of(content_of(report(*found))).groups
    assert [trace["name"] for trace in group.figures[0].drawing["data"]] == series


def test_one_case_alone_is_no_family() -> None:
    """Nor are several that differ in nothing that could be an axis."""
    one = result(nodeid="t.py::a[fp32-x]"), result(nodeid="t.py::a[fp32-y]")
    assert page_of(content_of(report(*one))).groups == ()


@given(st.lists(st.floats(1e-9, 1e12), min_size=1))
def test_a_logarithmic_axis_has_numbers_on_it(values: list[float]) -> None:
    """At least one, all within what is shown, and as many texts."""
    ticks = log_ticks(values)
    assert len(ticks["tickvals"]) == len(ticks["ticktext"]) >= 1
    assert min(values) / 1.3 <= min(ticks["tickvals"]) <= max(ticks["tickvals"]) <= max(values) * 1.3


@pytest.mark.parametrize(
    ("values", "kind"), [([1, 19], {}), ([1, None], {}), ([0, 100], {}), ([math.nan], {}), ([], {})]
)
def test_an_axis_stays_linear_where_it_can(values: list[float | None], kind: dict[str, Any]) -> None:
    """Logarithms are for more than an order of magnitude, and for positive values alone."""
    assert scale(values) == kind
    assert scale([1, 21])["type"] == "log"


def test_inert_json_ends_no_script() -> None:
    """And is read back as it was."""
    text = inert_json({"a": HOSTILE})
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"a": HOSTILE}
