"""The JSON report: read back by the schema that wrote it."""

from __future__ import annotations

import errno
import json
import math
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.errors import UsageError
from pytest_infer.measurement import Measurement, Samples
from pytest_infer.report.json_report import SCHEMA, encode, read
from pytest_infer.report.write import write_report
from pytest_infer.result import BrokenTest, Result, RunReport
from pytest_infer.verdict import Change, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=10)
changes = st.builds(
    Change,
    metric=texts,
    unit=texts,
    estimate=finite,
    low=finite,
    high=finite,
    p=finite,
    detectable=st.one_of(st.none(), finite),
    tolerance=finite,
    regressed=st.booleans(),
    improved=st.booleans(),
    suspected=st.booleans(),
    blind=st.booleans(),
    provisional=st.booleans(),
    baseline=finite,
    current=finite,
    runs=st.integers(0, 20),
    sessions=st.integers(0, 20),
    confirmed=st.integers(0, 20),
    against=st.sampled_from(["baseline", "anchor"]),
)
measurements = st.builds(
    Measurement,
    name=texts,
    workload=st.dictionaries(texts, texts, max_size=2),
    digest=texts,
    metrics=st.dictionaries(texts, finite, max_size=2),
    intervals=st.dictionaries(texts, st.tuples(finite, finite), max_size=2),
    samples=st.one_of(st.none(), st.builds(Samples, count=st.integers(0, 10**6))),
    accuracy=st.dictionaries(texts, finite, max_size=2),
    facts=st.dictionaries(texts, texts, max_size=2),
    model_digest=st.one_of(st.none(), texts),
)
results = st.builds(
    Result,
    nodeid=texts,
    outcome=st.sampled_from(list(Outcome)),
    failed=st.booleans(),
    reasons=st.lists(texts, max_size=2).map(tuple),
    measurement=measurements,
    changes=st.lists(changes, max_size=2).map(tuple),
    differs=st.lists(texts, max_size=2).map(tuple),
)
reports = st.builds(
    RunReport,
    device=st.dictionaries(texts, st.one_of(texts, st.integers(-(2**53), 2**53)), max_size=2),
    environment=st.dictionaries(texts, texts, max_size=2),
    results=st.lists(results, max_size=2).map(tuple),
    errors=st.lists(st.builds(BrokenTest, nodeid=texts, phase=texts, message=texts), max_size=2).map(tuple),
    started=texts,
    notes=st.lists(texts, max_size=2).map(tuple),
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file that many examples write."""
    return tmp_path_factory.mktemp("report") / "report.json"


@given(reports)
def test_what_was_written_is_read_back(file: Path, report: RunReport) -> None:
    """Every field of every result, to the last bit; and any JSON reader takes it."""
    write_report(report, file)
    found = read(file)
    assert (found.schema, found.started, found.device, found.environment, found.notes) == (
        SCHEMA,
        report.started,
        report.device,
        report.environment,
        report.notes,
    )
    told = [(error.nodeid, error.phase, error.message) for error in found.errors]
    assert told == [(error.nodeid, error.phase, error.message) for error in report.errors]
    assert len(found.results) == len(report.results)
    for one, of in zip(found.results, report.results, strict=True):
        m = of.measurement
        assert (one.nodeid, one.outcome, one.failed, one.reasons, one.differs, one.changes) == (
            of.nodeid,
            of.outcome,
            of.failed,
            of.reasons,
            of.differs,
            of.changes,
        )
        assert (one.name, one.workload, one.digest, one.metrics, one.intervals, one.samples) == (
            m.name,
            m.workload,
            m.digest,
            m.metrics,
            m.intervals,
            m.samples,
        )
        assert (one.accuracy, one.facts, one.model_digest) == (m.accuracy, m.facts, m.model_digest)
    json.loads(file.read_bytes())


def report_of(*of: Result) -> RunReport:
    """A session of these results."""
    return RunReport(device={"slug": "cpu-x"}, environment={"python": "3.11"}, results=of, started="2024")


def test_the_promised_names_are_there(make_result: Callable[..., Result], make_change: Callable[..., Change]) -> None:
    """`schema`, `device`, `environment`, `results[]` with what users and tools read."""
    content: dict[str, Any] = json.loads(encode(report_of(make_result(changes=(make_change(),)))))
    assert {"schema", "device", "environment", "results"} <= content.keys()
    (result,) = content["results"]
    assert {"nodeid", "outcome", "workload", "metrics", "samples", "change", "reasons"} <= result.keys()
    assert (content["schema"], result["outcome"], result["metrics"]["latency"]) == (1, "passed", 2.0)
    assert result["change"]["estimate"] == 0.001


def test_the_change_is_the_one_that_says_most(
    make_result: Callable[..., Result], make_change: Callable[..., Change]
) -> None:
    """A regression before a suspicion before a larger number; all are in `changes`; none where there is none."""
    plain, suspected = make_change(estimate=0.5), make_change(estimate=0.1, suspected=True)
    regressed = make_change(estimate=0.05, suspected=True, regressed=True)
    assert _change(make_result(changes=(plain, suspected, regressed))) == 0.05
    assert _change(make_result(changes=(plain, suspected))) == 0.1
    assert _change(make_result(changes=(make_change(estimate=-0.1), plain))) == 0.5
    assert _change(make_result()) is None


def _change(result: Result) -> float | None:
    (one,) = json.loads(encode(report_of(result)))["results"]
    assert len(one["changes"]) == len(result.changes)
    return None if one["change"] is None else one["change"]["estimate"]


def test_a_test_that_could_see_nothing_is_readable(
    file: Path, make_result: Callable[..., Result], make_change: Callable[..., Change]
) -> None:
    """No infinity: JSON has none, and the reader would refuse the whole report."""
    write_report(report_of(make_result(changes=(make_change(detectable=None),))), file)
    (change,) = read(file).results[0].changes
    assert change.detectable is None


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_figures_that_json_lacks_don_t_spoil_the_report(
    file: Path, make_result: Callable[..., Result], make_measurement: Callable[..., Measurement], value: float
) -> None:
    """Whatever a figure is, the report of all other tests can be read back."""
    try:
        write_report(report_of(make_result(measurement=make_measurement(accuracy={"max_rel_error": value}))), file)
    except UsageError:
        return  # refused with a word is right, too
    assert read(file).results


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"{", "is no report"),
        (b"[]", "is no report"),
        (b'{"schema": 1}', "is no report"),
        (b"\xff\xff", "is no report"),
        (
            b'{"schema": 2, "started": "", "device": {}, "environment": {}, "notes": [], "results": []}',
            r"schema 2; .*upgrade",
        ),
        (b'{"schema": 2}', r"schema 2; .*upgrade"),
    ],
)
def test_what_is_no_report_is_named(file: Path, text: bytes, told: str) -> None:
    """The file and why: broken, something else, or of a newer version, whatever that one holds."""
    file.write_bytes(text)
    with pytest.raises(UsageError, match=rf"report\.json.*{told}"):
        read(file)


def test_a_missing_report_is_named(tmp_path: Path) -> None:
    """With the system's word for it."""
    with pytest.raises(UsageError, match=r"absent\.json can't be read: No such file"):
        read(tmp_path / "absent.json")


def test_the_folder_of_a_report_is_made(tmp_path: Path) -> None:
    """Nobody has to make `out/` beforehand."""
    write_report(report_of(), tmp_path / "out" / "deep" / "report.json")
    assert read(tmp_path / "out/deep/report.json").results == ()


def test_a_report_that_can_t_be_written_is_our_own_error(tmp_path: Path) -> None:
    """It names the option's value."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"--infer-report=.*report\.json could not be written"):
        write_report(report_of(), tmp_path / "file" / "report.json")


@pytest.mark.parametrize("existing", [True, False])
def test_a_full_disk_leaves_no_half_of_a_report(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    existing: bool,  # noqa: FBT001 - both cases
) -> None:
    """The report that was there stays as it was, and no draft lies about."""
    path = tmp_path / "report.json"
    if existing:
        write_report(report_of(), path)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(UsageError, match=r"report\.json could not be written: No space left on device"):
            write_report(report_of(), path)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.skipif("sys.platform == 'win32'", reason="rights and links")
def test_a_report_is_a_file_like_any_other(tmp_path: Path) -> None:
    """With the rights that a new file has here, or those of the one that it replaces; a link stays one."""
    (tmp_path / "plain").touch()
    path = tmp_path / "report.json"
    write_report(report_of(), path)
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    path.chmod(0o640)
    link = tmp_path / "latest.json"
    link.symlink_to(path)
    write_report(report_of(), link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
