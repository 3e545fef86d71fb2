"""Baseline files as text: read back whole, laid out for reviews, refused when broken."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.baselines.codec import decode, encode
from pytest_infer.baselines.schema import SCHEMA, BaselineFile, BaselineRun, Entry, Session
from pytest_infer.errors import BaselineCorruptError, BaselineError, BaselineSchemaError
from pytest_infer.measurement import Samples

if TYPE_CHECKING:
    from random import Random

PATH = Path("baselines/cpu-x/tests/test_net.json")

finite = st.floats(allow_nan=False, allow_infinity=False)
whole = st.integers(-(2**53), 2**53)
texts = st.text(max_size=20)
plain = st.recursive(
    st.one_of(st.none(), st.booleans(), whole, finite, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(texts, inner, max_size=2)),
    max_leaves=4,
)
samples = st.builds(
    Samples,
    count=st.integers(0, 10**6),
    settled=st.booleans(),
    block_medians_ns=st.lists(st.integers(0, 10**12), max_size=3).map(tuple),
    quantiles_ns=st.dictionaries(st.sampled_from(["min", "p50", "max"]), st.integers(0, 10**12)),
)
runs = st.builds(
    BaselineRun,
    session=texts,
    metrics=st.dictionaries(texts, finite, max_size=3),
    samples=st.one_of(st.none(), samples),
    model=st.one_of(st.none(), texts),
)
files = st.builds(
    BaselineFile,
    schema=st.just(SCHEMA),
    device=st.dictionaries(texts, st.one_of(texts, whole), max_size=3),
    sessions=st.dictionaries(
        texts,
        st.builds(
            Session,
            recorded=texts,
            environment=st.dictionaries(texts, texts, max_size=2),
            reason=st.one_of(st.none(), texts),
        ),
        max_size=3,
    ),
    entries=st.dictionaries(
        texts,
        st.builds(
            Entry,
            workload=st.dictionaries(texts, plain, max_size=2),
            runs=st.lists(runs, max_size=3).map(tuple),
        ),
        max_size=3,
    ),
)
FILE = BaselineFile(
    schema=SCHEMA,
    device={"slug": "cpu-x", "cores": 4},
    sessions={"s2": Session(recorded="2024-02-02"), "s1": Session(recorded="2024-01-01", reason="reset")},
    entries={
        "test_b abc": Entry(workload={"batch": 1}, runs=(BaselineRun(session="s1", metrics={"latency": 1.5}),)),
        "test_a abc": Entry(
            workload={"target": "net.onnx", "batch": 8},
            runs=tuple(BaselineRun(session=s, metrics={"throughput": 9.0, "latency": 2.0}) for s in ("s1", "s1", "s2")),
        ),
    },
)


@given(files)
def test_what_is_written_is_read_back(file: BaselineFile) -> None:
    """Any file, to the last bit of every number; and it is proper JSON."""
    text = encode(file)
    assert decode(text.encode(), PATH) == file
    json.loads(text)


@given(files)
def test_writing_again_changes_nothing(file: BaselineFile) -> None:
    """A file that is read and written is the same text: no review shows a change that is none."""
    assert encode(decode(encode(file).encode(), PATH)) == encode(file)


@given(files, st.randoms())
def test_the_text_does_not_depend_on_the_order_of_keys(file: BaselineFile, rng: Random) -> None:
    """The same content makes the same text, however it was put together."""

    def shuffled(mapping: dict[str, Any]) -> dict[str, Any]:
        items = list(mapping.items())
        rng.shuffle(items)
        return dict(items)

    other = replace(
        file, entries=shuffled(file.entries), sessions=shuffled(file.sessions), device=shuffled(file.device)
    )
    assert encode(other) == encode(file)


def test_one_run_a_line_and_keys_sorted() -> None:
    """A review shows which run came, and merges rarely collide."""
    lines = [line.rstrip(",") for line in encode(FILE).splitlines() if '"latency"' in line]
    written = [(run["session"], run["metrics"]) for run in map(json.loads, lines)]
    expected = [FILE.entries[key].runs for key in ("test_a abc", "test_b abc")]
    assert written == [(run.session, run.metrics) for entry in expected for run in entry]
    assert _sorted(json.loads(encode(FILE)))
    assert encode(FILE).endswith("}\n")


def _sorted(value: Any) -> bool:
    if isinstance(value, dict):
        return list(value) == sorted(value) and all(_sorted(item) for item in value.values())
    return not isinstance(value, list) or all(_sorted(item) for item in value)


def test_appending_a_run_touches_its_own_lines_only() -> None:
    """Every line of the old text but the one before (its comma) is in the new one."""
    entry = FILE.entries["test_a abc"]
    more = replace(entry, runs=(*entry.runs, BaselineRun(session="s2", metrics={"latency": 3.0})))
    old = encode(FILE).splitlines()
    new = encode(replace(FILE, entries={**FILE.entries, "test_a abc": more})).splitlines()
    assert len(new) == len(old) + 1
    assert len(set(old) - set(new)) <= 1


@given(st.integers(0, len(encode(FILE)) - 3))
def test_a_truncated_file_is_corrupt(length: int) -> None:
    """Wherever it is cut: the error names the file and the way out."""
    with pytest.raises(BaselineCorruptError, match=r"test_net\.json.*restore it from version control"):
        decode(encode(FILE).encode()[:length], PATH)


@given(st.binary(max_size=40))
def test_anything_else_is_corrupt_too(text: bytes) -> None:
    """Bytes of any kind end in our own error, never in another."""
    with pytest.raises(BaselineError, match=r"test_net\.json"):
        decode(text, PATH)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"schema": 1}',
        b'{"schema": "1", "device": {}}',
        b'{"schema": null, "device": {}}',
        b'{"schema": true, "device": {}}',
        b'{"schema": 1, "device": {"slug": null}}',
        b'{"schema": 1, "device": {}, "entries": []}',
        b'{"schema": 1, "device": {}, "entries": {"k": {"runs": []}}}',
        b'{"schema": 1, "device": {}, "entries": {"k": {"workload": {}, "runs": [{"session": "s"}]}}}',
        b'{"schema": 1, "device": {}, "entries": {"k": {"workload": {}, "runs": [{"session": "s", "metrics": 5}]}}}',
        b'{"schema": 1, "device": {}, "sessions": {"s": {}}}',
        b'<<<<<<< HEAD\n{"schema": 1}',
        b'{"schema": 1, "device": {"slug": "\xff"}}',
        b"\x00\x00\x00",
    ],
)
def test_what_the_schema_does_not_promise_is_corrupt(text: bytes) -> None:
    """Wrong types, missing parts, merge conflicts, other encodings: each names the file."""
    with pytest.raises(BaselineCorruptError, match=r"test_net\.json"):
        decode(text, PATH)


@pytest.mark.parametrize("rest", ["", ', "device": 5, "entries": "other"'])
def test_a_newer_schema_is_refused_by_name(rest: str) -> None:
    """Also where nothing else of it can be read: the way out is an upgrade, not a repair."""
    with pytest.raises(BaselineSchemaError, match=r"test_net\.json has schema 2, .*newer.*reads up to 1: upgrade"):
        decode(f'{{"schema": {SCHEMA + 1}{rest}}}'.encode(), PATH)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_json_lacks_is_never_written(value: float) -> None:
    """NaN would make the whole file unreadable: it is refused before a byte is on disk."""
    broken = Entry(workload={}, runs=(BaselineRun(session="s1", metrics={"latency": value}),))
    with pytest.raises(ValueError, match=r"[Oo]ut of range float|not JSON"):
        encode(replace(FILE, entries={"k": broken}))
