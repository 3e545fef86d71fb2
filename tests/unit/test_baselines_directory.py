"""The directory store: atomic, merging, never outside its folder, never over what it can't read."""

from __future__ import annotations

import errno
import json
import os
import tempfile
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.baselines import store as store_protocol
from pytest_infer.baselines.directory import DirectoryStore
from pytest_infer.baselines.schema import MAX_RUNS, BaselineRun, Calibration, Session
from pytest_infer.device.fingerprint import Device
from pytest_infer.errors import BaselineCorruptError, BaselineError, BaselineSchemaError

if TYPE_CHECKING:
    from collections.abc import Mapping

CPU = Device(slug="cpu-x-4c", kind="cpu", name="X", identity={"name": "X", "cores": 4})
OTHER = Device(slug="cpu-y-8c", kind="cpu", name="Y", identity={"name": "Y", "cores": 8})
MODULE = "tests/test_net.py"
FIRST = Session(recorded="2024-01-01T00:00:00+00:00", environment={"python": "3.11"})


@dataclass(frozen=True)
class Recording:
    """An update as the session makes it."""

    key: str = "test_net abc"
    module: str = MODULE
    workload: Mapping[str, object] = field(default_factory=lambda: {"target": "net.onnx"})
    runs: tuple[BaselineRun, ...] = ()


def recording(session: str, *latencies: float, **given: Any) -> Recording:
    """Runs of one session with these latencies."""
    return Recording(
        runs=tuple(BaselineRun(session=session, metrics={"latency": value}) for value in latencies), **given
    )


def save(store: DirectoryStore, session: str, *updates: Recording, reset: bool = False, device: Device = CPU) -> int:
    """Save updates of one session."""
    return store.save(device, session, FIRST, updates, reset=reset)


def latencies(store: DirectoryStore, key: str = "test_net abc", module: str = MODULE) -> list[float]:
    """What an entry holds."""
    file = store.read(CPU, module)
    assert file is not None
    return [run.metrics["latency"] for run in file.entries[key].runs]


def tree(folder: Path) -> dict[str, bytes]:
    """Every file under a folder with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """A store in a folder that isn't there yet."""
    return DirectoryStore(tmp_path / "perf" / "baselines")


def test_it_is_a_store(store: DirectoryStore) -> None:
    """It has every method that the rest of the plugin relies on."""
    promised = {name for name in vars(store_protocol.BaselineStore) if not name.startswith("_")}
    assert promised
    assert all(callable(getattr(store, name)) for name in promised)


# --- round trips -----------------------------------------------------------------------------------------------------


def test_nothing_is_there_at_first(store: DirectoryStore) -> None:
    """No file, no device, no folder made by looking."""
    assert store.read(CPU, MODULE) is None
    assert list(store.read_all(CPU)) == []
    assert store.devices() == ()
    assert not store._folder.exists()


def test_what_was_saved_is_read(store: DirectoryStore, tmp_path: Path) -> None:
    """One JSON file a module and device, with the device's identity in it, and nothing beside it."""
    assert save(store, "s1", recording("s1", 1.0, 1.1), recording("s1", 2.0, key="test_b abc")) == 2
    file = store.read(CPU, MODULE)
    assert file is not None
    assert file.device == {"slug": "cpu-x-4c", "name": "X", "cores": 4}
    assert file.sessions == {"s1": FIRST}
    assert file.entries["test_net abc"].workload == {"target": "net.onnx"}
    assert latencies(store) == [1.0, 1.1]
    assert list(tree(tmp_path)) == ["perf/baselines/cpu-x-4c/tests/test_net.json"]
    assert list(store.read_all(CPU)) == [file]
    assert store.devices() == ("cpu-x-4c",)


def test_a_stored_file_can_be_read_by_everyone(store: DirectoryStore) -> None:
    """It is a file of the repository, not a secret."""
    save(store, "s1", recording("s1", 1.0))
    if os.name == "posix":
        assert store.path(CPU, MODULE).stat().st_mode & 0o777 == 0o644


