"""What loads when: every module without any extra, and nothing heavy where no infer test is."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_infer

EXTRAS = [
    *("onnxruntime", "onnx", "torch", "jax", "tensorrt", "tensorrt_rtx", "openvino", "cuda", "pycuda"),
    *("jinja2", "plotly", "fsspec", "sklearn"),
]
HEAVY = ["numpy", "scipy", "onnxruntime", "onnx", "rich", "msgspec"]

IMPORT_ALL = """
import importlib, json, sys
blocked, modules = json.loads(sys.argv[1])
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
failed = {}
for module in modules:
    try:
        importlib.import_module(module)
    except BaseException as error:
        failed[module] = repr(error)
print(json.dumps(failed))
"""

LOADED = """
import json, sys
import pytest
status = int(pytest.main(sys.argv[2:]))
with open(sys.argv[1], "w") as file:
    json.dump([status, sorted({name.partition(".")[0] for name in sys.modules})], file)
"""


def modules() -> list[str]:
    """Every module of the package."""
    return sorted(m.name for m in pkgutil.walk_packages(pytest_infer.__path__, "pytest_infer."))


def test_every_module_imports_without_any_extra() -> None:
    """Optional packages are imported where they are needed, never at the top of a module."""
    found = modules()
    assert len(found) > 30
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, json.dumps([EXTRAS, found])], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {}


def test_every_public_name_loads_and_no_other() -> None:
    """`from pytest_infer import ...` gives what `__all__` lists; a slip is an ordinary AttributeError."""
    assert all(getattr(pytest_infer, name) is not None for name in pytest_infer.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Enigne'"):
        pytest_infer.__getattr__("Enigne")


def loaded(folder: Path, *options: str) -> set[str]:
    """The top-level modules that a run of pytest has loaded in the end."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("PYTEST_ADDOPTS", None)
    subprocess.run(
        [sys.executable, "-c", LOADED, "loaded.json", "-q", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
    )
    status, names = json.loads((folder / "loaded.json").read_text())
    assert status == 0
    return set(names)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite that has nothing to do with us."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_plain.py").write_text(
        "import pytest\n\n@pytest.mark.parametrize('x', [1, 2])\ndef test_plain(x, tmp_path):\n    assert x\n"
    )
    return tmp_path


@pytest.mark.parametrize("options", [(), ("--collect-only",), ("--infer-strict",)])
def test_a_suite_without_infer_tests_loads_nothing_heavy(suite: Path, options: tuple[str, ...]) -> None:
    """Neither our dependencies nor an inference library, from the first line to the summary."""
    assert loaded(suite, "-p", "pytest_infer.plugin", *options).isdisjoint(HEAVY)


def test_what_other_plugins_load_is_not_ours(suite: Path) -> None:
    """Beside the plugins of this environment, we add no heavy module to what is there without us."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTEST_ADDOPTS"}
    found = []
    for options in (["-p", "no:infer"], []):
        subprocess.run(
            [sys.executable, "-c", LOADED, "loaded.json", "-q", "-p", "no:cacheprovider", *options],
            cwd=suite,
            env=environment,
            check=True,
            capture_output=True,
        )
        found.append(json.loads((suite / "loaded.json").read_text()))
    (status_without, without), (status_with, with_us) = found
    assert status_without == status_with == 0
    assert (set(with_us) - set(without)).isdisjoint(HEAVY)


def test_the_plugin_module_itself_loads_nothing_heavy() -> None:
    """Importing it is what every pytest start pays for."""
    code = "import json, sys, pytest_infer.plugin; print(json.dumps([m.partition('.')[0] for m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)).isdisjoint(HEAVY)


def test_the_package_is_marked_as_typed() -> None:
    """Users' type checkers read our annotations."""
    assert (Path(pytest_infer.__path__[0]) / "py.typed").is_file()
