"""Baseline files that can't be used: an error that names file and way out, and the file stays as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.integration.conftest import Suite

SOURCE = """
import pytest

@pytest.mark.infer(model=len, inputs=("a",))
def test_it(infer_engine): pass
"""
TOLD = {
    "test_truncated": "test_truncated.json is no JSON (",
    "test_text": "test_text.json is no JSON (",
    "test_list": "test_list.json is no baseline file",
    "test_lacking": "test_lacking.json is no baseline file",
    "test_newer": "test_newer.json has schema 99, written by a newer pytest-infer",
    "test_elsewhere": "test_elsewhere.json was recorded on 'cpu-of-someone', not on 'cpu-",
    "test_folder": "test_folder.json can't be read: Is a directory",
}


def test_broken_files(suite: Suite) -> None:
    """Each fails its own tests, compared or recorded, and is never overwritten; the others are judged and saved."""
    suite.record(SOURCE, "test_sound")
    suite.loosen("test_sound")
    sound = suite.content("test_sound")
    folder = suite.baseline("test_sound").parent
    text = json.dumps(sound)
    contents = {
        "test_truncated": text[: len(text) // 2],
        "test_text": "<<<<<<< ours\n",
        "test_list": "[]",
        "test_lacking": json.dumps({**sound, "entries": {"test_it": {}}}),
        "test_newer": json.dumps({**sound, "schema": 99, "shape": "unknown"}),
        "test_elsewhere": json.dumps({**sound, "device": {**sound["device"], "slug": "cpu-of-someone"}}),
    }
    (folder / "test_folder.json").mkdir()
    for name in TOLD:
        suite.write(SOURCE, name)
        if name in contents:
            (folder / f"{name}.json").write_text(contents[name])

    recorded = ("test_sound.py", "test_truncated.py", "test_newer.py")
    for arguments in (("--infer-update-baselines", "--infer-runs=1", *recorded), ()):
        done = suite.run(*arguments)
        assert done.ret == 1
        texts = suite.cases_by_module()
        assert texts.pop("test_sound").status == "passed"
        for name, case in texts.items():
            assert case.status == "failed"
            assert TOLD[name] in case.text
            assert "Traceback" not in case.text
            assert ".py:" not in case.text
        assert {n: (folder / f"{n}.json").read_text() for n in contents} == contents
    assert texts.keys() == TOLD.keys()
    assert len(suite.entry("test_it", "test_sound")["runs"]) == 3
    assert sorted(p.name for p in folder.iterdir()) == sorted(["test_sound.json", *(f"{n}.json" for n in TOLD)])
    assert "upgrade it" in texts["test_newer"].text
    assert "move it to the folder of its device" in texts["test_elsewhere"].text
    assert "restore it from version control" in texts["test_truncated"].text


def test_other_devices(suite: Suite) -> None:
    """Baselines of other devices are named where this one has none."""
    folder = suite.path / "baselines" / "cpu-of-someone"
    folder.mkdir(parents=True)
    suite.write(SOURCE)
    assert suite.run("--infer-baseline-mode=require").ret == 1
    assert "(there are some for cpu-of-someone); record one with" in suite.cases()["test_it"].text
