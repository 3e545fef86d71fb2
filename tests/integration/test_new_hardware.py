"""After a change of hardware: from the first run without a baseline to accepted ones, by the commands users type."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.integration.conftest import Suite


def command(suite: Suite, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `pytest-infer` in a process of its own."""
    code = "from pytest_infer.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=suite.path, capture_output=True, text=True, check=False
    )


def test_from_no_baseline_to_new_ones(suite: Suite) -> None:
    """What is told, what is typed, and what the review shows; the old device's baselines stay."""
    (suite.path / "pytest.ini").write_text("[pytest]\n")
    suite.record()
    here = suite.baseline()
    old = suite.path / "baselines" / "cpu-old-64c"
    content = json.loads(here.read_text())
    content["device"] |= {"slug": old.name, "name": "old", "cores": 64}
    shutil.rmtree(here.parent)
    old.mkdir()
    (old / here.name).write_text(json.dumps(content))
    shutil.copytree(suite.path / "baselines", suite.path / "before")

    # The first run on the new machine: nothing to compare with, and why; in CI it is red.
    done = suite.run("--infer-baseline-mode=require")
    assert done.ret == 1
    assert set(suite.outcomes().values()) == {"no_baseline"}
    told = suite.cases()["test_one"].text
    assert "nearest device that has one is cpu-old-64c (" in told
    assert "cores: 64 → " in told

    # One command records there; the report is CI's artifact, the runner's own folder is thrown away.
    assert suite.run("--infer-update-baselines").ret == 0
    shutil.rmtree(here.parent)

    # At the desk: accept it, look at what changed, commit.
    assert command(suite, "baselines", "accept", "report.json").returncode == 0
    review = command(suite, "baselines", "diff", "before", "--json")
    assert review.returncode == 0, review.stderr
    rows: list[dict[str, Any]] = json.loads(review.stdout)["entries"]
    assert {(row["device"], row["key"].split()[0], row["verdict"]) for row in rows} == {
        (here.parent.name, "test_one", "new"),
        (here.parent.name, "test_two", "new"),
    }
    assert {row["nearest"]["device"] for row in rows} == {old.name}
    assert (old / here.name).read_bytes() == (suite.path / "before" / old.name / here.name).read_bytes()

    suite.run("--infer-baseline-mode=require")
    assert "no_baseline" not in suite.outcomes().values()
