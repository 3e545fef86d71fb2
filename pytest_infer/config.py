"""The options, and the frozen Settings made of them. The one reader of options, ini file and environment."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

WORKER_VARIABLE: Final = "PYTEST_INFER_WORKER"
"""The environment variable that tells a process that it is a worker, and whom to answer."""
SIDE_VARIABLE: Final = "PYTEST_INFER_SIDE"
"""The same for a side of an interleaved comparison (`against/boot.py` reads it, too)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option: `--infer-x` on the command line, `infer_x` in the ini file.

    `parse` turns the text of either into the value and raises ValueError with what would be right.
    """

    name: str
    help: str
    parse: Callable[[str], Any]
    default: Any = None
    metavar: str | None = None
    flag: bool = False
    repeatable: bool = False

    @property
    def dest(self) -> str:
        """The name in the ini file and in `config.option`."""
        return self.name.removeprefix("--").replace("-", "_")


def _number(kind: type[int | float], low: float, high: float = float("inf")) -> Callable[[str], Any]:
    def parse(text: str) -> int | float:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            what = "a whole number" if kind is int else "a number"
            raise ValueError(f"{what} from {low:g}" + (f" to {high:g}" if high != float("inf") else " on"))
        return value

    return parse


def _choice(*values: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in values:
            raise ValueError("one of " + ", ".join(values))
        return text

    return parse


def _filled(what: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not text.strip():
            raise ValueError(f"{what}, and this is empty")
        return text

    return parse


def _clock(text: str) -> str:
    if text != "auto" and not text.isdigit():
        raise ValueError("auto, or a clock in MHz")
    return text


def _switch(text: str) -> bool:
    if text.lower() not in {"true", "false", "1", "0", "yes", "no", "on", "off"}:
        raise ValueError("true or false")
    return text.lower() in {"true", "1", "yes", "on"}


def _report(text: str) -> str:
    if not Path(text).suffix:  # which endings there are, reporters of others' decide, too
        raise ValueError("a file name that ends in .json, .html or .md, or in .txt for GitLab's metrics")
    return text


UPDATE_FLAGS: Final = {
    "--infer-update-baselines": "append",
    "--infer-update-baselines=append": "append",
    "--infer-update-baselines=reset": "reset",
}
"""Three flags, so that a path behind the first one stays a path."""


class UpdateFlag(argparse.Action):
    """All three as one option: what argparse says of a fourth (`=rest`) names those that there are."""

    def __init__(self, option_strings: list[str], dest: str, **more: Any) -> None:
        """Take no value."""
        super().__init__(option_strings, dest, nargs=0, **more)

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        _values: Any,
        option_string: str | None = None,
    ) -> None:
        """Set what the flag stands for."""
        setattr(namespace, self.dest, UPDATE_FLAGS[option_string or ""])


OPTIONS: Final[tuple[Option, ...]] = (
    Option(name="--infer-gpu", metavar="0|0,2|all|GPU-uuid|none", default="none", parse=str,
           help="the GPUs to measure on, each visible one by its number or UUID (default: none, the CPU)"),
    Option(name="--infer-baselines", metavar="DIR|URL", default="baselines", parse=_filled("a folder or a URL"),
           help="where baselines are kept: a folder, or a URL that fsspec knows (default: baselines under rootdir)"),
    Option(name="--infer-baseline-mode", metavar="compare|require|off", default="compare",
           parse=_choice("compare", "require", "off"),
           help="require: a test with no baseline for this device fails (default: compare)"),
    Option(name="--infer-force", flag=True, default=False, parse=_switch,
           help="with an update: also save what regressed"),
    Option(name="--infer-runs", metavar="N", default=5, parse=_number(int, 1, 20),
           help="fresh processes recorded for a baseline entry (default: 5)"),
    Option(name="--infer-confirm", metavar="N", default=3, parse=_number(int, 1, 50),
           help="fresh processes that confirm a suspected regression (default: 3)"),
    Option(name="--infer-alpha", metavar="P", default=0.001, parse=_number(float, 1e-9, 0.2),
           help="significance level of one test's gate (default: 0.001)"),
    Option(name="--infer-time", metavar="SECONDS", default=1.0, parse=_number(float, 0.001, 3600),
           help="how long one run measures, at least (default: 1)"),
    Option(name="--infer-max-time", metavar="SECONDS", default=60.0, parse=_number(float, 0.001, 36000),
           help="and at most (default: 60)"),
    Option(name="--infer-backend", metavar="NAME", default=None, parse=str,
           help="the backend where a test names none (default: onnxruntime on the CPU, tensorrt on a GPU)"),
    Option(name="--infer-against", metavar="REV|PYTHON|DIR", default=None,
           parse=_filled("a revision, an interpreter or a folder"),
           help="interleaved A/B against a revision, another environment's interpreter, or another checkout"),
    Option(name="--infer-report", metavar="FILE", default=(), parse=_report, repeatable=True,
           help="write a report: .json, .html, .md, or .txt for GitLab's metrics (repeatable)"),
    Option(name="--infer-lock-clocks", metavar="auto|MHZ", default=None, parse=_clock,
           help="lock the GPU's SM clock while measuring, given back afterwards (needs the right)"),
    Option(name="--infer-isolate", metavar="auto|always|never", default="auto",
           parse=_choice("auto", "always", "never"),
           help="measure in a process of its own (default: auto, recording and confirmation only)"),
    Option(name="--infer-strict", flag=True, default=False, parse=_switch,
           help="inconclusive and invalid fail"),
    Option(name="--infer-timeout", metavar="SECONDS", default=300.0, parse=_number(float, 0.1, 86400),
           help="a worker that answers no more is ended after this (default: 300)"),
    Option(name="--infer-time-limit", metavar="SECONDS", default=60.0, parse=_number(float, 1, 86400),
           help="how long an interleaved comparison may look at a test (default: 60)"),
)  # fmt: skip
"""Every option but the update flags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One run's settings, checked. Field names are those of the options."""

    root: Path
    gpu: str = "none"
    baselines: str = "baselines"
    baseline_mode: str = "compare"
    update: str | None = None
    update_reason: str | None = None
    force: bool = False
    runs: int = 5
    confirm: int = 3
    alpha: float = 0.001
    time: float = 1.0
    max_time: float = 60.0
    backend: str | None = None
    against: str | None = None
    against_links: tuple[str, ...] = ()
    report: tuple[str, ...] = ()
    lock_clocks: str | None = None
    isolate: str = "auto"
    strict: bool = False
    timeout: float = 300.0
    time_limit: float = 60.0
    session_prior: float | None = None
    disabled: bool = False
    """Call once, check what is computed, measure nothing: pytest-benchmark's `--benchmark-disable`."""

    def __post_init__(self) -> None:
        """Refuse what contradicts itself, and what no part of this version can do."""
        if self.disabled and (self.update or self.against):
            raise UsageError(
                f"--infer-{'update-baselines' if self.update else 'against'} measures, and --benchmark-disable lets "
                "nothing be measured: drop the latter, or add --benchmark-enable"
            )
        if self.max_time < self.time:
            raise UsageError(
                f"--infer-max-time={self.max_time:g} is less than --infer-time={self.time:g}; raise the first or lower "
                "the second"
            )
        if self.force and self.update is None:
            raise UsageError("--infer-force is for --infer-update-baselines: give both or neither")
        if self.update and self.isolate == "never":
            raise UsageError("baselines are recorded in processes of their own: drop --infer-isolate=never")
        if self.lock_clocks and self.gpu == "none":
            raise UsageError("--infer-lock-clocks is for a GPU: choose one with --infer-gpu")
        if self.against and self.update:
            raise UsageError(
                "--infer-against compares without baselines: drop it to record with --infer-update-baselines"
            )
        if self.against and self.isolate == "never":
            raise UsageError("--infer-against runs both sides in processes of their own: drop --infer-isolate=never")
        if self.update and self.baseline_mode == "off":
            raise UsageError("--infer-update-baselines needs baselines: drop --infer-baseline-mode=off")