def test_merging_keeps_what_it_does_not_touch(store: DirectoryStore) -> None:
    """Other entries, other modules and other devices stay as they were."""
    save(store, "s1", recording("s1", 1.0), recording("s1", 2.0, key="test_b abc"))
    save(store, "s1", recording("s1", 3.0, module="tests/test_other.py"))
    save(store, "s1", recording("s1", 4.0), device=OTHER)
    save(store, "s2", recording("s2", 1.2))
    assert latencies(store) == [1.0, 1.2]
    assert latencies(store, "test_b abc") == [2.0]
    assert latencies(store, module="tests/test_other.py") == [3.0]
    assert store.devices() == ("cpu-x-4c", "cpu-y-8c")
    assert len(list(store.read_all(CPU))) == 2
    file = store.read(CPU, MODULE)
    assert file is not None
    assert set(file.sessions) == {"s1", "s2"}


def test_a_reset_begins_anew_for_its_own_entries_only(store: DirectoryStore) -> None:
    """The old runs of the entry are gone, others stay."""
    save(store, "s1", recording("s1", 1.0), recording("s1", 2.0, key="test_b abc"))
    save(store, "s2", recording("s2", 1.5), reset=True)
    assert latencies(store) == [1.5]
    assert latencies(store, "test_b abc") == [2.0]


def test_sessions_that_no_run_belongs_to_are_dropped(store: DirectoryStore) -> None:
    """A file doesn't grow by the surroundings of runs that are gone."""
    save(store, "s1", recording("s1", 1.0))
    save(store, "s2", recording("s2", 1.5), reset=True)
    file = store.read(CPU, MODULE)
    assert file is not None
    assert set(file.sessions) == {"s2"}


def test_an_entry_stays_bounded_and_keeps_its_anchor(store: DirectoryStore) -> None:
    """Ten recordings of five: never more than the cap, the oldest runs first, the newest last."""
    for i in range(10):
        save(store, f"s{i}", recording(f"s{i}", *(i + j / 10 for j in range(5))))
    kept = latencies(store)
    assert len(kept) == MAX_RUNS
    assert kept[0] == 0.0
    assert kept[-1] == 9.4


# --- places ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["..", ".", "/", "tests", "a b", "test_net.py", "...", "x.y.py"]), min_size=1))
def test_every_module_stays_inside_the_folder(parts: list[str]) -> None:
    """Paths from outside rootdir, absolute ones, dots: none leads out of the device's folder."""
    module = "/".join([*parts, "test_a.py"])
    folder = Path("perf")
    path = DirectoryStore(folder).path(CPU, module)
    assert ".." not in path.parts
    assert path.is_relative_to(folder / CPU.slug)
    assert path.suffix == ".json"


def test_a_module_outside_rootdir_has_a_place(store: DirectoryStore, tmp_path: Path) -> None:
    """`../x` is kept, and found again, inside."""
    save(store, "s1", recording("s1", 1.0, module="../elsewhere/test_a.py"))
    assert latencies(store, module="../elsewhere/test_a.py") == [1.0]
    assert [Path(name).parts[:3] for name in tree(tmp_path)] == [("perf", "baselines", "cpu-x-4c")]


# --- what can't be read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b'{"schema": 1, "dev', BaselineCorruptError),
        (b"", BaselineCorruptError),
        (b"no JSON", BaselineCorruptError),
        (b"\xff\xfe", BaselineCorruptError),
        (b'{"schema": 2}', BaselineSchemaError),
        (b'{"schema": 1, "device": {"slug": "cpu-y-8c"}}', BaselineCorruptError),
        (b'{"schema": 1, "device": {}}', BaselineCorruptError),
    ],
)
def test_a_file_that_can_t_be_used_is_named_and_never_overwritten(
    store: DirectoryStore, tmp_path: Path, text: bytes, error: type[BaselineError]
) -> None:
    """Reading and saving fail the same way; the bytes stay, and nothing is left beside them."""
    path = store.path(CPU, MODULE)
    path.parent.mkdir(parents=True)
    path.write_bytes(text)
    before = tree(tmp_path)
    with pytest.raises(error, match=r"test_net\.json"):
        store.read(CPU, MODULE)
    with pytest.raises(error, match=r"test_net\.json"):
        save(store, "s1", recording("s1", 1.0), reset=True)
    assert tree(tmp_path) == before


