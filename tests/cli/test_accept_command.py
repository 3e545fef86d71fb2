"""`baselines accept`: a baseline made where it was measured, taken over where it is reviewed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_infer.baselines.codec import decode
from pytest_infer.cli.reports import SCREENING
from pytest_infer.verdict import Change, Outcome
from tests.cli.conftest import DAY, SLUG, tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_infer.baselines.schema import BaselineFile
    from pytest_infer.result import Result

MODULE = f"baselines/{SLUG}/tests/test_net.json"


def read(project: Path) -> BaselineFile:
    """The module's baselines."""
    path = project / MODULE
    return decode(path.read_bytes(), path)


def latencies(project: Path, test: str = "test_a") -> list[float]:
    """What an entry holds."""
    return [run.metrics["latency"] for run in read(project).entries[f"{test} 0123456789ab"].runs]


def test_a_recording_becomes_a_baseline(
    project: Path, call: Callable[..., Any], measured: Callable[..., Result], reported: Callable[..., Path]
) -> None:
    """All of its runs, with what was known of session and device; the same report again adds nothing."""
    report = reported(
        project / "r.json",
        measured("test_a", 1.0, 1.1, 1.2, recorded=True),
        measured("test_b", 2.0, 2.1, recorded=True),
        update_reason="new runner",
    )
    said = call("baselines", "accept", report)
    assert said.status == 0
    assert "2 entries written" in said.out
    assert SCREENING not in said.out
    file = read(project)
    assert file.device == {"slug": SLUG, "cores": 4}
    assert (file.sessions[DAY].environment, file.sessions[DAY].reason) == ({"driver": "1"}, "new runner")
    assert latencies(project) == [1.0, 1.1, 1.2]
    assert file.entries["test_a 0123456789ab"].runs[0].contention == {"others": 0.01}
    before = tree(project)
    said = call("baselines", "accept", report)
    assert (said.status, tree(project)) == (0, before)
    assert "2 hold it already" in said.out


def test_a_plain_run_is_accepted_as_what_it_is(
    project: Path, call: Callable[..., Any], measured: Callable[..., Result], reported: Callable[..., Path]
) -> None:
    """One run, never passed off as a recording: the file says so, and so does the command."""
    said = call("baselines", "accept", reported(project / "r.json", measured("test_a", 1.0)))
    assert said.status == 0
    assert "one run in the suite's own process, not a recording" in said.out
    assert latencies(project) == [1.0]
    assert read(project).sessions[DAY].reason == SCREENING


def change(**given: Any) -> Change:
    """What the gate said where a baseline was looked at."""
    values: dict[str, Any] = {
        "metric": "latency",
        "unit": "ms",
        "estimate": 0.0,
        "low": -0.01,
        "high": 0.01,
        "p": 0.5,
        "detectable": 0.1,
        "tolerance": 0.02,
        "regressed": False,
        "improved": False,
        "suspected": False,
        "provisional": True,
        "baseline": 1.0,
        "current": 1.0,
        "runs": 2,
        "sessions": 1,
        "confirmed": 0,
        "blind": False,
    }
    return Change(**(values | given))


@pytest.mark.parametrize(
    ("outcome", "status", "recorded"),
    [
        (Outcome.PASSED, 0, False),
        (Outcome.IMPROVED, 0, True),
        (Outcome.PASSED, 0, True),
        (Outcome.REGRESSED, 1, True),
        (Outcome.INCONCLUSIVE, 1, True),
        (Outcome.OVER_BUDGET, 1, True),
        (Outcome.INACCURATE, 1, False),
        (Outcome.INVALID, 1, True),
    ],
)
@pytest.mark.parametrize("force", [False, True])
def test_what_is_accepted(  # noqa: PLR0913 - one a fixture
    project: Path,
    call: Callable[..., Any],
    measured: Callable[..., Result],
    reported: Callable[..., Path],
    store: Callable[..., Path],
    outcome: Outcome,
    status: int,
    *,
    recorded: bool,
    force: bool,
) -> None:
    """What a recording would save; a slower speed by force alone, and then it begins its entry anew."""
    store(project / "baselines", {"test_a": {"20230101T000000-aa": [0.5, 0.5]}})
    before = tree(project / "baselines")
    report = reported(
        project / "r.json",
        measured("test_a", 1.0, recorded=recorded, outcome=outcome, reasons=("because",), changes=(change(),)),
    )
    said = call("baselines", "accept", report, *["--force"] * force)
    forced = force and outcome is Outcome.REGRESSED
    assert said.status == (0 if forced else status)
    if said.status:
        assert tree(project / "baselines") == before
        assert "refused: tests/test_net.py::test_a: " in said.err
        assert "because" in said.err
    else:
        assert latencies(project) == ([1.0] if forced else [0.5, 0.5, 1.0])


OLD = {"20230101T000000-aa": [1.0, 1.01, 0.99, 1.0, 1.02], "20230102T000000-aa": [1.01, 1.0, 0.98, 1.0, 1.01]}
"""Ten runs of two sessions, close together."""


