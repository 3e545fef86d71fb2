"""Where it is not used it is not seen: nothing printed, nothing imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

SUITE = """
    import sys

    import pytest

    @pytest.mark.parametrize("n", [1, 2])
    def test_plain(n):
        heavy = {"numpy", "scipy", "onnxruntime", "onnx", "rich", "msgspec", "click", "pynvml", "filelock"}
        assert not heavy & sys.modules.keys()
"""


def test_no_infer_tests(pytester: pytest.Pytester) -> None:
    """A suite without infer tests shows nothing of the plugin, even with its ini keys, and imports nothing heavy."""
    pytester.makepyfile(SUITE)
    pytester.makeini("[pytest]\ninfer_time = 2\ninfer_baseline_mode = require\n")
    done = pytester.runpytest_subprocess("-v", "-p", "no:randomly", "-p", "no:hypothesispytest")
    assert done.ret == 0
    lines = [line for line in done.outlines if not line.startswith(("plugins: ", "rootdir: ", "platform "))]
    assert not [line for line in lines if "infer" in line and "test_no_infer_tests" not in line]
    assert done.errlines == []
