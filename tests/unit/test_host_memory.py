"""Peak host memory, from a process folder laid out as the kernel's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_infer.measure.host_memory import PeakMemory

if TYPE_CHECKING:
    from pathlib import Path


def status(process: Path, *, resident_kb: int, peak_kb: int | None) -> None:
    """Write what the kernel would say."""
    peak = "" if peak_kb is None else f"VmHWM:\t{peak_kb:8} kB\n"
    (process / "status").write_text(f"Name:\tpython\n{peak}VmRSS:\t{resident_kb:8} kB\nThreads:\t4\n")


def test_growth_is_the_peak_above_what_was_resident(tmp_path: Path) -> None:
    """From 100 000 kB resident to a peak of 150 000 kB: 51.2 MB; the peak before the start was reset."""
    status(tmp_path, resident_kb=100_000, peak_kb=900_000)
    memory = PeakMemory(tmp_path)
    memory.start()
    assert (tmp_path / "clear_refs").read_text() == "5"
    status(tmp_path, resident_kb=120_000, peak_kb=150_000)
    assert memory.growth_mb() == pytest.approx(51.2)
    assert memory.resident_and_peak_mb() == pytest.approx((20.48, 51.2))


def test_shrinking_is_no_negative_growth(tmp_path: Path) -> None:
    """Who gave memory back has grown by nothing."""
    status(tmp_path, resident_kb=100_000, peak_kb=100_000)
    memory = PeakMemory(tmp_path)
    memory.start()
    status(tmp_path, resident_kb=50_000, peak_kb=90_000)
    assert memory.growth_mb() == 0.0
    assert memory.resident_and_peak_mb() == (0.0, 0.0)


def test_a_platform_without_the_files_can_t_tell(tmp_path: Path) -> None:
    """It says None, and start is harmless."""
    memory = PeakMemory(tmp_path / "absent")
    memory.start()
    assert memory.growth_mb() is None
    assert memory.resident_and_peak_mb() is None


def test_a_peak_that_can_t_be_reset_is_not_told(tmp_path: Path) -> None:
    """Without a reset the high-water mark may be anyone's."""
    status(tmp_path, resident_kb=100_000, peak_kb=900_000)
    (tmp_path / "clear_refs").mkdir()
    memory = PeakMemory(tmp_path)
    memory.start()
    assert memory.growth_mb() is None


def test_before_the_start_there_is_nothing(tmp_path: Path) -> None:
    """Growth since never is unknown."""
    status(tmp_path, resident_kb=1, peak_kb=2)
    assert PeakMemory(tmp_path).growth_mb() is None


def test_a_kernel_without_a_high_water_mark_can_t_tell(tmp_path: Path) -> None:
    """Resident memory alone is no peak."""
    status(tmp_path, resident_kb=100_000, peak_kb=None)
    memory = PeakMemory(tmp_path)
    memory.start()
    assert memory.growth_mb() is None
    assert memory.resident_and_peak_mb() is None
