"""Baselines at a URL, through a user's suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import GATED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Suite


def test_recorded_and_compared(suite: Suite, tmp_path: Path) -> None:
    """A recording goes to the URL, and the next run is held against it; nothing is left in the project."""
    url = f"file://{tmp_path}/there"
    suite.write(GATED)
    done = suite.run(f"--infer-baselines={url}", "--infer-update-baselines")
    assert done.ret == 0, done.outlines
    done.stdout.fnmatch_lines([f"baselines: 2 saved to {url}/*"])
    suite.run(f"--infer-baselines={url}")
    assert "no_baseline" not in suite.outcomes().values()
    assert suite.stored() == []


@pytest.mark.parametrize("more", [("--infer-update-baselines",), ()], ids=["write", "read"])
def test_a_scheme_that_nobody_knows(suite: Suite, more: tuple[str, ...]) -> None:
    """Wrong use, told in one line before any test runs, whether baselines are to be written or read."""
    suite.write(GATED)
    done = suite.run_bare("--infer-baselines=nowhere://x", *more)
    assert done.ret == 4
    done.stderr.fnmatch_lines(["ERROR: --infer-baselines=nowhere://x: *"])
    assert "passed" not in done.stdout.str()


def test_under_xdist_each_test_tells_it(suite: Suite) -> None:
    """The workers collect, and the controller says it once more at the end."""
    suite.write(GATED)
    done = suite.run_bare("--infer-baselines=nowhere://x", "-n1")
    assert done.ret == 1
    done.assert_outcomes(errors=2)
    done.stdout.fnmatch_lines(["ERROR: --infer-baselines=nowhere://x: *"])


@pytest.mark.parametrize("url", ["nowhere://x", "ftp://127.0.0.1:1/x"])
def test_who_has_no_test_of_ours_needs_no_baselines(suite: Suite, url: str) -> None:
    """Nor does who only looks at them: a place that can't be reached is nobody's trouble."""
    suite.write("def test_plain(): pass")
    suite.run_bare(f"--infer-baselines={url}").assert_outcomes(passed=1)
    suite.write(GATED)
    assert suite.run_bare(f"--infer-baselines={url}", "--collect-only").ret == 0


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("fsspec", " needs the package 'fsspec', which is not installed: pip install 'pytest-infer[[]remote]'"),
        ("s3fs", ": Install s3fs to access S3"),
    ],
)
def test_what_has_to_be_installed(suite: Suite, missing: str, told: str) -> None:
    """fsspec, or what it needs for such URLs: named once, and neither for the other."""
    suite.conftest(f"import sys; sys.modules[{missing!r}] = None")
    suite.write(GATED)
    done = suite.run("--infer-baselines=s3://bucket/x", "--infer-update-baselines")
    assert done.ret == 4
    done.stderr.fnmatch_lines([f"ERROR: --infer-baselines=s3://bucket/x{told}"])
