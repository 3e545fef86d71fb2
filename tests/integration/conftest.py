"""A user's suite in a folder of its own, run by real pytest processes on tiny real models."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_infer.report.json_report import JsonReport, JsonResult

FAST: Final = ("--infer-time=0.01", "--infer-max-time=0.3", "--infer-runs=2", "--infer-confirm=2")
"""The shortest measurements: no verdict of these tests depends on a time."""

PLUGINS: Final = ("-p", "no:randomly", "-p", "no:hypothesispytest")
"""One would shuffle, the other takes a second to load: they stay out of the suites."""

MARK: Final = "PYTEST_INFER_TEST"
"""The environment variable by which a suite's processes, and theirs, are found again."""

ELSEWHERE: Final = """
import os
from pathlib import Path

FIRST = Path(__file__).with_name("first")  # process to import this, where the file is there
if FIRST.exists() and not FIRST.read_text():
    FIRST.write_text(str(os.getpid()))
ELSEWHERE = FIRST.exists() and FIRST.read_text() != str(os.getpid())
"""
"""The beginning of a test file that knows whether it runs in another process than the suite's."""

NEEDED: Final = "pytest_infer.plugin,pytest_benchmark.plugin,xdist.plugin"
"""The plugins of the suites' processes: each starts dozens of times, and others cost time only."""

QUIET: Final = """
from pytest_infer.device import cpu_state
from pytest_infer.measure import loop
from pytest_infer.stats import repeats

loop.WARMUP_NS = loop.WARMUP_BOUND_NS = 2_000_000  # no verdict of these tests depends on a time
repeats.TENFOLD = float("inf")  # nor on how far apart such short runs lie
# The machine that runs these tests is shared: what its neighbours do must not change a verdict.
cpu_state.read_cpu_state = lambda *_: cpu_state.CpuState()
"""

GATED: Final = """
import pytest

def work():
    return sum(range(5_000))

@pytest.mark.infer(model=work)
def test_one(infer_engine):
    infer_engine()

@pytest.mark.infer(model=work)
def test_two(infer_engine):
    infer_engine()
"""
"""A module whose two tests are gated; recorded once, its baselines are copied and rewritten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test as JUnit XML tells it.

    Attributes:
        status: `passed`, `failed` (in the call), `error` (in setup or teardown) or `skipped`.
        message: what it was told with; `text` is all that is shown with it.
        properties: its numbers.
    """

    status: str
    message: str
    text: str
    properties: dict[str, str]


class Suite:
    """A user's tests, and what came of running them."""

    def __init__(self, pytester: pytest.Pytester, mark: str, memory: dict[str, dict[str, bytes]]) -> None:
        """Write tests into `pytester`'s folder; `memory` keeps recordings from one test of ours to the next."""
        self.path = pytester.path
        self._pytester = pytester
        self._mark = mark
        self._memory = memory
        self.conftest("")

    def conftest(self, source: str) -> None:
        """Write the suite's conftest.py."""
        self._pytester.makeconftest(QUIET + source)

    def write(self, source: str, name: str = "test_it") -> Path:
        """Write a test module."""
        return self._pytester.makepyfile(**{name: source})

    def run(self, *args: str, timeout: float = 120) -> pytest.RunResult:
        """Run pytest in a process of its own, measuring as shortly as can be, reporting as JUnit XML and JSON."""
        return self._pytester.runpytest_subprocess(*self.arguments(*args), timeout=timeout)

    def run_bare(self, *args: str) -> pytest.RunResult:
        """Run pytest in a process of its own with these arguments alone."""
        return self._pytester.runpytest_subprocess(*args, timeout=120)

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        """Start the same and don't wait for it."""
        command = [sys.executable, "-m", "pytest", *self.arguments(*args)]
        return subprocess.Popen(
            command, cwd=self.path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def arguments(self, *args: str) -> tuple[str, ...]:
        """The command line of `run`: later options win."""
        return (*PLUGINS, "--junitxml=junit.xml", "--infer-report=report.json", *FAST, *args)

    def report(self) -> JsonReport:
        """The JSON report of the last run, read back by the schema that wrote it."""
        from pytest_infer.report.json_report import read

        return read(self.path / "report.json")

    def results(self) -> dict[str, JsonResult]:
        """The results of the last run by test (and name, where a test measured by one)."""
        return {f"{r.nodeid.partition('::')[2]} {r.name}".rstrip(): r for r in self.report().results}

    def outcomes(self) -> dict[str, str]:
        """The outcome of each result of the last run."""
        return {name: str(result.outcome) for name, result in self.results().items()}

    def cases(self, file: str = "junit.xml") -> dict[str, Case]:
        """The tests of the last run by name."""
        return {str(node.get("name")): _case(node) for node in ET.parse(self.path / file).iter("testcase")}  # noqa: S314 - we wrote it

    def cases_by_module(self) -> dict[str, Case]:
        """The same by module, where each has one test."""
        tree = ET.parse(self.path / "junit.xml")  # noqa: S314 - we wrote it
        return {str(node.get("classname")): _case(node) for node in tree.iter("testcase")}

    def record(self, source: str = GATED, name: str = "test_it") -> None:
        """Write a module and its baselines: recorded by real processes the first time, remembered after that."""
        self.write(source, name)
        key = f"{name} {source}"
        if key not in self._memory:
            done = self.run("--infer-update-baselines", f"{name}.py")
            assert done.ret == 0, done.outlines
            self._memory[key] = {str(path.relative_to(self.path)): path.read_bytes() for path in self.stored()}
        for relative, content in self._memory[key].items():
            path = self.path / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def stored(self) -> list[Path]:
        """Every file under the baselines folder."""
        return sorted(path for path in (self.path / "baselines").rglob("*") if path.is_file())

    def baseline(self, name: str = "test_it") -> Path:
        """The one baseline file of a module."""
        (path,) = (self.path / "baselines").glob(f"*/{name}.json")
        return path

    def content(self, name: str = "test_it") -> dict[str, Any]:
        """What that file holds."""
        content: dict[str, Any] = json.loads(self.baseline(name).read_text())
        return content

    def entry(self, test: str, name: str = "test_it") -> dict[str, Any]:
        """One test's entry in it."""
        (entry,) = (e for key, e in self.content(name)["entries"].items() if key.split()[0] == test)
        found: dict[str, Any] = entry
        return found

    def doctor(self, test: str, *, latency_times: float) -> None:
        """Rewrite one test's baseline: every run as slow as its first one times this."""
        content = self.content()
        (entry,) = (e for key, e in content["entries"].items() if key.split()[0] == test)
        slow = {name: value * latency_times for name, value in entry["runs"][0]["metrics"].items() if "latency" in name}
        for run in entry["runs"]:
            run["metrics"] |= slow
        self.baseline().write_text(json.dumps(content))

    def loosen(self, name: str = "test_it") -> None:
        """Rewrite a module's baselines: so wide that any speed near the recorded one passes for certain."""
        content = self.content(name)
        for entry in content["entries"].values():
            latency = entry["runs"][0]["metrics"]["latency"]
            for number, run in enumerate(entry["runs"]):
                run["metrics"]["latency"] = latency * (4 if number % 2 else 0.25)
        self.baseline(name).write_text(json.dumps(content))

    def left(self) -> list[str]:
        """The suite's processes that are still there (those that were killed may take a moment to go)."""
        return [text for pid, text in _marked(f"{MARK}={self._mark}") if not _gone(pid)]


def _case(node: ET.Element) -> Case:
    told = next((child for child in node if child.tag in {"failure", "error", "skipped"}), None)
    status = "passed" if told is None else {"failure": "failed"}.get(told.tag, told.tag)
    return Case(
        status=status,
        message="" if told is None else str(told.get("message")),
        text="" if told is None else f"{told.get('message')}\n{told.text}",
        properties={str(p.get("name")): str(p.get("value")) for p in node.iter("property")},
    )


def _marked(mark: str) -> Iterable[tuple[int, str]]:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(folder.name) != os.getpid() and mark.encode() in (folder / "environ").read_bytes():
                yield int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()


def _gone(pid: int) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 5)[0])
    finally:
        os.close(descriptor)


