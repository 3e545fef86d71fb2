"""Marker arguments, checked: a frozen Request of what to build, measure and hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pytest_infer import spelling
from pytest_infer.budget import ACCURACY, SPEED_AND_COST, Budget
from pytest_infer.errors import UsageError
from pytest_infer.metrics import METRICS
from pytest_infer.workload import Precision, Scenario

LISTED: Final = ("backend", "precision", "batch")
"""Keys that take a list, and then parametrize the test; in the order of the ids."""


_LARGEST: Final = 1e300
"""Budgets beyond it are a mistake, infinity and NaN among them."""
_WIDEST: Final = 60
"""Characters of a value that a message shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What one test asks for, after inheritance and parametrization. Values are as the user wrote them, checked."""

    model: Any = None
    backend: str | None = None
    precision: Precision | None = None
    batch: int | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    inputs: Any = None
    calibration: Iterable[Mapping[str, Any]] | Callable[[], Any] | None = None
    reference: Any = None
    scenario: Scenario = Scenario.SINGLE_STREAM
    options: Mapping[str, Any] = field(default_factory=dict)
    max_regression: float = 0.02
    gate: tuple[str, ...] = ("latency",)
    budget: Budget = field(default_factory=Budget)
    speedups: tuple[Precision, ...] = ()


def merged(marks: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]) -> dict[str, Any]:
    """The arguments of a test's marks, nearest first, the nearest value winning key by key.

    Raises:
        UsageError: a positional argument.
    """
    arguments: dict[str, Any] = {}
    for args, kwargs in marks:
        if args:
            raise UsageError(
                f"@pytest.mark.infer takes keyword arguments only, not {args[0]!r}; write infer(model=...)"
            )
        for key, value in kwargs.items():
            arguments.setdefault(key, value)
    return arguments


def cases(arguments: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """The parametrization that listed values ask for: values and ids, both empty where nothing is listed."""
    listed = [key for key in LISTED if isinstance(arguments.get(key), list | tuple) and arguments[key]]
    if not listed:
        return [], []
    combinations: list[dict[str, Any]] = [{}]
    for key in listed:
        combinations = [{**before, key: value} for before in combinations for value in arguments[key]]
    return combinations, ["-".join(_id(key, case[key]) for key in listed) for case in combinations]


def _id(key: str, value: Any) -> str:
    return f"b{value}" if key == "batch" else str(value).replace(":", "_")


def parse(arguments: Mapping[str, Any]) -> Request:
    """Check every argument and make the Request.

    Raises:
        UsageError: an unknown key (with the nearest name), a wrong type or an impossible value.
    """
    for key, value in arguments.items():
        if key not in _CHECKS:
            raise UsageError(f"@pytest.mark.infer has no argument {key!r}; {spelling.hint(key, _CHECKS)}")
        problem = _CHECKS[key](value)
        if problem:
            raise UsageError(f"@pytest.mark.infer({key}={_short(value)}): {problem}")
    speedups = arguments.get("min_speedup_over", {})
    known = {"model", "backend", "batch", "inputs", "calibration", "reference", "options", "max_regression"}
    values = {key: arguments[key] for key in known & arguments.keys() if arguments[key] is not None}
    if arguments.get("precision") is not None:
        values["precision"] = Precision(arguments["precision"])
    if "scenario" in arguments:
        values["scenario"] = Scenario(arguments["scenario"])
    if "gate" in arguments:
        values["gate"] = tuple(arguments["gate"])
    shapes = arguments.get("shapes") or {}
    return Request(
        shapes={name: tuple(int(d) for d in shape) for name, shape in shapes.items()},
        budget=Budget.from_arguments(
            {k: v for k, v in arguments.items() if k in SPEED_AND_COST or k in ACCURACY}, speedups
        ),
        speedups=tuple(Precision(name) for name in speedups),
        **values,
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST


def _positive(value: Any) -> str:
    return "" if _is_number(value) and value > 0 else "a positive number is needed"


def _not_negative(value: Any) -> str:
    return "" if _is_number(value) and value >= 0 else "a number of at least 0 is needed"


def _between(low: float, high: float) -> Callable[[Any], str]:
    return lambda value: (
        "" if _is_number(value) and low <= value <= high else f"a number from {low:g} to {high:g} is needed"
    )


def _model(value: Any) -> str:
    # Some models are objects that nobody can call (an exported program): their backend judges.
    plain = isinstance(value, bool | int | float | bytes | list | tuple | dict | set)
    return "a path or a callable is needed" if plain else ""


def _batch(value: Any) -> str:
    if isinstance(value, list | tuple):
        return _listed(value)
    return (
        ""
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1
        else "a whole number of at least 1 is needed"
    )


def _name(value: Any) -> str:
    if isinstance(value, list | tuple):
        return _listed(value)
    return "" if isinstance(value, str) and value else "a name is needed"


def _listed(value: Any) -> str:
    if not value:
        return "it lists nothing"
    return "a list parametrizes the test and can stand on a test, a class or a module only, not in a parameter's marks"


def _precision(value: Any) -> str:
    if problem := _name(value):
        return problem
    names = [str(p) for p in Precision]
    return "" if value in names else f"no such precision; {spelling.hint(value, names)} ({', '.join(names)})"


def reference_problem(value: Any) -> str:
    """What is wrong with a reference before anybody looks for it: a precision that is mistyped; empty if nothing."""
    # Nearer than elsewhere: any other name may be that of a model file.
    meant = spelling.nearest(value, Precision, 0.6) if isinstance(value, str) and value.isalnum() else None
    return "" if meant in {None, value} else f"that is no precision and no model file; did you mean {str(meant)!r}?"


def _scenario(value: Any) -> str:
    names = [str(s) for s in Scenario]
    return "" if value in names else f"no such scenario; {spelling.hint(str(value), names)} ({', '.join(names)})"


def _shapes(value: Any) -> str:
    fits = isinstance(value, Mapping) and all(
        isinstance(name, str)
        and isinstance(shape, list | tuple)
        and all(isinstance(d, int) and not isinstance(d, bool) and d >= 1 for d in shape)
        for name, shape in value.items()
    )
    return "" if fits else "a dict of input name to a tuple of whole numbers is needed"


def _calibration(value: Any) -> str:
    if isinstance(value, str | bytes) or not (callable(value) or isinstance(value, Iterable)):
        return "an iterable of {input name: array}, or a callable that gives one, is needed"
    return ""


def _options(value: Any) -> str:
    fits = isinstance(value, Mapping) and all(isinstance(key, str) for key in value)
    return "" if fits else "a dict of option name to value is needed"


def _gate(value: Any) -> str:
    if isinstance(value, str):
        return f"a tuple of metric names is needed: ({value!r},)"
    if not isinstance(value, tuple | list):
        return "a tuple of metric names is needed"
    for name in value:
        if not isinstance(name, str) or name not in METRICS:
            return f"no metric {name!r}; {spelling.hint(str(name), METRICS)}"
    return ""


def _speedup(value: Any) -> str:
    if not isinstance(value, Mapping) or not value:
        return 'a dict of precision to factor is needed: {"fp32": 2.0}'
    for name, factor in value.items():
        if problem := (_precision(name) or _positive(factor)):
            return f"{name!r}: {problem}"
    return ""


def _anything(_value: Any) -> str:
    return ""


_CHECKS: Final[dict[str, Callable[[Any], str]]] = {
    "model": _model,
    "backend": _name,
    "precision": _precision,
    "batch": _batch,
    "shapes": _shapes,
    "inputs": _anything,
    "calibration": _calibration,
    "reference": reference_problem,
    "scenario": _scenario,
    "options": _options,
    **dict.fromkeys(SPEED_AND_COST, _positive),
    "min_speedup_over": _speedup,
    "min_cosine": _between(-1, 1),
    "max_abs_error": _not_negative,
    "max_rel_error": _not_negative,
    "min_top1": _between(0, 1),
    "min_top5": _between(0, 1),
    "max_top1_drop": _between(0, 1),
    "max_top5_drop": _between(0, 1),
    "max_regression": _between(0, 10),
    "gate": _gate,
}
"""Marker key to what is wrong with a value, empty when nothing is. The one list of keys."""
