"""The published JSON Schema is what the code writes, and every report keeps to it."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.measurement import Measurement, Samples
from pytest_infer.report.json_report import encode
from pytest_infer.report.json_schema import PUBLISHED, schema_text
from pytest_infer.result import BrokenTest, Result, RunReport
from pytest_infer.verdict import Change, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=5)
state = st.dictionaries(texts, st.one_of(texts, st.integers(-(2**53), 2**53), finite), max_size=2)
measurements = st.builds(
    Measurement,
    name=texts,
    workload=st.dictionaries(texts, st.one_of(texts, st.none(), st.lists(st.integers(0, 9))), max_size=2),
    digest=texts,
    metrics=st.dictionaries(texts, st.one_of(finite, st.just(float("inf"))), max_size=2),
    intervals=st.dictionaries(texts, st.tuples(finite, finite), max_size=2),
    samples=st.one_of(st.none(), st.builds(Samples, count=st.integers(0, 9), block_medians_ns=st.just((1, 2)))),
    accuracy=st.dictionaries(texts, finite, max_size=2),
    model_digest=st.one_of(st.none(), texts),
    contention=st.dictionaries(texts, finite, max_size=1),
    device_state=state,
)
results = st.builds(
    Result,
    nodeid=texts,
    outcome=st.sampled_from(list(Outcome)),
    failed=st.booleans(),
    reasons=st.lists(texts, max_size=2).map(tuple),
    measurement=measurements,
    recorded=st.lists(measurements, max_size=2).map(tuple),
)
reports = st.builds(
    RunReport,
    device=state,
    environment=st.dictionaries(texts, texts, max_size=1),
    results=st.lists(results, max_size=2).map(tuple),
    errors=st.lists(st.builds(BrokenTest, nodeid=texts, phase=texts, message=texts), max_size=2).map(tuple),
    started=texts,
    session=texts,
    devices=st.lists(state, max_size=1).map(tuple),
    update=st.sampled_from([None, "append", "reset"]),
    multiplied=st.booleans(),
)


def published() -> dict[str, Any]:
    """The schema as users find it."""
    content: dict[str, Any] = json.loads(resources.files("pytest_infer.report").joinpath(PUBLISHED).read_text())
    return content


def test_the_published_schema_is_what_the_code_says() -> None:
    """To make it anew: python -m pytest_infer.report.json_schema > pytest_infer/report/schema/report-1.json."""
    assert resources.files("pytest_infer.report").joinpath(PUBLISHED).read_text() == schema_text()


def test_it_is_a_schema() -> None:
    """Of the draft that it names; its number is the reports'."""
    jsonschema.Draft202012Validator.check_schema(published())
    assert published()["$defs"]["JsonReport"]["properties"]["schema"] == {"const": 1}


@given(reports)
def test_every_report_keeps_to_it(report: RunReport) -> None:
    """Whatever was measured, recorded or said."""
    jsonschema.validate(json.loads(encode(report)), published())


def test_changes_keep_to_it(make_result: Callable[..., Result], make_change: Callable[..., Change]) -> None:
    """With and without something that could have been seen."""
    result = make_result(changes=(make_change(), make_change(detectable=None, shift=0.1, against="anchor")))
    report = RunReport(device={"slug": "x"}, environment={}, results=(result,), started="2024")
    jsonschema.validate(json.loads(encode(report)), published())


@pytest.mark.parametrize("wrong", [{"schema": 2}, {"results": None}, {"device": "cpu"}, {"session": 1}])
def test_what_is_no_report_does_not(wrong: dict[str, Any]) -> None:
    """The schema says something."""
    report = json.loads(encode(RunReport(device={"slug": "x"}, environment={}, results=(), started="2024")))
    jsonschema.validate(report, published())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report | wrong, published())
