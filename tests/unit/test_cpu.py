"""The CPU as a device: model, cores, quota; and the slug that baselines live under."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.device import cpu
from pytest_infer.device.fingerprint import Device, slugify

if TYPE_CHECKING:
    from pathlib import Path

XEON = {"name": "Intel(R) Xeon(R) Processor @ 2.10GHz", "family": "6", "model": "143", "stepping": "8"}


def device(
    monkeypatch: pytest.MonkeyPatch, *, facts: dict[str, str], cores: int = 4, quota: float | None = None
) -> Device:
    """The device of a made-up machine."""
    monkeypatch.setattr(cpu, "_cpuinfo", lambda _path: dict(facts))
    monkeypatch.setattr(cpu, "usable_cores", lambda: cores)
    monkeypatch.setattr(cpu, "cpu_quota", lambda _root: quota)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("platform.processor", lambda: "")
    return cpu.cpu_device()


# --- identity --------------------------------------------------------------------------------------------------------


def test_the_slug_says_model_generation_and_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readable, and different where timing is: clouds show one name for several generations."""
    found = device(monkeypatch, facts=XEON)
    assert found.slug == "cpu-intel-xeon-processor-2.10ghz-f6m143-4c"
    assert (found.kind, found.name) == ("cpu", XEON["name"])
    assert found.identity["stepping"] == "8"
    newer = device(monkeypatch, facts={**XEON, "model": "207"})
    fewer = device(monkeypatch, facts=XEON, cores=2)
    assert len({found.slug, newer.slug, fewer.slug}) == 3


def test_a_quota_below_the_cores_is_part_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a container is another machine; a quota that binds nothing is none."""
    assert device(monkeypatch, facts=XEON, quota=1.5).slug.endswith("-4c-q1.5")
    assert device(monkeypatch, facts=XEON, quota=1.5).identity["quota"] == 1.5
    assert device(monkeypatch, facts=XEON, quota=4.0).slug.endswith("-4c")
    assert "quota" not in device(monkeypatch, facts=XEON, quota=8.0).identity


def test_a_cpu_without_a_name_is_called_by_its_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where /proc/cpuinfo is silent (ARM, macOS) there is still a device."""
    found = device(monkeypatch, facts={})
    assert (found.slug, found.name) == ("cpu-x86-64-4c", "x86_64")


@given(st.text())
def test_a_slug_is_safe_as_a_folder_s_name(text: str) -> None:
    """Lower-case letters, digits, dots and single hyphens inside; making it again changes nothing."""
    slug = slugify(text)
    assert re.fullmatch(r"([a-z0-9.]+(-[a-z0-9.]+)*)?", slug)
    assert slugify(slug) == slug


def test_trade_marks_are_left_out() -> None:
    """What vendors add for lawyers says nothing about timing."""
    assert slugify("AMD EPYC(TM) 7B13 64-Core") == "amd-epyc-7b13-64-core"


# --- /proc/cpuinfo ---------------------------------------------------------------------------------------------------


def test_the_first_processor_s_facts_are_read(tmp_path: Path) -> None:
    """Name, family, model and stepping of the first block; a name with colons is whole."""
    one = "processor\t: 0\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: Xeon: Gold\nstepping\t: 8\nflags\t\t: fpu"
    (tmp_path / "cpuinfo").write_text(f"{one}\n\n{one.replace('143', '1')}\n")
    assert cpu._cpuinfo(tmp_path / "cpuinfo") == {"name": "Xeon: Gold", "family": "6", "model": "143", "stepping": "8"}


def test_no_cpuinfo_is_no_error(tmp_path: Path) -> None:
    """Other systems have none."""
    assert cpu._cpuinfo(tmp_path / "cpuinfo") == {}


# --- the quota -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "quota"),
    [("200000 100000\n", 2.0), ("150000 100000\n", 1.5), ("max 100000\n", None), ("50000 100000", 0.5)],
)
def test_the_quota_of_cgroups_two(tmp_path: Path, text: str, quota: float | None) -> None:
    """Time over period, in cores; max is no limit."""
    (tmp_path / "cpu.max").write_text(text)
    assert cpu.cpu_quota(tmp_path) == quota


@pytest.mark.parametrize(("text", "quota"), [("150000\n", 1.5), ("-1\n", None)])
def test_the_quota_of_cgroups_one(tmp_path: Path, text: str, quota: float | None) -> None:
    """The same from two files; minus one is no limit."""
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text(text)
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert cpu.cpu_quota(tmp_path) == quota


def test_without_cgroups_there_is_no_quota(tmp_path: Path) -> None:
    """Nor on another system, nor with half of the old files."""
    assert cpu.cpu_quota(tmp_path) is None
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("150000\n")
    assert cpu.cpu_quota(tmp_path) is None


# --- threads ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cores", "quota", "threads"), [(4, None, 4), (4, 2.5, 2), (4, 0.5, 1), (2, 8.0, 2)])
def test_an_engine_gets_the_cores_within_the_quota(
    monkeypatch: pytest.MonkeyPatch, cores: int, quota: float | None, threads: int
) -> None:
    """Whole threads, at least one."""
    monkeypatch.setattr(cpu, "usable_cores", lambda: cores)
    monkeypatch.setattr(cpu, "cpu_quota", lambda _root: quota)
    assert cpu.thread_count() == threads


def test_only_the_cores_that_the_scheduler_allows_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The affinity mask where there is one, else what the machine has, else one."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 3, 5}, raising=False)
    assert cpu.usable_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert cpu.usable_cores() == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cpu.usable_cores() == 1


def test_this_machine_is_a_device() -> None:
    """The real files are read without complaint, twice the same."""
    assert cpu.cpu_device() == cpu.cpu_device()
    assert cpu.cpu_device().slug.startswith("cpu-")
    assert cpu.thread_count() >= 1
