"""Interleaved comparisons on a real machine: the same code on both sides, and 5 % and 10 % of real work more.

    python -m tests.benchmarks.against run [--sessions 2] [--tests squeezenet numpy] [--more 0 1] [-- ARGUMENTS]
    python -m tests.benchmarks.against truth
    python -m tests.benchmarks.against summary

A small project in `results/against` is compared with its own last commit. `work.json` says how much each test is to
do more; changing it, uncommitted, makes its code slower: one or two modules more in a network (a residual block of
ResNet-50, a fire module of SqueezeNet, each about a twentieth of its work; `truth` measures what it comes to in time),
21 or 22 matrix products instead of 20 in the callable. In the same minutes the same tests run under pytest-benchmark,
first on the commit and then on the change, and its rules are held against the two. Each test appends a line to
`results/against/sessions.jsonl`, so that a run can be broken off and carried on; `summary` adds them up, rates with
their 95 % Wilson intervals, over the sessions that came to an estimate: the others are counted apart.
"""

from __future__ import annotations

import argparse
import collections
import importlib.util
import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tests.benchmarks.against_summary import RULES, added_up, breaks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import onnx

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "results" / "against"
PROJECT: Final = FOLDER / "project"
LINES: Final = FOLDER / "sessions.jsonl"
NETWORKS: Final = ("squeezenet", "resnet50")
TESTS: Final = (*NETWORKS, "numpy")
MORE: Final = (0, 1, 2)

CODE: Final = """
import json
from pathlib import Path

import numpy as np
import pytest

WORK = json.loads(Path(__file__).with_name("work.json").read_text())
LEFT = np.random.default_rng(0).standard_normal((64, 512)).astype(np.float32)
RIGHT = np.random.default_rng(1).standard_normal((512, 512)).astype(np.float32) / 23

def matrices():
    value = LEFT
    for _ in range(20 + WORK["numpy"]):
        value = np.maximum(value @ RIGHT, 0)
    return value

def model(name):
    return f"models/{name}-{WORK[name]}.onnx"
"""
OURS: Final = (
    CODE
    + """
@pytest.mark.infer(model=matrices)
def test_numpy(infer_engine): pass

@pytest.mark.infer(model=model("squeezenet"))
def test_squeezenet(infer_engine): pass

@pytest.mark.infer(model=model("resnet50"))
def test_resnet50(infer_engine): pass
"""
)
THEIRS: Final = (
    CODE
    + """
import os
import onnxruntime

def session(name):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    path = Path(__file__).parent / model(name)
    loaded = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    image = np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype(np.float32)
    return lambda: loaded.run(None, {"image": image})

@pytest.mark.parametrize("name", ["numpy", "squeezenet", "resnet50"])
def test(benchmark, name):
    benchmark(matrices if name == "numpy" else session(name))
"""
)


def more_modules(path: Path, count: int, target: Path) -> None:
    """Write the network at `path` with one of its modules `count` times more, one behind the other, weights shared.

    A module leads from one meeting of branches (a sum's ReLU, a concatenation) to the next of the same shape; it is the
    one whose share of the multiplications is nearest to 5 %.
    """
    import onnx
    from onnx import helper

    network = onnx.load(path)
    graph, modules = network.graph, _modules(network)
    start, end, _ = min(modules, key=lambda module: abs(module[2] - 0.05))
    entry, result = graph.node[start - 1].output[0], graph.node[end].output[0]
    module, nodes = list(graph.node[start : end + 1]), list(graph.node)
    more, last = [], result
    for number in range(count):
        names = {entry: last} | {node.output[0]: f"{node.output[0]}_more{number}" for node in module}
        more += [
            helper.make_node(node.op_type, [names.get(name, name) for name in node.input], [names[node.output[0]]])
            for node in module
        ]
        for made, node in zip(more[-len(module) :], module, strict=True):
            made.attribute.extend(node.attribute)
        last = names[result]
    for node in nodes[end + 1 :]:
        node.input[:] = [last if name == result else name for name in node.input]
    del graph.node[:], graph.value_info[:]
    graph.node.extend([*nodes[: end + 1], *more, *nodes[end + 1 :]])
    onnx.save(network, target)