@pytest.mark.parametrize(
    ("ms", "recorded", "against"),
    [(4.0, False, ()), (4.0, True, ()), (4.0, False, ("other",)), (1.0, False, ()), (1.0, True, ())],
)
@pytest.mark.parametrize("force", [False, True])
def test_what_was_compared_with_nothing_is_compared_with_what_it_is_to_join(  # noqa: PLR0913 - one a fixture
    project: Path,
    call: Callable[..., Any],
    measured: Callable[..., Result],
    reported: Callable[..., Path],
    store: Callable[..., Path],
    ms: float,
    against: tuple[str, ...],
    *,
    recorded: bool,
    force: bool,
) -> None:
    """Without a look at baselines nothing is `regressed`: four times slower is refused all the same, or begins anew."""
    store(project / "baselines", {"test_a": OLD})
    old = latencies(project)
    changes = tuple(change(against=name) for name in against)
    result = measured("test_a", ms, recorded=recorded, outcome=Outcome.PASSED, changes=changes)
    report = reported(project / "r.json", result, measured("test_new", ms, recorded=recorded))
    said = call("baselines", "accept", report, *["--force"] * force)
    slow = ms > 1.0
    assert said.status == int(slow and not force)
    if slow and not force:
        assert "refused: tests/test_net.py::test_a: regressed beside the runs that it is to join" in said.err
        assert "pytest with these baselines, without --infer-baseline-mode=off (--force accepts it" in said.err
        assert "latency 4 ms is " in said.err
        assert latencies(project) == old
        assert latencies(project, "test_new") == [4.0]
    else:
        assert latencies(project) == ([4.0] if slow else [*old, 1.0])


def test_what_is_there_already_is_not_compared_again(
    project: Path, call: Callable[..., Any], measured: Callable[..., Result], reported: Callable[..., Path]
) -> None:
    """The report of a session that the baselines hold adds nothing, however slow it was."""
    report = reported(project / "r.json", measured("test_a", 4.0))
    assert call("baselines", "accept", report).status == 0
    before = tree(project)
    assert call("baselines", "accept", report).status == 0
    assert tree(project) == before


def test_one_that_is_refused_keeps_nobody_else(
    project: Path, call: Callable[..., Any], measured: Callable[..., Result], reported: Callable[..., Path]
) -> None:
    """What can be accepted is; the status says that not all was; so in plain values."""
    report = reported(
        project / "r.json",
        measured("test_a", 1.0, recorded=True),
        measured("test_b", 2.0, recorded=True, outcome=Outcome.INVALID),
        measured("test_c", 3.0),
    )
    said = call("baselines", "accept", report, "--json", "--reason", "because")
    assert said.status == 1
    (entry,) = said.json["entries"]
    assert (entry["key"], entry["runs_before"], entry["runs"], entry["latency"]) == ("test_a 0123456789ab", 0, 1, 1.0)
    assert [one["nodeid"].rpartition(":")[2] for one in said.json["refused"]] == ["test_b", "test_c"]
    assert "expected to fail" in said.json["refused"][1]["why"]
    assert read(project).sessions[DAY].reason == "because"


def test_a_reset_begins_anew(
    project: Path,
    call: Callable[..., Any],
    measured: Callable[..., Result],
    reported: Callable[..., Path],
    store: Callable[..., Path],
) -> None:
    """As it was recorded: what can't be told apart from the old runs may stay, they go."""
    store(project / "baselines", {"test_a": {"20230101T000000-aa": [0.5]}, "test_b": {"20230101T000000-aa": [0.7]}})
    inconclusive = measured("test_a", 1.0, recorded=True, outcome=Outcome.INCONCLUSIVE)
    assert call("baselines", "accept", reported(project / "r.json", inconclusive, update="reset")).status == 0
    assert (latencies(project), latencies(project, "test_b")) == ([1.0], [0.7])
    assert read(project).sessions[DAY].reason == "reset"


def test_a_dry_run_writes_nothing(
    project: Path, call: Callable[..., Any], measured: Callable[..., Result], reported: Callable[..., Path]
) -> None:
    """It tells the same."""
    report = reported(project / "r.json", measured("test_a", 1.0, recorded=True))
    before = tree(project)
    said = call("baselines", "accept", report, "--dry-run")
    assert (said.status, tree(project)) == (0, before)
    assert "1 entries would be written" in said.out


def test_reports_of_several_nights(
    project: Path, call: Callable[..., Any], measured: Callable[..., Result], reported: Callable[..., Path]
) -> None:
    """Three artifacts at once, in any order, make a firm baseline; the oldest comes first."""
    nights = [
        reported(
            project / f"{day}.json",
            measured("test_a", float(day), recorded=True),
            session=f"2024010{day}T000000-aa",
            started=f"2024-01-0{day}T00:00:00+00:00",
        )
        for day in (3, 1, 2)
    ]
    assert call("baselines", "accept", *nights).status == 0
    assert latencies(project) == [1.0, 2.0, 3.0]


