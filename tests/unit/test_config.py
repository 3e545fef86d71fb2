"""The options: the command line over the ini file, every value checked, contradictions refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.config import OPTIONS, UPDATE_FLAGS, Settings, read_settings
from pytest_infer.errors import UsageError

ROOT = Path("project")
DEFAULTS = {
    "infer_gpu": "none",
    "infer_baselines": "baselines",
    "infer_baseline_mode": "compare",
    "infer_force": False,
    "infer_runs": 5,
    "infer_confirm": 3,
    "infer_alpha": 0.001,
    "infer_time": 1.0,
    "infer_max_time": 60.0,
    "infer_backend": None,
    "infer_against": None,
    "infer_report": (),
    "infer_lock_clocks": None,
    "infer_isolate": "auto",
    "infer_strict": False,
    "infer_timeout": 300.0,
    "infer_time_limit": 60.0,
}
"""Every option that users are promised, as its ini key, with its default."""


def read(line: dict[str, Any] | None = None, ini: dict[str, Any] | None = None) -> Settings:
    """Settings of a command line and an ini file, by destination."""
    return read_settings(ROOT, (line or {}).get, lambda name: (ini or {}).get(name, ""))


def test_the_options_are_the_promised_ones() -> None:
    """Names and defaults; each has a help text."""
    assert {option.dest: option.default for option in OPTIONS} == DEFAULTS
    assert all(option.help and option.name == "--" + option.dest.replace("_", "-") for option in OPTIONS)
    assert set(UPDATE_FLAGS.values()) == {"append", "reset"}


def test_nothing_given_is_the_defaults() -> None:
    """Settings made of nothing are those that the class declares."""
    assert read() == Settings(root=ROOT)


GIVEN = [
    ("infer_gpu", "none", "none"),
    ("infer_baselines", "perf/base", "perf/base"),
    ("infer_baseline_mode", "require", "require"),
    ("infer_runs", "7", 7),
    ("infer_confirm", "4", 4),
    ("infer_alpha", "0.01", 0.01),
    ("infer_time", "0.5", 0.5),
    ("infer_max_time", "90", 90.0),
    ("infer_backend", "onnxruntime", "onnxruntime"),
    ("infer_isolate", "always", "always"),
    ("infer_timeout", "10", 10.0),
    ("infer_time_limit", "30", 30.0),
]


@pytest.mark.parametrize(("key", "text", "value"), GIVEN)
def test_each_option_is_read_from_both_places(key: str, text: str, value: Any) -> None:
    """The same text means the same on the command line and in the ini file."""
    field = key.removeprefix("infer_")
    assert getattr(read({key: text}), field) == value
    assert getattr(read(ini={key: text}), field) == value


@pytest.mark.parametrize(
    ("key", "line", "ini", "value"),
    [
        ("infer_runs", "7", "3", 7),
        ("infer_isolate", "auto", "always", "auto"),
        ("infer_report", ["a.json"], "b.json", ("a.json",)),
        ("infer_strict", True, "false", True),
    ],
)
def test_the_command_line_wins(key: str, line: Any, ini: str, value: Any) -> None:
    """Also where it says what the default would."""
    assert getattr(read({key: line}, {key: ini}), key.removeprefix("infer_")) == value


def test_a_wrong_ini_value_does_not_matter_where_the_command_line_speaks() -> None:
    """What isn't used isn't judged."""
    assert read({"infer_runs": "7"}, {"infer_runs": "many"}).runs == 7


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("Yes", True), ("1", True), ("on", True), ("false", False), ("0", False)]
)
def test_switches_in_the_ini_file(text: str, value: bool) -> None:  # noqa: FBT001 - a truth table
    """The usual words for yes and no."""
    assert read(ini={"infer_strict": text}).strict is value


def test_reports_can_be_several() -> None:
    """Repeated on the command line, separated by spaces or lines in the ini file."""
    assert read({"infer_report": ["a.json", "b.json"]}).report == ("a.json", "b.json")
    assert read(ini={"infer_report": "a.json\nb.json"}).report == ("a.json", "b.json")


@pytest.mark.parametrize(
    ("key", "text", "needed"),
    [
        ("infer_baseline_mode", "strict", "one of compare, require, off"),
        ("infer_isolate", "yes", "one of auto, always, never"),
        ("infer_runs", "0", "a whole number from 1 to"),
        ("infer_runs", "2.5", "a whole number from 1"),
        ("infer_runs", "many", "a whole number"),
        ("infer_confirm", "0", "a whole number from 1"),
        ("infer_alpha", "0", "a number from 1e-09 to 0.2"),
        ("infer_alpha", "1", "a number from"),
        ("infer_alpha", "nan", "a number from"),
        ("infer_time", "0", "a number from 0.001"),
        ("infer_time", "inf", "a number from"),
        ("infer_max_time", "-1", "a number from"),
        ("infer_timeout", "0", "a number from 0.1"),
        ("infer_time_limit", "soon", "a number from 1"),
        ("infer_lock_clocks", "fast", "auto, or a clock in MHz"),
        ("infer_lock_clocks", "-5", "auto, or a clock in MHz"),
    ],
)
def test_a_bad_value_says_whose_what_and_from_where(key: str, text: str, needed: str) -> None:
    """The name as the user wrote it, the value, its origin, and what would be right."""
    option = "--" + key.replace("_", "-")
    with pytest.raises(UsageError, match=rf"{option}={text} \(from the command line\): it takes .*{needed}"):
        read({key: text})
    with pytest.raises(UsageError, match=rf"{key}={text} \(from the ini file\): it takes .*{needed}"):
        read(ini={key: text})


def test_a_report_needs_an_ending() -> None:
    """Each of several is checked, and named; which endings there are, reporters say."""
    with pytest.raises(UsageError, match=r"--infer-report=b \(from the command line\).*\.json, \.html or \.md"):
        read({"infer_report": ["a.json", "b"]})


def test_a_switch_needs_yes_or_no() -> None:
    """Anything else is refused, not taken for no."""
    with pytest.raises(UsageError, match=r"infer_force=perhaps \(from the ini file\): it takes true or false"):
        read(ini={"infer_force": "perhaps"})


@pytest.mark.parametrize("way", ["append", "reset"])
def test_updates_come_from_both_places(way: str) -> None:
    """The flag's value or the ini key."""
    assert read({"infer_update_baselines": way}).update == way
    assert read(ini={"infer_update_baselines": way}).update == way


