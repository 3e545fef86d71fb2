"""A test against its baseline: slower fails, faster is told, and what can't be told is said to be so."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.integration.conftest import Suite


def test_regressed_and_improved(suite: Suite) -> None:
    """Slower than the baseline fails with everything a reader of a log needs; faster passes and says so."""
    suite.record()
    suite.doctor("test_one", latency_times=1e-3)
    suite.doctor("test_two", latency_times=1e3)
    content = suite.content()
    for session in content["sessions"].values():
        session["environment"]["numpy"] = "0.1"
    suite.baseline().write_text(json.dumps(content))
    before = suite.baseline().read_bytes()

    done = suite.run("-W", "error")

    assert done.ret == 1
    assert suite.outcomes() == {"test_one": "regressed", "test_two": "improved"}
    cases = suite.cases()
    assert cases["test_two"].status == "passed"
    assert cases["test_one"].status == "failed"
    text = cases["test_one"].text
    figures = r"latency [\d.]+ ms is [\d.]+% worse than the baseline's [\d.e-]+ ms"
    assert re.search(figures, text)
    for told in (
        "regressed: test_it.py::test_one",
        "% interval ",
        "detectable +",
        "2 runs of 1 session(s), provisional",
        "first run: latency ",
        "device: ",
        "numpy: 0.1 → ",
        "to accept the new speed: pytest test_it.py::test_one --infer-update-baselines --infer-force",
    ):
        assert told in text
    assert "Traceback" not in text
    properties = cases["test_one"].properties
    assert properties["infer_outcome"] == "regressed"
    assert float(properties["infer_latency_change"]) > 1
    assert float(properties["infer_latency_detectable"]) > 0
    change = suite.results()["test_one"].change
    assert change is not None
    assert change.confirmed == 2
    assert change.low < change.estimate < change.high
    done.stdout.fnmatch_lines(
        ["*test_one: regressed *", "*test_two: improved *", "* the baseline guards an old speed now: *"]
    )
    assert suite.baseline().read_bytes() == before


def test_same_speed(suite: Suite) -> None:
    """At the recorded speed a test passes and says what it could have seen; another workload has no baseline."""
    suite.record()
    suite.loosen()
    done = suite.run("-v")
    assert done.ret == 0
    assert suite.outcomes() == {"test_one": "passed", "test_two": "passed"}
    done.stdout.fnmatch_lines(["*test_one: *detectable *provisional*"])

    suite.write("""
        import pytest

        @pytest.mark.infer(model=sum, inputs=([1],), batch=4)
        def test_one(infer_engine): pass

        @pytest.mark.infer(model=sum, inputs=([1],))
        def test_new(infer_engine): pass
    """)
    assert suite.run().ret == 0
    reasons = {name: " ".join(result.reasons) for name, result in suite.results().items()}
    assert "the baseline is of another workload (batch: None → 4" in reasons["test_one"]
    assert "no baseline for this test on cpu-" in reasons["test_new"]


def test_inconclusive(suite: Suite) -> None:
    """Suspected, and no fresh process allowed to show it: inconclusive, which fails under --infer-strict alone."""
    suite.record()
    suite.doctor("test_one", latency_times=1e-3)
    arguments = ("--infer-isolate=never", "test_it.py::test_one")
    done = suite.run(*arguments)
    assert done.ret == 0
    assert suite.outcomes() == {"test_one": "inconclusive"}
    done.stdout.fnmatch_lines(["*test_one: inconclusive *"])
    assert suite.run(*arguments, "--infer-strict").ret == 1
    text = suite.cases()["test_one"].text
    assert "inconclusive: test_it.py::test_one" in text
    assert "it fails because of --infer-strict" in text