def test_tests_on_several_gpus_are_known_without_their_number(
    project: Path, call: Callable[..., Any], measured: Callable[..., Result], reported: Callable[..., Path]
) -> None:
    """Both of one kind share an entry; each kind has its own folder and identity."""
    results = [
        measured("test_a[gpu0]", 1.0, recorded=True, device="gpu-x"),
        measured("test_a[gpu1]", 2.0, recorded=True, device="gpu-x"),
        measured("test_a[gpu2]", 3.0, recorded=True, device="gpu-y"),
    ]
    report = reported(
        project / "r.json",
        *results,
        multiplied=True,
        device={"slug": "gpu-x, gpu-y", "kind": "gpu"},
        devices=({"slug": "gpu-x", "memory_mb": 1}, {"slug": "gpu-y", "memory_mb": 2}),
    )
    assert call("baselines", "accept", report).status == 0
    found = {}
    for slug in ("gpu-x", "gpu-y"):
        path = project / "baselines" / slug / "tests" / "test_net.json"
        file = decode(path.read_bytes(), path)
        assert list(file.entries) == ["test_a 0123456789ab"]
        found[slug] = (file.device["memory_mb"], len(file.entries["test_a 0123456789ab"].runs))
    assert found == {"gpu-x": (1, 2), "gpu-y": (2, 1)}


def test_a_report_without_an_id_of_its_own(
    project: Path, call: Callable[..., Any], measured: Callable[..., Result], reported: Callable[..., Path]
) -> None:
    """Of an older version: the id is made of when it began and what it holds, so that it still counts once."""
    report = reported(project / "r.json", measured("test_a", 1.0), session="", devices=())
    assert call("baselines", "accept", report).status == 0
    before = tree(project)
    assert call("baselines", "accept", report).status == 0
    assert tree(project) == before
    (session,) = read(project).sessions
    assert session.startswith("20240101T000000-")
    assert read(project).device == {"slug": SLUG, "cores": 4}
    said = call("baselines", "accept", reported(project / "r.json", measured("test_a", 1.0), session="", started=""))
    assert said.status == 2
    assert "does not say when it was made" in said.err


@pytest.mark.parametrize(
    ("device", "nodeid"),
    [
        ("../cpu-x", "tests/test_net.py::test_a"),
        ("/cpu", "tests/test_net.py::test_a"),
        ("", "tests/test_net.py::test_a"),
        (SLUG, "::test_a"),
        (SLUG, "test_a"),
        (SLUG, "/::test_a"),
        (SLUG, "..::test_a"),
    ],
)
def test_no_report_writes_outside_the_folder(
    project: Path,
    call: Callable[..., Any],
    measured: Callable[..., Result],
    reported: Callable[..., Path],
    device: str,
    nodeid: str,
) -> None:
    """An artifact comes from anywhere: a device or a test that is none is refused."""
    report = reported(project / "r.json", measured("test_a", 1.0))
    content = json.loads(report.read_text())
    content["results"][0] |= {"device": device, "nodeid": nodeid}
    content["device"]["slug"] = device
    report.write_text(json.dumps(content))
    before = tree(project)
    assert call("baselines", "accept", report).status == 1
    assert tree(project) == before


@given(cut=st.integers(1, 10_000), junk=st.binary(max_size=8), schema=st.sampled_from([None, 2, 99, "1"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_broken_report_changes_no_byte(
    project: Path,
    call: Callable[..., Any],
    measured: Callable[..., Result],
    reported: Callable[..., Path],
    cut: int,
    junk: bytes,
    schema: Any,
) -> None:
    """Cut off, with junk behind, of another schema: it is named, and nothing is written, of the other report either."""
    good = reported(project / "good.json", measured("test_a", 1.0, recorded=True))
    bad = reported(project / "bad.json", measured("test_b", 1.0, recorded=True))
    text = bad.read_bytes()
    if schema is not None:
        bad.write_bytes(json.dumps(json.loads(text) | {"schema": schema}).encode())
    else:
        bad.write_bytes(text[: cut % len(text)] + junk)
    before = tree(project)
    said = call("baselines", "accept", good, bad)
    assert said.status == 2
    assert "bad.json" in said.err
    assert tree(project) == before


@pytest.mark.parametrize("text", [b"{", b'{"schema": 99}', b'{"schema": 1, "device": {"slug": "other"}}'])
def test_a_broken_baseline_changes_no_byte(
    project: Path, call: Callable[..., Any], measured: Callable[..., Result], reported: Callable[..., Path], text: bytes
) -> None:
    """Also not the other modules of the report."""
    path = project / MODULE
    path.parent.mkdir(parents=True)
    path.write_bytes(text)
    other = measured("test_b", 1.0, recorded=True)
    report = reported(project / "r.json", measured("test_a", 1.0, recorded=True), other)
    content = json.loads(report.read_text())
    content["results"][1]["nodeid"] = "tests/a_first.py::test_b"
    report.write_text(json.dumps(content))
    before = tree(project)
    said = call("baselines", "accept", report)
    assert said.status == 1
    assert "test_net.json" in said.err
    assert tree(project) == before