def test_a_file_of_another_device_says_of_which(store: DirectoryStore) -> None:
    """A copied folder is no baseline: the error names both devices and what to do."""
    save(store, "s1", recording("s1", 1.0), device=OTHER)
    (store._folder / OTHER.slug).rename(store._folder / CPU.slug)
    with pytest.raises(BaselineCorruptError, match="recorded on 'cpu-y-8c', not on 'cpu-x-4c'; move it"):
        store.read(CPU, MODULE)


def test_what_can_t_be_used_is_no_part_of_the_whole(store: DirectoryStore) -> None:
    """One broken file or one of another device doesn't hide the others; the tests that need it tell."""
    save(store, "s1", recording("s1", 1.0))
    save(store, "s1", recording("s1", 9.0), device=OTHER)
    foreign = store.path(CPU, "tests/test_foreign.py")
    foreign.write_bytes(store.path(OTHER, MODULE).read_bytes())
    foreign.with_name("test_broken.json").write_text("{")
    foreign.with_name("test_newer.json").write_text('{"schema": 99}')
    assert list(store.read_all(CPU)) == [store.read(CPU, MODULE)]


def test_a_file_that_can_t_be_opened_is_an_error(store: DirectoryStore) -> None:
    """A folder in its place, say: not the same as none."""
    store.path(CPU, MODULE).mkdir(parents=True)
    with pytest.raises(BaselineError, match=r"test_net\.json can't be read: "):
        store.read(CPU, MODULE)


# --- what can't be written -------------------------------------------------------------------------------------------


def test_a_store_that_can_be_written_is_quiet(store: DirectoryStore, tmp_path: Path) -> None:
    """The check leaves neither file nor folder: they are made when something is saved."""
    store.check_writable(CPU)
    assert list(tmp_path.iterdir()) == []
    save(store, "s1", recording("s1", 1.0))
    before = tree(tmp_path)
    store.check_writable(CPU)
    assert tree(tmp_path) == before


def test_a_store_that_can_t_be_written_is_told_beforehand(tmp_path: Path) -> None:
    """A file where the folder should be: the error names the folder and the option."""
    (tmp_path / "baselines").write_text("a file")
    with pytest.raises(BaselineError, match=r"can't be written to .*baselines.*--infer-baselines"):
        DirectoryStore(tmp_path / "baselines").check_writable(CPU)


