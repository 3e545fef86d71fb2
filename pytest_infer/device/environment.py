"""What is recorded beside a run, and told where it differs: versions, commit, operating system."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = (
    *("pytest-infer", "numpy", "onnx", "onnxruntime", "onnxruntime-gpu", "openvino", "tensorrt", "tensorrt-rtx"),
    *("torch", "triton", "jax", "jaxlib", "cupy-cuda12x", "cupy-cuda13x", "cuda-core", "pycuda"),
    *("nvidia-cudnn-cu12", "nvidia-cudnn-cu13", "nvidia-cublas-cu12", "nvidia-cublas"),
)


def environment(root: Path) -> dict[str, str]:
    """Facts of this process's surroundings; `root` is the repository whose commit is named."""
    facts = software()
    if commit := _commit(root):
        facts["commit"] = commit
    return facts


def software() -> dict[str, str]:
    """What this process runs on: interpreter, operating system, the versions of what may move a time."""
    facts = {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()}",
    }
    for package in PACKAGES:
        try:
            facts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return facts


def differences(then: dict[str, str], now: dict[str, str]) -> tuple[str, ...]:
    """One line a fact that is not what it was, the commit left out (it is meant to differ)."""
    return tuple(
        f"{key}: {then.get(key, 'absent')} → {now.get(key, 'absent')}"
        for key in sorted(then.keys() | now.keys())
        if key != "commit" and then.get(key) != now.get(key)
    )


def _commit(root: Path) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - no part of it comes from outside
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],  # noqa: S607 - git is found as the shell finds it
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
