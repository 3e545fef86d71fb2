"""A measurement travels between processes, files and reports as plain values."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.measurement import Measurement, Samples

finite = st.floats(allow_nan=False, allow_infinity=False)
samples = st.builds(
    Samples,
    count=st.integers(0, 10**6),
    warmup=st.integers(0, 10**6),
    settled=st.booleans(),
    block_medians_ns=st.lists(st.integers(0, 10**12), max_size=5).map(tuple),
    quantiles_ns=st.dictionaries(st.sampled_from(["min", "p50", "p99", "max"]), st.integers(0, 10**12)),
)
measurements = st.builds(
    Measurement,
    name=st.text(),
    workload=st.dictionaries(st.text(), st.one_of(st.none(), st.integers(-(2**53), 2**53), st.text())),
    digest=st.text(),
    metrics=st.dictionaries(st.text(), finite),
    intervals=st.dictionaries(st.text(), st.tuples(finite, finite)),
    samples=st.one_of(st.none(), samples),
    accuracy=st.dictionaries(st.text(), finite),
    accuracy_notes=st.lists(st.text()).map(tuple),
    non_finite=st.lists(st.text()).map(tuple),
    facts=st.dictionaries(st.text(), st.text()),
    model_digest=st.one_of(st.none(), st.text()),
    disturbed=st.lists(st.text()).map(tuple),
)


@given(measurements)
def test_a_measurement_comes_back_from_plain_values(measurement: Measurement) -> None:
    """As builtins (between xdist's processes) and as JSON (from a worker) nothing is lost."""
    assert msgspec.convert(msgspec.to_builtins(measurement), Measurement) == measurement
    assert msgspec.json.decode(msgspec.json.encode(measurement), type=Measurement) == measurement


def test_a_measurement_can_not_be_changed() -> None:
    """What was measured stays measured."""
    measurement = Measurement(name="", workload={}, digest="", metrics={})
    with pytest.raises(dataclasses.FrozenInstanceError):
        measurement.name = "another"  # type: ignore[misc]
