"""Which device's baselines explain that there are none here: after a change of the hardware."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.config import Settings
from pytest_infer.device.fingerprint import Device
from pytest_infer.device.nearest import nearest
from pytest_infer.errors import BaselineCorruptError
from pytest_infer.gating import Gate
from tests.unit.conftest import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.baselines.schema import BaselineFile
    from pytest_infer.measurement import Measurement
    from tests.integration.conftest import Suite

EPYC: dict[str, str | int | float] = {"name": "AMD EPYC 9654", "arch": "x86_64", "family": "25", "cores": 8}
L4 = {"name": "NVIDIA L4", "memory_gib": 22, "compute_capability": "8.9"}
IDENTITIES = st.dictionaries(
    st.sampled_from(["name", "cores", "memory_gib", "quota", "mig"]),
    st.one_of(st.integers(1, 99), st.floats(0.5, 99), st.sampled_from(["a", "b"])),
)


def cpu(**given: str | float) -> Device:
    """An EPYC of eight cores, but for what is given."""
    return Device(slug="cpu-epyc", kind="cpu", name="EPYC", identity={**EPYC, **given})


@pytest.mark.parametrize(
    ("others", "slug", "differs"),
    [
        ({"cpu-4": {**EPYC, "cores": 4}, "cpu-64": {**EPYC, "cores": 64}}, "cpu-4", ("cores: 4 → 8",)),
        ({"cpu-4": {**EPYC, "cores": 4, "quota": 2}, "cpu-64": {**EPYC, "cores": 64}}, "cpu-64", ("cores: 64 → 8",)),
        (
            {"cpu-i": {**EPYC, "name": "Intel Xeon"}, "cpu-a": {**EPYC, "name": "AMD EPYC 9554", "cores": 64}},
            "cpu-a",
            ("name: AMD EPYC 9554 → AMD EPYC 9654", "cores: 64 → 8"),
        ),
        ({"gpu-l4": L4, "cpu-i": {"name": "Intel Xeon"}}, "cpu-i", None),
        ({"cpu-q": {**EPYC, "quota": 2.5}}, "cpu-q", ("quota: 2.5 → absent",)),
        ({"gpu-l4": L4}, "gpu-l4", None),
    ],
)
def test_the_nearest(others: dict[str, Any], slug: str, differs: tuple[str, ...] | None) -> None:
    """Of the same kind, then the same product or a like one, then with fewer differences, then smaller ones."""
    found = nearest(cpu(), others)
    assert found is not None
    assert found.slug == slug
    if differs is not None:
        assert found.differs == differs


@given(IDENTITIES, st.dictionaries(st.sampled_from(["cpu-a", "cpu-b", "gpu-c", "cpu-d"]), IDENTITIES))
def test_any_devices(mine: dict[str, Any], others: dict[str, Any]) -> None:
    """One of them, whatever their order; an equal one of the kind before all others, and it differs in nothing."""
    device = Device(slug="cpu-x", kind="cpu", name="X", identity=mine)
    found = nearest(device, others)
    assert found == nearest(device, dict(reversed(others.items())))
    if found is None:
        assert not others
        return
    assert len(found.differs) == sum(mine.get(k) != others[found.slug].get(k) for k in mine.keys() | others[found.slug])
    same = nearest(device, {**others, "cpu-same": mine})
    assert same is not None
    assert same.differs == ()


class Broken(MemoryStore):
    """A store in which other devices' files can't be read."""

    def read(self, device: Device, module: str) -> BaselineFile | None:
        """Say so."""
        if device.slug == "cpu-broken":
            raise BaselineCorruptError("nonsense")
        return super().read(device, module)


def test_only_devices_that_have_the_test_s_baseline(make_measurement: Callable[..., Measurement]) -> None:
    """Another test's is no help, and a file that can't be used is not this test's trouble."""
    store = Broken()
    runs = {"s": [{"latency": 1.0}]}
    for slug, test in (("cpu-other", "test_b"), ("cpu-broken", "test_a"), ("cpu-far", "test_a")):
        there = Device(slug=slug, kind="cpu", name=slug)
        store.put("test_net.py", {test: runs}, device=there)
    gate = Gate(Settings(root=Path()), cpu(), store, {})
    told = gate.no_baseline("test_net.py::test_a", make_measurement(digest="d"))
    assert told.startswith(
        "no baseline on cpu-epyc (there are some for cpu-broken, cpu-far, cpu-other); record one with"
    )
    assert "; the nearest device that has one is cpu-far (" in told
    assert "nearest" not in gate.no_baseline("test_net.py::test_c", make_measurement(digest="d"))


def test_a_changed_machine(suite: Suite) -> None:
    """Baselines of the machine as it was: each test says so under -v, the section once, the message under require."""
    suite.record()
    was = suite.baseline()
    content = suite.content()
    now = content["device"]["cores"]
    content["device"] |= {"slug": "cpu-of-yesterday", "cores": now + 6}
    there = was.parents[1] / "cpu-of-yesterday" / was.name
    there.parent.mkdir()
    there.write_text(json.dumps(content))
    shutil.rmtree(was.parent)
    expected = f"the nearest device that has one is cpu-of-yesterday (cores: {now + 6} → {now})"
    done = suite.run("--infer-isolate=never")
    assert done.ret == 0
    assert [line.startswith("2 result(s): ") for line in done.outlines if expected in line] == [True]
    assert suite.run("--infer-isolate=never", "--infer-baseline-mode=require").ret == 1
    text = suite.cases()["test_one"].text
    assert expected in text
    assert "to record one: pytest test_it.py::test_one --infer-update-baselines" in text