def test_a_read_only_folder_is_told_beforehand(store: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the right to write the error says why."""

    def refuse(**_: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(BaselineError, match="Permission denied"):
        store.check_writable(CPU)


def test_saving_where_nothing_can_be_written_is_our_own_error(tmp_path: Path) -> None:
    """It names the file."""
    (tmp_path / "baselines").write_text("a file")
    with pytest.raises(BaselineError, match=r"test_net\.json could not be written"):
        save(DirectoryStore(tmp_path / "baselines"), "s1", recording("s1", 1.0))


def _full(*_args: Any, **_kwargs: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("moment", ["mkstemp", "fsync", "replace"])
@pytest.mark.parametrize("existing", [True, False])
def test_a_full_disk_leaves_the_file_as_it_was(
    store: DirectoryStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    existing: bool,  # noqa: FBT001 - both cases
) -> None:
    """Whenever it strikes: all of the old file or none of the new one, no draft, and an error that says so."""
    if existing:
        save(store, "s1", recording("s1", 1.0))
    before = tree(tmp_path)
    with monkeypatch.context() as patch:
        if moment == "mkstemp":
            patch.setattr(tempfile, "mkstemp", _full)
        elif moment == "fsync":
            patch.setattr(os, "fsync", _full)
        else:
            patch.setattr(Path, "replace", _full)
        with pytest.raises(BaselineError, match=r"test_net\.json could not be written: No space.*as it was before"):
            save(store, "s2", recording("s2", 2.0))
    assert tree(tmp_path) == before
    save(store, "s2", recording("s2", 2.0))
    assert latencies(store) == ([1.0, 2.0] if existing else [2.0])


def test_breaking_off_while_writing_leaves_the_file_as_it_was(
    store: DirectoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the middle of a save: the store is as before."""
    save(store, "s1", recording("s1", 1.0))
    before = tree(tmp_path)

    def interrupt(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(store, "s2", recording("s2", 2.0))
    assert tree(tmp_path) == before


def test_figures_that_json_lacks_are_refused_before_anything_is_written(store: DirectoryStore, tmp_path: Path) -> None:
    """The old file stays readable."""
    save(store, "s1", recording("s1", 1.0))
    before = tree(tmp_path)
    with pytest.raises((BaselineError, ValueError)):
        save(store, "s2", recording("s2", float("nan")))
    assert tree(tmp_path) == before


# --- studies ---------------------------------------------------------------------------------------------------------

STUDY = Calibration(
    schema=1, run_sd=0.01, session_sd=0.02, common_sd=0.03, df=6.5, tests=8, sessions=3, runs=5, recorded="2024"
)


def test_a_study_is_kept_beside_its_device_s_folder(store: DirectoryStore) -> None:
    """It is found again, is no baseline file and no device, and the next one takes its place."""
    assert store.calibration(CPU) is None
    store.save_calibration(CPU, STUDY)
    store.save_calibration(CPU, replace(STUDY, sessions=4))
    assert store.calibration(CPU) == replace(STUDY, sessions=4)
    assert store.calibration(OTHER) is None
    assert store.devices() == ()
    assert list(store.read_all(CPU)) == []


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"\xff", b'{"schema": 1, "run_sd": "much"}'])
def test_a_broken_study_is_named(store: DirectoryStore, tmp_path: Path, text: bytes) -> None:
    """With the way to a new one."""
    (tmp_path / "perf/baselines").mkdir(parents=True)
    (tmp_path / "perf/baselines/cpu-x-4c.json").write_bytes(text)
    with pytest.raises(BaselineCorruptError, match=r"cpu-x-4c\.json.*(pytest-infer calibrate|record anew)"):
        store.calibration(CPU)


@pytest.mark.parametrize("part", ["run_sd", "session_sd", "common_sd", "df"])
def test_a_study_without_a_spread_is_refused(store: DirectoryStore, part: str) -> None:
    """A spread of nothing would make every difference significant: told here, not in the middle of a test."""
    values: dict[str, Any] = {part: 0.0}
    store.save_calibration(CPU, replace(STUDY, **values))
    with pytest.raises(BaselineCorruptError, match=r"cpu-x-4c\.json holds a spread that is not positive"):
        store.calibration(CPU)


def test_a_study_of_a_newer_version_is_refused_by_name(store: DirectoryStore) -> None:
    """Its figures may mean something else there."""
    store.save_calibration(CPU, replace(STUDY, schema=2))
    with pytest.raises(BaselineSchemaError, match=r"cpu-x-4c\.json.*schema 2"):
        store.calibration(CPU)


def test_a_study_that_can_t_be_read_or_written_is_our_own_error(tmp_path: Path) -> None:
    """A file where the folder should be, a folder where the file should be."""
    (tmp_path / "file").touch()
    with pytest.raises(BaselineError, match="could not be written"):
        DirectoryStore(tmp_path / "file").save_calibration(CPU, STUDY)
    (tmp_path / "store/cpu-x-4c.json").mkdir(parents=True)
    with pytest.raises(BaselineError, match="can't be read"):
        DirectoryStore(tmp_path / "store").calibration(CPU)


# --- several at once -------------------------------------------------------------------------------------------------


def test_savers_at_the_same_time_lose_nothing(store: DirectoryStore) -> None:
    """Eight at once on one file: every recording is in it afterwards."""
    gate = threading.Barrier(8)

    def one(i: int) -> None:
        gate.wait()
        save(store, f"s{i}", recording(f"s{i}", float(i), key=f"test_{i} abc"))

    threads = [threading.Thread(target=one, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    file = store.read(CPU, MODULE)
    assert file is not None
    assert sorted(file.entries) == [f"test_{i} abc" for i in range(8)]
    assert json.loads(store.path(CPU, MODULE).read_text())["schema"] == 1


def test_a_user_without_a_name_can_save(store: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers run under numbers that no account has: a recording isn't lost for that."""

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert save(store, "s1", recording("s1", 1.0)) == 1
