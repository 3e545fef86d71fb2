"""What an engine proved to be, held against what was asked of it."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_infer.engines.known import of_object
from pytest_infer.engines.truth import Proof, hold
from pytest_infer.errors import PrecisionError
from pytest_infer.workload import Precision


def held(precision: str, nodes: dict[str, int], **more: Any) -> dict[str, Any]:
    """The facts of such a proof."""
    beside = more.pop("beside", ())
    return hold(Proof(how="a look", nodes=nodes, **more), precision, "net.onnx", beside=beside)


def test_what_was_left_wide_shows_as_a_share() -> None:
    """A network in a narrow type may keep some nodes in fp32 or TF32."""
    assert held("int8", {"int8": 3, "fp32": 1})["int8_share"] == 0.75
    assert held("fp16", {"fp16": 1, "tf32": 1})["fp16_share"] == 0.5


@pytest.mark.parametrize(
    ("asked", "nodes"),
    [
        ("fp32", {"fp32": 1, "tf32": 1}),
        ("fp32", {"fp32": 1, "int4": 1}),
        ("fp32", {"fp32": 1, "fp64": 1}),
        ("int8", {"int8": 1, "fp16": 1}),
        ("fp16", {"fp16": 1, "bf16": 1}),
        ("fp16", {"fp16": 1, "unknown": 1}),
    ],
)
def test_strays(asked: str, nodes: dict[str, int]) -> None:
    """Anything else is another precision's time under this name; unless the model has it so."""
    with pytest.raises(PrecisionError, match=f"asked for {asked}, but 1 in .*, 1 in .* \\(by a look\\)"):
        held(asked, nodes)
    facts = held(asked, nodes, beside=nodes.keys())
    assert (facts["precision"], facts[f"{asked}_share"]) == (asked, 0.5)


@pytest.mark.parametrize("asked", [*(one for one in Precision if one is not Precision.FP32), "fp64", "int4"])
def test_nothing_is_no_proof(asked: str) -> None:
    """Without any heavy node a network is in fp32 at most; one whose weights are told is what these are in."""
    with pytest.raises(
        PrecisionError, match=rf"net\.onnx: asked for {asked}, but it has no heavy node .*\(by a look\)"
    ):
        held(asked, {})
    with pytest.raises(PrecisionError, match="no heavy node"):
        held(asked, {}, weights={"fp32": 1.0})
    assert held(asked, {}, weights={str(asked): 0.5, "fp32": 0.5})["precision"] == asked


def test_nothing_is_enough_for_fp32() -> None:
    """There is nothing that could compute in something else."""
    assert held("fp32", {})["fp32_share"] == 1.0


@pytest.mark.parametrize(
    ("precision", "beside"), [("int8", {"fp16", "bf16"}), ("fp8", {"fp16", "bf16"}), ("bf16", set())]
)
def test_an_object_is_what_its_author_made_it(precision: str, beside: set[str]) -> None:
    """Nobody converts it: what is quantized in it may stand among 16 bits, which would be a mistake in a conversion."""
    assert of_object(None, Precision(precision)).beside == beside
