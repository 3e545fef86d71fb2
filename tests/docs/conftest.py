"""A user's project as the pages tell of it: tests, a network, a git history with an origin."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from tests.docs.blocks import blocks
from tests.integration.conftest import NEEDED

SHORT: Final = "--infer-time=0.01 --infer-runs=2 --infer-confirm=2 --infer-time-limit=15"
"""The shortest measurements; with the project's wide prior no exit status asked for here depends on a time."""

CONFTEST: Final = """
from pytest_infer.device import cpu_state
from pytest_infer.measure import loop
from pytest_infer.stats import repeats

repeats.TENFOLD = float("inf")  # so short runs lie as far apart as they will
loop.WARMUP_NS = loop.WARMUP_BOUND_NS = 2_000_000
cpu_state.read_cpu_state = lambda *_: cpu_state.CpuState()  # what neighbours do must not change a verdict
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A folder to run a reader's commands in."""

    path: Path

    def shell(self, command: str, *, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run one line as a reader's shell would, with short measurements."""
        binaries = str(Path(sys.executable).parent)
        environment = os.environ | {
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
            "PYTEST_ADDOPTS": SHORT,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_PLUGINS": NEEDED,
            "OMP_NUM_THREADS": "1",  # threads that wait for each other on a busy machine would break any budget
            "TMPDIR": str(self.path.parent),
            "XDG_CACHE_HOME": str(self.path.parent / "cache"),
        }
        return subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", command],
            cwd=folder or self.path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def git(self, *arguments: str, folder: Path | None = None) -> None:
        """Run git; what it says is shown where it fails."""
        identity = ("-c", "user.name=reader", "-c", "user.email=reader@example.com")
        git = shutil.which("git") or "git"
        subprocess.run([git, *identity, *arguments], cwd=folder or self.path, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The test of the README's tour and a network, committed, with an origin that has them, too."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "GITHUB_"))]:
        monkeypatch.delenv(name)
    found = Project(path=tmp_path / "project")
    (found.path / "tests").mkdir(parents=True)
    (found.path / "models").mkdir()
    save_network(found.path / "models" / "digits.onnx")
    save_network(found.path / "models" / "other.onnx")
    (found.path / "conftest.py").write_text(CONFTEST)
    (found.path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\ninfer_session_prior = 1\n")
    (tour,) = (block for block in blocks("python") if block.text.startswith("# test_tour.py"))
    (found.path / "tests" / "test_tour.py").write_text(tour.text)
    found.git("init", "--quiet", "--initial-branch=main")
    found.git("add", ".")
    found.git("commit", "--quiet", "-m", "all")
    return found


def save_network(path: Path) -> None:
    """Pictures [n, 1, 8, 8] to scores [n, 10]."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = np.random.default_rng(0).standard_normal((64, 10), np.float32)
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["image"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["scores"])],
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(weight, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