def _modules(network: onnx.ModelProto) -> list[tuple[int, int, float]]:
    """First and last node of each module that can be repeated, and its share of the multiplications."""
    from onnx import shape_inference

    fixed = type(network)()
    fixed.CopyFrom(network)
    fixed.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    known = shape_inference.infer_shapes(fixed).graph
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in (*known.value_info, *known.output)}
    weights = {tensor.name: tensor.dims for tensor in network.graph.initializer}
    nodes = network.graph.node
    work = [
        math.prod(shapes[node.output[0]]) * math.prod(weights[node.input[1]][1:]) if node.op_type == "Conv" else 0
        for node in nodes
    ]
    sums = {node.output[0] for node in nodes if node.op_type in {"Add", "Sum"}}
    meetings = [
        i
        for i, node in enumerate(nodes)
        if node.op_type == "Concat" or (node.op_type == "Relu" and node.input[0] in sums)
    ]
    return [
        (a + 1, b, sum(work[a + 1 : b + 1]) / sum(work))
        for a, b in itertools.pairwise(meetings)
        if shapes[nodes[a].output[0]] == shapes[nodes[b].output[0]]
    ]


def prepare(tests: Sequence[str], more: Sequence[int]) -> None:
    """Make the project and its models, what is not there yet."""
    models = PROJECT / "models"
    models.mkdir(parents=True, exist_ok=True)
    for name in set(tests) & set(NETWORKS):
        plain = models / f"{name}-0.onnx"
        if not plain.exists():
            command = [sys.executable, str(ROOT / "examples" / "vision" / "networks.py"), name, str(plain)]
            subprocess.run(command, check=True, cwd=ROOT, env={**_environment(), "PYTHONPATH": str(ROOT)})
        for count in more:
            path = models / f"{name}-{count}.onnx"
            if not path.exists():
                more_modules(models / f"{name}-0.onnx", count, path)
    (PROJECT / "test_ours.py").write_text(OURS)
    (PROJECT / "test_theirs.py").write_text(THEIRS)
    (PROJECT / "pytest.ini").write_text("[pytest]\ninfer_against_links = models\naddopts = -p no:cacheprovider\n")
    (PROJECT / ".gitignore").write_text("models/\n*.json.out\n__pycache__/\n")
    set_work(dict.fromkeys(TESTS, 0))
    if not (PROJECT / ".git").exists():
        git("init", "--quiet")
    git("add", "--all")
    git(
        "-c",
        "user.name=bench",
        "-c",
        "user.email=bench@example.com",
        "commit",
        "--quiet",
        "--allow-empty",
        "-m",
        "base",
    )


def git(*arguments: str) -> None:
    """Run git in the project."""
    command = ["git", "-C", str(PROJECT), *arguments]
    subprocess.run(command, check=True)


def set_work(work: dict[str, int]) -> None:
    """Say how much each test is to do."""
    (PROJECT / "work.json").write_text(json.dumps(work))


