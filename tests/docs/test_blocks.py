"""Every block of code on the pages runs as it stands there."""

from __future__ import annotations

import re
import shutil
import sys
from typing import TYPE_CHECKING, Final

import pytest
import yaml

from tests.docs.blocks import PAGES, ROOT, Block, blocks

if TYPE_CHECKING:
    from tests.docs.conftest import Project

PRELUDE: Final = """
import numpy as np
import pytest

def network(picture):
    return np.tanh(picture)

preprocess, photo = network, np.ones((1, 1, 8, 8), np.float32)
weight = np.random.default_rng(0).standard_normal((64, 10), np.float32)  # of conftest.save_network
images = np.random.default_rng(1).standard_normal((64, 1, 8, 8)).astype(np.float32)
labels = (images.reshape(64, 64) @ weight).argmax(axis=1)

def training_batches():
    return iter([images[:32], images[32:]])

def batches():
    return [{"image": batch} for batch in training_batches()]

"""
"""What the pages' tests take for granted: a user's own pictures and functions."""

SETUP: Final = "python3 -m venv "
"""How the lines begin that make an environment: `.ci/run` runs those of the README as they stand there."""
LANGUAGES: Final = {"python", "console", "yaml", "toml", "text", "mermaid", "gitconfig"}


def test_no_other_language() -> None:
    """A block in a language that nothing here runs would go stale unseen."""
    assert {block.language for block in blocks()} <= LANGUAGES


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python(project: Project, block: Block) -> None:
    """Tests on the pages pass in a project that has what they name."""
    (project.path / "test_block.py").write_text(PRELUDE + block.text)
    done = project.shell("pytest test_block.py --infer-report=report.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


def commands(block: Block) -> list[str]:
    """The lines of a console block without their comments; a line that goes on is one."""
    joined = block.text.replace("\\\n", " ")
    return [re.sub(r"\s+#.*", "", line) for line in joined.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("block", [b for b in blocks("console") if SETUP not in b.text], ids=str)
def test_console(project: Project, block: Block) -> None:
    """Commands on the pages run one after the other in the project of the tour, and end well."""
    if block.page == "CONTRIBUTING.md":
        pytest.skip("for a checkout of this project: .ci/run runs them")
    if "pytest-infer" in commands(block)[0]:  # of what there is already; else a reader begins without anything
        done = project.shell("pytest --infer-update-baselines --infer-report=report.json")
        assert done.returncode == 0, done.stdout + done.stderr
    if "accept" in commands(block)[0]:  # recorded elsewhere
        shutil.rmtree(project.path / "baselines")
    for command in commands(block):
        done = project.shell(command.replace("--pause 3600", "--pause 0 --runs 2"))
        assert done.returncode in ((0, 1) if " diff" in command else (0,)), f"{command}\n{done.stdout}{done.stderr}"


def test_setup_is_run_by_ci() -> None:
    """The two lines that make an environment are those which .ci/run takes from the README."""
    lines = [line for block in blocks("console") for line in commands(block) if line.startswith(SETUP)]
    assert len([line for line in PAGES[0].read_text().splitlines() if line.startswith(SETUP)]) == len(lines) == 2
    assert SETUP in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("block", [b for b in blocks("yaml") if "jobs:" not in b.text], ids=str)
def test_gitlab(project: Project, block: Block) -> None:
    """The script of a job leaves the artifacts that the job names."""
    (job,) = yaml.safe_load(block.text).values()
    done = project.shell(job["script"])
    assert done.returncode == 0, done.stdout + done.stderr
    for path in job["artifacts"]["reports"].values():
        assert (project.path / path).stat().st_size


@pytest.mark.parametrize("block", [b for b in blocks("yaml") if "jobs:" in b.text], ids=str)
def test_github_actions(project: Project, block: Block) -> None:
    """The steps of a job run in a shallow clone as a runner makes it, the environment being the one of this test."""
    workflow = yaml.safe_load(block.text)
    (job,) = workflow["jobs"].values()
    assert job["runs-on"]
    steps = [step["run"] for step in job["steps"] if "run" in step]
    (checkout,) = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
    assert steps[0].startswith(SETUP)
    project.git("switch", "--quiet", "-c", "feature")
    (project.path / "new.txt").write_text("a change\n")
    if "require" in block.text:
        assert project.shell("pytest --infer-update-baselines").returncode == 0
    project.git("add", ".")
    project.git("commit", "--quiet", "-m", "a change")
    clone = project.path.parent / "clone"
    project.git("switch", "--quiet", "-c", "merged", "main")  # what a pull request's job checks out
    project.git("merge", "--quiet", "--no-ff", "-m", "merge", "feature")
    depth = checkout.get("with", {}).get("fetch-depth", 1)
    project.git("clone", "--quiet", f"--depth={depth}", "--branch=merged", f"file://{project.path}", str(clone))
    (clone / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    for step in steps[1:]:
        done = project.shell(step, folder=clone)
        if "--infer-gpu" in step and not shutil.which("nvidia-smi"):
            assert (done.returncode, "driver" in done.stderr) == (4, True), f"{step}\n{done.stdout}{done.stderr}"
            return
        assert done.returncode == 0, f"{step}\n{done.stdout}{done.stderr}"
    assert "1 passed" in done.stdout


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_toml(project: Project, block: Block) -> None:
    """The configuration is taken by pytest, which finds every key of it known."""
    (project.path / "pytest.ini").unlink()
    (project.path / "pyproject.toml").write_text(block.text)
    done = project.shell("pytest --import-mode=importlib --strict-config")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