@pytest.fixture(scope="session")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder for all suites: each plan is built once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def memory() -> dict[str, dict[str, bytes]]:
    """Recordings of this session, see Suite.record."""
    return {}


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder for temporary files: device locks lie there, and nobody else's measurement is to be waited for.

    Its path is short: a socket's name has to fit behind it.
    """
    with tempfile.TemporaryDirectory(prefix="i-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def suite(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    models: Path,
    plans: Path,
    elsewhere: Path,
    memory: dict[str, dict[str, bytes]],
) -> Suite:
    """A suite beside a folder `models`."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    monkeypatch.setenv("XDG_CACHE_HOME", str(plans))
    monkeypatch.setenv("TMPDIR", str(elsewhere))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", NEEDED)
    (pytester.path / "models").symlink_to(models, target_is_directory=True)
    return Suite(pytester, mark, memory)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny networks: `linear` (x [n, 4] to y [n, 3]), `pair` (a, b to sum, product), `tokens` (int64 ids), odd ones."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    folder = tmp_path_factory.mktemp("models")

    def save(name: str, nodes: list[Any], inputs: list[Any], outputs: list[Any], **weights: Any) -> None:
        tensors = [numpy_helper.from_array(np.asarray(value, np.float32), key) for key, value in weights.items()]
        graph = helper.make_graph(nodes, name, inputs, outputs, tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
        onnx.save(model, folder / f"{name}.onnx")

    def value(name: str, *shape: int | str, kind: int = TensorProto.FLOAT) -> Any:
        return helper.make_tensor_value_info(name, kind, list(shape))

    node = helper.make_node
    w = np.random.default_rng(0).standard_normal((4, 3))
    save("linear", [node("MatMul", ["x", "w"], ["y"])], [value("x", "n", 4)], [value("y", "n", 3)], w=w)
    save(
        "pair",
        [node("Add", ["a", "b"], ["sum"]), node("Mul", ["a", "b"], ["product"])],
        [value("a", "n", 2), value("b", "n", 2)],
        [value("sum", "n", 2), value("product", "n", 2)],
    )
    save(
        "tokens",
        [node("Gather", ["w", "ids"], ["rows"])],
        [value("ids", "n", 2, kind=TensorProto.INT64)],
        [value("rows", "n", 2, 3)],
        w=w,
    )
    save("fixed", [node("Relu", ["x"], ["y"])], [value("x", 1, 4)], [value("y", 1, 4)])
    save("root", [node("Sqrt", ["x"], ["y"])], [value("x", "n", 3)], [value("y", "n", 3)])
    save("wide", [node("Relu", ["x"], ["y"])], [value("x", "n", "width")], [value("y", "n", "width")])
    (folder / "text.onnx").write_text("this is no network\n")
    return folder