def test_an_unknown_update_is_refused() -> None:
    """It is neither of the two."""
    with pytest.raises(UsageError, match="infer_update_baselines = 'overwrite': append or reset"):
        read(ini={"infer_update_baselines": "overwrite"})


def test_the_ini_file_may_tell_more() -> None:
    """The reason of a recording, and the declared spread of sessions."""
    settings = read(ini={"infer_update_reason": "new driver", "infer_session_prior": "0.03"})
    assert (settings.update_reason, settings.session_prior) == ("new driver", 0.03)


@pytest.mark.parametrize("text", ["0", "-0.1", "2", "3%"])
def test_a_session_prior_is_a_fraction_above_zero(text: str) -> None:
    """No spread at all would make every difference significant: refused here, not in the middle of a test."""
    with pytest.raises(UsageError, match=r"infer_session_prior=.* \(from the ini file\)"):
        read(ini={"infer_session_prior": text})


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"infer_time": "100"}, "--infer-max-time=60 is less than --infer-time=100"),
        ({"infer_force": True}, "--infer-force is for --infer-update-baselines"),
        ({"infer_update_baselines": "append", "infer_isolate": "never"}, "drop --infer-isolate=never"),
        ({"infer_update_baselines": "append", "infer_baseline_mode": "off"}, "drop --infer-baseline-mode=off"),
        ({"infer_lock_clocks": "auto"}, "--infer-lock-clocks is for a GPU"),
        ({"infer_against": "main", "infer_update_baselines": "append"}, "drop it to record"),
        ({"infer_against": "main", "infer_isolate": "never"}, "drop --infer-isolate=never"),
    ],
)
def test_contradictions_are_refused(line: dict[str, Any], told: str) -> None:
    """Two options that can't both hold stop the run before it starts, and the message says what to drop."""
    with pytest.raises(UsageError, match=told):
        read(line)


def test_links_are_a_list_of_the_ini_file() -> None:
    """Separated by spaces or lines."""
    assert read(ini={"infer_against_links": ["models", "data/big"]}).against_links == ("models", "data/big")


def test_force_and_update_go_together() -> None:
    """The pair that makes sense is taken."""
    settings = read({"infer_force": True, "infer_update_baselines": "reset"})
    assert (settings.force, settings.update) == (True, "reset")


@given(st.integers(-5, 60), st.sampled_from(["infer_runs", "infer_confirm"]))
def test_counts_are_taken_within_their_range(count: int, key: str) -> None:
    """Every whole number is either the setting or refused."""
    top = 20 if key == "infer_runs" else 50
    if 1 <= count <= top:
        assert getattr(read({key: str(count)}), key.removeprefix("infer_")) == count
    else:
        with pytest.raises(UsageError):
            read({key: str(count)})


@given(st.booleans(), st.booleans())
def test_nothing_is_measured_where_benchmarks_are_disabled(disable: bool, enable: bool) -> None:  # noqa: FBT001 - drawn
    """pytest-benchmark's two options, as it reads them; then no baseline is missed or looked at."""
    given_ = {"benchmark_disable": disable, "benchmark_enable": enable, "infer_baseline_mode": "require"}
    settings = read(given_)
    assert settings.disabled == (disable and not enable)
    assert settings.baseline_mode == ("off" if settings.disabled else "require")