def read_settings(root: Path, given: Callable[[str], Any], ini: Callable[[str], Any]) -> Settings:
    """Make the Settings of the command line (`given`, None where not) and the ini file (`ini`, empty where not).

    Raises:
        UsageError: a value that is not right, named with where it came from and what would be.
    """
    values: dict[str, Any] = {}
    for option in OPTIONS:
        field_name = option.dest.removeprefix("infer_")
        values[field_name] = _value(option, given(option.dest), ini(option.dest))
    update = given("infer_update_baselines") or ini("infer_update_baselines") or None
    if update not in {None, "append", "reset"}:
        raise UsageError(f"infer_update_baselines = {update!r}: append or reset")
    if not update and given("infer_force") is None:
        values["force"] = False  # the ini file says how to update, if that is asked
    prior = ini("infer_session_prior") or None
    if prior is not None:
        prior = _parsed("infer_session_prior", prior, _number(float, 1e-6, 1.0), "the ini file")
    disabled = bool(given("benchmark_disable") and not given("benchmark_enable"))
    if disabled and not update:
        values["baseline_mode"] = "off"
    return Settings(
        root=root,
        disabled=disabled,
        update=update,
        update_reason=ini("infer_update_reason") or None,
        against_links=tuple(ini("infer_against_links")),
        session_prior=prior,
        **values,
    )


def _value(option: Option, given: Any, ini: Any) -> Any:
    if given is not None and given is not False:
        if option.flag:
            return True
        if option.repeatable:
            return tuple(_parsed(option.name, text, option.parse, "the command line") for text in given)
        return _parsed(option.name, given, option.parse, "the command line")
    if ini:
        if option.repeatable:
            return tuple(_parsed(option.dest, text, option.parse, "the ini file") for text in ini.split())
        return _parsed(option.dest, ini, option.parse, "the ini file")
    return option.default


def _parsed(name: str, text: Any, parse: Callable[[str], Any], origin: str) -> Any:
    try:
        return parse(str(text))
    except ValueError as error:
        raise UsageError(f"{name}={text} (from {origin}): it takes {error}") from None