def ours(test: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Compare one test with the commit."""
    out = PROJECT / "report.json"
    begun = time.monotonic()
    limit = "--infer-time-limit=53"  # and some seconds for pytest and the run in its own process: a minute a test
    done = _pytest("--infer-against=HEAD", limit, f"--infer-report={out}", *arguments, f"test_ours.py::test_{test}")
    seconds = time.monotonic() - begun
    if not out.exists():
        raise SystemExit(done.stdout + done.stderr)
    (result,) = json.loads(out.read_text())["results"] or [None]
    out.unlink()
    if result is None:
        raise SystemExit(done.stdout + done.stderr)
    if result["outcome"] == "no_baseline":
        raise SystemExit(f"{test}: nothing was compared: {'; '.join(result['reasons'])}")
    change = result["change"] or {}
    kept = ("estimate", "low", "high", "p", "detectable", "runs", "baseline", "current", "blind")
    return {
        "outcome": result["outcome"],
        "seconds": round(seconds, 1),
        "raw_ms": result["metrics"].get("latency"),
        "reasons": result["reasons"],
        **{key: change.get(key) for key in kept},
    }


def theirs(test: str, work: dict[str, int]) -> dict[str, dict[str, float]]:
    """Run pytest-benchmark on the commit, and then on the change, as its users do."""
    found = {}
    for side, does in (("base", dict.fromkeys(TESTS, 0)), ("current", work)):
        set_work(does)
        out = PROJECT / "benchmark.json"
        done = _pytest(f"--benchmark-json={out}", f"test_theirs.py::test[{test}]")
        if not out.exists():
            raise SystemExit(done.stdout + done.stderr)
        stats = json.loads(out.read_text())["benchmarks"][0]["stats"]
        found[side] = {name: stats[name] * 1e3 for name in ("min", "mean", "median")}
        out.unlink()
    return found


def _pytest(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, env=_environment())


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def run(options: argparse.Namespace) -> None:
    """Run so many sessions more."""
    prepare(options.tests, options.more)
    before = [line["session"] for line in read()]
    for session in range(max(before, default=0) + 1, max(before, default=0) + 1 + options.sessions):
        for test in options.tests:
            for more in options.more:
                work = dict.fromkeys(TESTS, 0) | {test: more}
                benchmark = theirs(test, work)
                line = {"session": session, "test": test, "more": more, **ours(test, options.arguments)}
                with LINES.open("a") as file:
                    file.write(json.dumps(line | {"benchmark": benchmark}) + "\n")
                rules = [name for name, rule in RULES.items() if breaks(benchmark, rule)]
                told = f"{line['estimate']:+.2%} of {line['runs']} rounds" if line["runs"] else line["reasons"]
                print(
                    f"session {session} {test} +{more}: {line['outcome']} {told}, {line['seconds']:.0f} s; "
                    f"pytest-benchmark fails by {', '.join(rules) or 'no rule'}",
                    flush=True,
                )
    set_work(dict.fromkeys(TESTS, 0))


def read() -> list[dict[str, Any]]:
    """All lines so far."""
    return [json.loads(line) for line in LINES.read_text().splitlines()] if LINES.exists() else []


def truth(options: argparse.Namespace) -> None:
    """Tell what the added work comes to: in one process, call by call in turn, the median of 40 stretches."""
    prepare(options.tests, options.more)
    for test in options.tests:
        calls = {count: _call(test, count) for count in sorted({0, *options.more})}
        ratios = collections.defaultdict(list)
        for _ in range(40):
            times = collections.defaultdict(list)
            for _ in range(10):
                for count, call in calls.items():
                    begun = time.perf_counter()
                    call()
                    times[count].append(time.perf_counter() - begun)
            for count, seconds in times.items():
                ratios[count].append(statistics.median(seconds) / statistics.median(times[0]))
        for count, values in ratios.items():
            print(f"{test} +{count}: takes {statistics.median(values):.3f} of the time")


def _call(test: str, count: int) -> Callable[[], Any]:
    """One call of a test's work with so much more of it, on as many threads as in its sessions."""
    if test not in NETWORKS:
        set_work(dict.fromkeys(TESTS, 0) | {test: count})
        spec = importlib.util.spec_from_file_location("ours", PROJECT / "test_ours.py")
        if spec is None or spec.loader is None:
            raise SystemExit(f"{PROJECT / 'test_ours.py'} can't be imported")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        set_work(dict.fromkeys(TESTS, 0))
        matrices: Callable[[], Any] = module.matrices
        return matrices
    import onnxruntime

    session_options = onnxruntime.SessionOptions()
    session_options.intra_op_num_threads = len(os.sched_getaffinity(0))
    path = PROJECT / "models" / f"{test}-{count}.onnx"
    session = onnxruntime.InferenceSession(path, session_options, providers=["CPUExecutionProvider"])
    image = np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype(np.float32)
    return lambda: session.run(None, {"image": image})


def summary(_: argparse.Namespace) -> None:
    """Add all lines up."""
    lines = read()
    for test in (*TESTS, None):
        for more in MORE:
            mine = [line for line in lines if test in {line["test"], None} and line["more"] == more]
            if mine:
                print(f"{test or 'all'} +{more}: {added_up(mine)}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "truth", "summary"))
    parser.add_argument("--sessions", type=int, default=1, help="how many more")
    parser.add_argument("--tests", nargs="+", choices=TESTS, default=list(TESTS))
    parser.add_argument(
        "--more", nargs="+", type=int, choices=MORE, default=list(MORE), help="modules or matrices more"
    )
    parser.add_argument("arguments", nargs="*", help="for our pytest, behind --")
    options = parser.parse_args()
    {"run": run, "truth": truth, "summary": summary}[options.what](options)


if __name__ == "__main__":
    main()
