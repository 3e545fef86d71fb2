"""Recording baselines: compare first, save last, in processes of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import Suite


def test_record(suite: Suite) -> None:
    """Each run of a recording is a process of its own; a path behind the flag stays a path; the next run compares."""
    suite.write("""
        import os

        import pytest

        def test_elsewhere():
            pytest.fail("the path behind the flag was not a path")
    """, name="test_other")  # fmt: skip
    folder = suite.path / "some tests"
    folder.mkdir()
    (folder / "test_it.py").write_text("""
import os
from pathlib import Path

import pytest

LOG = Path(__file__).with_name("log")

def target():
    return sum(range(1000))

@pytest.mark.infer(model=target)
def test_it(infer_engine):
    with LOG.open("a") as file:
        file.write(f"{os.getpid()} {os.getppid()}\\n")
""")
    done = suite.run("--infer-update-baselines", "some tests")
    assert done.ret == 0
    lines = (folder / "log").read_text().splitlines()
    assert len({line.split()[0] for line in lines}) == len(lines) >= 2
    assert len({line.split()[1] for line in lines}) == 1
    done.stdout.fnmatch_lines(["*test_it: passed *", "baselines: 1 saved to baselines/cpu-*"])
    (path,) = suite.stored()
    assert path.relative_to(suite.path).parts[2:] == ("some tests", "test_it.json")
    content = json.loads(path.read_text())
    assert content["schema"] == 1
    assert content["device"]["slug"] == path.relative_to(suite.path).parts[1]
    ((session, recorded),) = content["sessions"].items()
    assert recorded["reason"] is None
    assert recorded["environment"]["pytest-infer"]
    (entry,) = content["entries"].values()
    assert [run["session"] for run in entry["runs"]] == [session, session]
    assert all(run["metrics"]["latency"] > 0 and len(run["samples"]["block_medians_ns"]) >= 5 for run in entry["runs"])
    assert path.read_text().count('"session": "') == 2, "one run a line"


@pytest.mark.parametrize("force", [False, True])
def test_append(suite: Suite, *, force: bool) -> None:
    """Appended runs join at most 20, the oldest session kept; a slower speed is refused unless it is forced."""
    suite.record()
    content = suite.content()
    (session,) = content["sessions"]
    days = [f"202001{day:02}T000000-0000" for day in range(1, 11)]
    for entry in content["entries"].values():
        run = entry["runs"][0]
        latency = run["metrics"]["latency"]
        entry["runs"] = [
            {**run, "session": days[n // 2], "metrics": {**run["metrics"], "latency": latency * 2.0 ** (n % 5 - 2)}}
            for n in range(20)  # so wide that today's speed is neither slower nor faster than all of it
        ]
    content["sessions"] = dict.fromkeys(days, content["sessions"][session])
    suite.baseline().write_text(json.dumps(content))
    suite.doctor("test_one", latency_times=1e-12)
    before = suite.entry("test_one")

    done = suite.run("--infer-update-baselines", "--infer-runs=1", *["--infer-force"] * force)

    assert suite.outcomes()["test_one"] == "regressed"
    assert done.ret == int(not force)
    one, two = suite.entry("test_one"), suite.entry("test_two")
    if force:
        assert len(one["runs"]) == 1
        assert one["runs"][0]["metrics"]["latency"] > before["runs"][0]["metrics"]["latency"]
        done.stdout.fnmatch_lines(["baselines: 2 saved to *"])
    else:
        assert one == before
        assert suite.cases()["test_one"].status == "failed"
        done.stdout.fnmatch_lines(
            ["ERROR: baselines: 1 saved to *, 1 refused: test_it.py::test_one (regressed); to accept*--infer-force"]
        )
    sessions = [run["session"] for run in two["runs"]]
    assert len(sessions) == 20
    assert sessions[:3] == [days[0], days[0], days[1]], "the oldest session is the anchor"
    assert sessions[-1] not in days
    assert set(sessions) <= suite.content()["sessions"].keys()


def test_reset(suite: Suite) -> None:
    """A reset replaces the accepted runs, of what was selected only, and keeps its reason in the file."""
    suite.record()
    suite.loosen()
    kept = suite.entry("test_two")
    (old,) = suite.content()["sessions"]
    done = suite.run(
        "--infer-update-baselines=reset",
        "--infer-runs=1",
        "-o",
        "infer_update_reason=new kernels",
        "test_it.py::test_one",
    )
    assert done.ret == 0
    (run,) = suite.entry("test_one")["runs"]
    assert run["session"] != old
    assert suite.content()["sessions"][run["session"]]["reason"] == "new kernels"
    assert suite.entry("test_two") == kept


def test_not_accepted(suite: Suite) -> None:
    """What is inaccurate, over budget, invalid or fails is told and not saved; an unwritable folder is told at once."""
    suite.write("""
        import itertools

        import numpy as np
        import pytest

        from pytest_infer import measuring
        from pytest_infer.device import cpu_state

        infer = pytest.mark.infer

        @infer(model=np.sqrt, inputs=(np.float32([-1]),), reference=np.sqrt)
        def test_nan(infer_engine): pass

        @infer(model=len, inputs=("a",), max_latency_ms=1e-9)
        def test_slow(infer_engine): pass

        @infer(model=len, inputs=("a",))
        def test_fails(infer_engine):
            assert infer_engine("ab") == 3

        @infer(model=len, inputs=("a",))
        def test_skips(infer_engine):
            pytest.skip("not today")

        @infer(model="models/linear.onnx", precision="fp16")
        def test_refused(infer_engine): pass

        @infer(model=len, inputs=("a",))
        def test_stolen(infer_engine, monkeypatch):
            stolen = itertools.count(step=500)

            def read(*_):
                taken = next(stolen)
                return cpu_state.CpuState(total_ticks=2 * taken, steal_ticks=taken)

            monkeypatch.setattr(measuring, "read_cpu_state", read)
    """)
    done = suite.run("--infer-update-baselines", "--infer-runs=1", "-rs")
    assert done.ret == 1
    cases = suite.cases()
    assert {name: case.status for name, case in cases.items()} == {
        "test_nan": "failed", "test_slow": "failed", "test_fails": "failed", "test_skips": "skipped",
        "test_refused": "skipped", "test_stolen": "passed",
    }  # fmt: skip
    assert "not finite" in cases["test_nan"].text
    assert "assert 2 == 3" in cases["test_fails"].text
    assert "not today" in cases["test_skips"].text
    assert "fp16" in cases["test_refused"].text
    assert suite.stored() == []
    done.stdout.fnmatch_lines(["ERROR: baselines: 0 saved to *, 3 refused: *test_stolen (invalid)*"])

    (suite.path / "file").write_text("")
    done = suite.run("--infer-update-baselines", "--infer-baselines=file/here")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in done.errlines if line.strip()]
    assert line.startswith("ERROR: baselines can't be written to ")
    assert "choose another place with --infer-baselines" in line


def test_two_at_once(suite: Suite) -> None:
    """Two sessions that record into the same file at once lose nothing."""
    suite.record()
    suite.loosen()
    started = [
        suite.start("--infer-update-baselines", "--infer-runs=1", f"--basetemp={test}", f"test_it.py::{test}")
        for test in ("test_one", "test_two")
    ]
    for process in started:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
    assert len(suite.entry("test_one")["runs"]) == 3
    assert len(suite.entry("test_two")["runs"]) == 3
    assert len(suite.content()["sessions"]) == 3
    assert suite.stored() == [suite.baseline()]


def test_record_by_ini(suite: Suite) -> None:
    """What the ini file asks of the parent is not asked of its workers: a recording ordered there records."""
    (suite.path / "pytest.ini").write_text(
        "[pytest]\ninfer_update_baselines = append\ninfer_strict = true\ninfer_report = ini.json\n"
    )
    suite.write("""
        import pytest

        @pytest.mark.infer(model=len, inputs=("a",))
        def test_it(infer_engine): pass
    """)
    done = suite.run()
    assert done.ret == 0
    done.stdout.fnmatch_lines(["infer: recording 2 fresh processes for 1 test, at least 2.02 s"])
    assert len(suite.entry("test_it")["runs"]) == 2
    assert (suite.path / "report.json").exists()


def test_record_beside_an_expected_failure(suite: Suite) -> None:
    """A test that is expected to break its budget is not accepted, and not missed either."""
    suite.write("""
        import pytest

        @pytest.mark.xfail(reason="known to be slow")
        @pytest.mark.infer(model=len, inputs=("a",), min_throughput=1e12)
        def test_slow(infer_engine): pass

        @pytest.mark.infer(model=len, inputs=("a",))
        def test_it(infer_engine): pass
    """)
    done = suite.run("--infer-update-baselines")
    assert done.ret == 0
    done.assert_outcomes(passed=1, xfailed=1)
    assert len(suite.content()["entries"]) == 1


def test_what_is_refused_is_always_told(suite: Suite) -> None:
    """Also of a test that is expected to break its budget; and a busy machine is told of what was saved alone."""
    suite.conftest("""
import pytest
from pytest_infer import measuring

# Whatever this machine does: others take 40 % of it.
measuring.contention = lambda *_: {"others": 0.4}
""")
    suite.write("""
        import pytest

        pytestmark = pytest.mark.infer(model=len, inputs=("a",))

        @pytest.mark.xfail(strict=True, reason="known to be slow")
        @pytest.mark.infer(min_throughput=1e12)
        def test_slow(infer_engine): pass

        def test_it(infer_engine): pass
    """)
    refused = "test_it.py::test_slow (over_budget, expected to fail)"
    done = suite.run("--infer-update-baselines", "-k", "slow")
    assert done.ret == 0
    done.stdout.fnmatch_lines([f"baselines: 0 saved to *, 1 refused: {refused}"])
    assert "were recorded while other processes" not in done.stdout.str()
    done = suite.run("--infer-update-baselines")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["1 result(s) were recorded while other processes took up to 40% *"])
    done.stdout.fnmatch_lines([f"baselines: 1 saved to *, 1 refused: {refused}"])
