"""Which tests there are: asked of pytest itself, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.baselines.prune import Collected
from pytest_infer.cli.listing import VARIABLE
from pytest_infer.errors import BaselineError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_COLLECTED: Final = frozenset({0, 5})
"""pytest's exit statuses for all being well, and for no test being left to run."""
_SAID: Final = 3000
"""Characters of pytest's output that a message shows: its end."""


def collect(arguments: Sequence[str], modules: Iterable[str]) -> Collected:
    """Collect with pytest's own `arguments`.

    Tests that were deselected (`-k`, `-m`) are there, too. Of `modules`, those whose file is there and that pytest did
    not look into (`--ignore`, say) are unknown.

    Raises:
        BaselineError: collection broke off, or found nothing; the message shows what pytest said.
    """
    with tempfile.TemporaryDirectory(prefix="pytest-infer-prune-") as folder:
        answer = Path(folder) / "collected.json"
        command = [
            *(sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "pytest_infer.cli.listing"),
            *("-p", "no:cacheprovider", *arguments),
        ]
        done = subprocess.run(  # noqa: S603 - the user's own arguments
            command, capture_output=True, text=True, check=False, env={**os.environ, VARIABLE: str(answer)}
        )
        output = (done.stdout + done.stderr)[-_SAID:]
        said = f"nothing is changed. pytest ended with status {done.returncode} and said:\n{output}"
        if done.returncode not in _COLLECTED or not answer.exists():
            raise BaselineError(f"the tests could not be collected; {said}")
        content: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    tests = dict.fromkeys(content["seen"], frozenset[str]()) | by_module(content["tests"])
    if not content["tests"]:
        raise BaselineError(f"no test was found; {said}")
    unseen = {module for module in modules if module not in tests and (Path(content["root"]) / module).exists()}
    return Collected(tests=tests, within=tuple(content["within"]), unknown=frozenset(unseen.union(content["partly"])))


def kept(path: Path) -> Collected:
    """The same of a file of node ids, one a line (what `pytest --collect-only -q` prints); all else is no more.

    Raises:
        UsageError: it can't be read, or holds no node id.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read: {error}") from None
    found = Collected(tests=by_module(line.strip() for line in lines if "::" in line))
    if not found.tests:
        raise UsageError(f"{path} holds no node id (tests/test_net.py::test_net): nothing is changed")
    return found


def by_module(nodeids: Iterable[str]) -> dict[str, frozenset[str]]:
    """The tests of each module, by their id within it."""
    tests: dict[str, set[str]] = {}
    for nodeid in nodeids:
        module, _, test = nodeid.partition("::")
        tests.setdefault(module, set()).add(test)
    return {module: frozenset(some) for module, some in tests.items()}
