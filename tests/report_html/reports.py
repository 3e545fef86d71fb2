"""Sessions of pytest that never were: results as a real one makes them, and some that nobody hopes for."""

from __future__ import annotations

from typing import Any, Final

from pytest_infer.measurement import Measurement, Samples
from pytest_infer.result import AcceptedRun, Result, RunReport
from pytest_infer.verdict import Change, Outcome

HOSTILE: Final = (
    "<script>document.title = 'taken'</script><img src=x onerror=\"document.title='taken'\"> ' & {{ 7 * 7 }}"
)
"""A text that would take the page over where anything of it is read as HTML, as an attribute or as a template."""

_FAILING: Final = frozenset({Outcome.REGRESSED, Outcome.OVER_BUDGET, Outcome.INACCURATE})


def result(**given: Any) -> Result:
    """A passed int8 network of 2 ms beside 15 accepted runs, but for what is given; `latency` is in ms."""
    latency: float = given.pop("latency", 2.0)
    outcome: Outcome = given.pop("outcome", Outcome.PASSED)
    measurement: dict[str, Any] = given.pop("measurement", {})
    values: dict[str, Any] = {
        "nodeid": "tests/test_net.py::test_net[int8-b8]",
        "outcome": outcome,
        "failed": outcome in _FAILING,
        "reasons": () if outcome is Outcome.PASSED else (f"because of {outcome}",),
        "measurement": measured(latency, **measurement),
        "changes": (change(latency, regressed=outcome is Outcome.REGRESSED, improved=outcome is Outcome.IMPROVED),),
        "history": history(),
    }
    return Result(**(values | given))


def measured(latency: float = 2.0, **given: Any) -> Measurement:
    """A measurement of 700 samples around `latency` ms."""
    ns = round(latency * 1e6)
    values: dict[str, Any] = {
        "name": "",
        "workload": {"target": "net.onnx", "backend": "onnxruntime", "precision": "int8", "batch": 8, "options": {}},
        "digest": "0123456789ab",
        "metrics": {"latency": latency, "p99_latency": latency * 1.3, "throughput": 8000 / latency, "build": 0.4},
        "intervals": {"latency": (latency * 0.99, latency * 1.01)},
        "samples": Samples(
            count=700,
            warmup=40,
            block_medians_ns=tuple(ns + i * 2_000 for i in range(-3, 4)),
            quantiles_ns={
                "min": round(ns * 0.95), "p50": ns, "p90": round(ns * 1.1), "p95": round(ns * 1.2),
                "p99": round(ns * 1.3), "max": round(ns * 2),
            },
        ),
        "accuracy": {"top1": 0.97, "cosine": 0.9991},
        "accuracy_notes": ("held against fp32 on 8 samples",),
        "facts": {"provider": "CPUExecutionProvider", "kernels": {"int8": 12, "fp32": 1}},
        "model_digest": "ab" * 32,
        "device": "cpu-x-4c",
    }  # fmt: skip
    return Measurement(**(values | given))


def change(latency: float = 2.0, **given: Any) -> Change:
    """A change of latency against a baseline of 2 ms."""
    estimate = latency / 2.0 - 1
    values: dict[str, Any] = {
        "metric": "latency",
        "unit": "ms",
        "estimate": estimate,
        "low": estimate - 0.01,
        "high": estimate + 0.012,
        "p": 0.4,
        "detectable": 0.015,
        "tolerance": 0.02,
        "regressed": False,
        "improved": False,
        "suspected": False,
        "blind": False,
        "provisional": False,
        "baseline": 2.0,
        "current": latency,
        "runs": 15,
        "sessions": 3,
        "confirmed": 0,
    }
    return Change(**(values | given))


def history(level: float = 2.0) -> tuple[AcceptedRun, ...]:
    """Three sessions of five runs around `level` ms."""
    runs = []
    for session in range(3):
        for run in range(5):
            latency = level * (1 + 0.004 * (session - 1) + 0.002 * (run - 2))
            ns = round(latency * 1e6)
            runs.append(
                AcceptedRun(
                    session=f"2026010{session + 1}T000000-aa",
                    recorded=f"2026-01-0{session + 1}T00:00:00+00:00",
                    metrics={"latency": latency, "p99_latency": latency * 1.25, "throughput": 8000 / latency},
                    quantiles_ns={"min": round(ns * 0.96), "p50": ns, "p99": round(ns * 1.25), "max": round(ns * 1.9)},
                )
            )
    return tuple(runs)


def family(function: str = "tests/test_net.py::test_net", measured_on: str = "cpu-x-4c") -> list[Result]:
    """One function in fp32 and int8 at batches 1, 8 and 64."""
    found = []
    for precision, speed, top1 in (("fp32", 1.0, 0.98), ("int8", 0.4, 0.97)):
        for batch in (1, 8, 64):
            latency = speed * (0.5 + 0.1 * batch)
            workload = {"target": "net.onnx", "backend": "onnxruntime", "precision": precision, "batch": batch}
            found.append(
                result(
                    nodeid=f"{function}[{precision}-b{batch}]",
                    latency=latency,
                    changes=(),
                    history=(),
                    measurement={
                        "workload": workload,
                        "metrics": {"latency": latency, "throughput": 1000 * batch / latency},
                        "accuracy": {"top1": top1},
                        "device": measured_on,
                    },
                )
            )
    return found


def report(*results: Result, **given: Any) -> RunReport:
    """A session of these results."""
    values: dict[str, Any] = {
        "device": {"slug": "cpu-x-4c", "kind": "cpu", "name": "CPU X", "cores": 4},
        "environment": {"python": "3.11.2", "numpy": "2.1.0"},
        "results": results,
        "started": "2026-01-04T10:00:00+00:00",
    }
    return RunReport(**(values | given))


def many(count: int) -> RunReport:
    """A session of `count` measurements, each with its history; every outcome is among them, fifty functions or so."""
    outcomes = list(Outcome)
    results = []
    for number in range(count):
        batch, precision = 2 ** (number % 5), ("fp32", "fp16", "bf16", "int8")[number // 5 % 4]
        outcome = outcomes[number % len(outcomes)] if number % 7 == 0 else Outcome.PASSED
        latency = 2.0 * (1.3 if outcome is Outcome.REGRESSED else 1.0) + 0.001 * (number % 11)
        workload = {"target": "net.onnx", "backend": "onnxruntime", "precision": precision, "batch": batch}
        results.append(
            result(
                nodeid=f"tests/test_{number // 100}.py::test_{number // 20}[{precision}-b{batch}]",
                latency=latency,
                outcome=outcome,
                measurement={"workload": workload},
            )
        )
    return report(*results)
