"""What the plugin adds to the start of a pytest run that has no infer test.

Runs `pytest --collect-only` over an empty file with and without the plugin in turn (ABBA), and takes the median of the
pairs' differences in CPU time. Usage: python tests/benchmarks/startup.py [pairs]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

# Other plugins' start-up is not the question, and neither is compiling modules anew.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"
}
WITH = ["-p", "pytest_infer.plugin"]


def cpu_seconds(arguments: list[str], folder: Path) -> float:
    """CPU time, user and system, of one pytest process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", *arguments, "test_empty.py"],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"pytest ended with status {status}")
    return usage.ru_utime + usage.ru_stime


def main(pairs: int) -> None:
    """Print the median difference."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_empty.py").write_text("def test_nothing():\n    pass\n")
        (folder / "pytest.ini").write_text("[pytest]\n")
        for arguments in ([], WITH):
            cpu_seconds(arguments, folder)
        differences, bare = [], []
        for pair in range(pairs):
            order = [[], WITH] if pair % 2 else [WITH, []]
            times = {bool(arguments): cpu_seconds(arguments, folder) for arguments in order}
            differences.append(times[True] - times[False])
            bare.append(times[False])
    middle = statistics.median(differences)
    print(
        f"start-up: {statistics.median(bare) * 1e3:.0f} ms without the plugin, {middle * 1e3:+.1f} ms with it "
        f"(ratio {1 + middle / statistics.median(bare):.3f}, {pairs} pairs, CPU time)"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
