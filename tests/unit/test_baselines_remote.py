"""Baselines at a URL: what a folder does, with errors that name the URL."""

from __future__ import annotations

import importlib.util
import uuid
from typing import TYPE_CHECKING

import fsspec
import pytest

from pytest_infer.baselines.remote import RemoteStore
from pytest_infer.baselines.schema import BaselineRun, Calibration, Session
from pytest_infer.device.fingerprint import Device
from pytest_infer.errors import BaselineCorruptError, BaselineError, UsageError
from pytest_infer.recording import EntryUpdate

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_infer.baselines.store import BaselineStore

CPU = Device(slug="cpu-x-4c", kind="cpu", name="X", identity={"name": "X", "cores": 4})
STUDY = Calibration(
    schema=1, run_sd=0.01, session_sd=0.01, common_sd=0.02, df=4, tests=2, sessions=2, runs=5, recorded="2024-01-01"
)


@pytest.fixture(params=["memory", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place of its own for each test."""
    return f"memory://{uuid.uuid4().hex}/baselines" if request.param == "memory" else f"file://{tmp_path}/there"


def save(store: BaselineStore, session: str, latency: float, module: str = "tests/test_net.py") -> int:
    """Record one run of one test."""
    runs = (BaselineRun(session=session, metrics={"latency": latency}),)
    update = EntryUpdate(module=module, key="test_net abc", workload={"target": "net.onnx"}, runs=runs)
    return store.save(CPU, session, Session(recorded="2024-01-01T00:00:00+00:00"), [update], reset=False)


def latencies(store: BaselineStore, module: str = "tests/test_net.py") -> list[float]:
    """What the entry holds."""
    file = store.read(CPU, module)
    assert file is not None
    return [run.metrics["latency"] for run in file.entries["test_net abc"].runs]


def test_what_is_saved_is_read_by_others(url: str) -> None:
    """Another process sees what one has recorded; nothing but the files is there."""
    store = RemoteStore(url)
    assert (store.read(CPU, "tests/test_net.py"), store.devices(), list(store.read_all(CPU))) == (None, (), [])
    store.check_writable(CPU)
    assert store.devices() == ()
    assert save(store, "a", 1.0) == 1
    store.save_calibration(CPU, STUDY)
    other = RemoteStore(url)
    assert latencies(other) == [1.0]
    assert len(list(other.read_all(CPU))) == 1
    assert other.devices() == ("cpu-x-4c",)
    assert other.calibration(CPU) == STUDY
    there, root = fsspec.core.url_to_fs(url)
    assert sorted(path.rpartition("/")[2] for path in there.find(root)) == ["cpu-x-4c.json", "test_net.json"]


def test_a_recording_adds_to_what_is_there_by_then(url: str) -> None:
    """What another one saved after this one had read is not lost."""
    first, second = RemoteStore(url), RemoteStore(url)
    assert first.read(CPU, "tests/test_net.py") is None
    save(second, "a", 1.0)
    save(first, "b", 2.0)
    assert latencies(RemoteStore(url)) == [1.0, 2.0]


def test_a_broken_file_is_named_and_stays(url: str) -> None:
    """By its URL, and no recording writes over it; other modules are saved."""
    there, root = fsspec.core.url_to_fs(url)
    there.makedirs(f"{root}/cpu-x-4c/tests", exist_ok=True)
    there.pipe_file(f"{root}/cpu-x-4c/tests/test_net.json", b"{")
    for do in (lambda store: store.read(CPU, "tests/test_net.py"), lambda store: save(store, "a", 1.0)):
        with pytest.raises(BaselineCorruptError, match=f"^{url}/cpu-x-4c/tests/test_net.json"):
            do(RemoteStore(url))
    assert there.cat_file(f"{root}/cpu-x-4c/tests/test_net.json") == b"{"
    save(RemoteStore(url), "a", 1.0, "tests/test_other.py")
    assert latencies(RemoteStore(url), "tests/test_other.py") == [1.0]


def test_a_place_that_can_not_be_written_is_told_before_recording(tmp_path: Path) -> None:
    """With its URL and the system's reason."""
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(BaselineError, match=f"baselines at file://{tmp_path}/file can't be used: "):
        RemoteStore(f"file://{tmp_path}/file").check_writable(CPU)


def test_urls_that_can_not_be_opened() -> None:
    """A scheme that nobody knows is wrong use, and so is one whose library lacks; it is named."""
    with pytest.raises(UsageError, match="nowhere"):
        RemoteStore("nowhere://x")
    if importlib.util.find_spec("gcsfs") is None:
        with pytest.raises(UsageError, match=r"gs://bucket/baselines: .*gcsfs"):
            RemoteStore("gs://bucket/baselines")
