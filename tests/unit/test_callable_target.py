"""A Python callable under measurement: what it is called with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_infer.engines.target import CallableTarget
from pytest_infer.workload import Workload

X = np.zeros((2, 3), np.float32)


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        (None, []),
        (X, [("0", "float32", ["2", "3"])]),
        ((X, 5, 0.5, "text"), [("0", "float32", ["2", "3"]), ("1", "5", [])]),
        ({"x": {"deep": X}}, [("x", "dict", ["1"]), ("x.deep", "float32", ["2", "3"])]),
        (([7, 8, 9],), [("0", "list", ["3"])]),
        ([(1,), (2,)], [("0", "1", []), ("0", "2", [])]),
    ],
)
def test_types_and_shapes_of_its_arguments_are_known(inputs: Any, told: list[tuple[str, str, list[str]]]) -> None:
    """Arrays by type and shape, however deep, counts by what they are, lists by length; all else may differ."""
    target = CallableTarget(lambda *_, **__: None, workload=Workload(target="f", backend="callable"))
    target.runnable(inputs)
    assert [(leaf["name"], leaf["dtype"], leaf["shape"]) for leaf in target.measured_on()] == told
