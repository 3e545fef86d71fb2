"""What an engine takes and gives, where its plan lies, and how its buffers are bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pytest_infer.engines.onnxruntime.engine import DeviceEngine
from pytest_infer.engines.onnxruntime.sessions import declared, fix_shapes, open_session
from pytest_infer.engines.truth import Proof
from pytest_infer.precision import model as model_files
from pytest_infer.workload import TensorSpec
from tests.precision import models

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_infer.engines.target import InferEngine

    Open = Callable[..., InferEngine]

ort = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")


def test_external_data(opened: Open, network: Path, tmp_path: Path) -> None:
    """Weights that lie in a file of their own are found, and the plan needs that file no more."""
    outside = tmp_path / "outside.onnx"
    onnx.save(onnx.load(network), outside, save_as_external_data=True, location="weights.bin", size_threshold=0)
    x = models.samples()[0]["x"]
    for precision in ("fp32", "int8"):
        engine = opened(outside, precision, calibration=models.samples())
        assert np.abs(engine(x) - models.run(network, x=x)).max() < 0.1


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_plan_too_large_for_one_file(
    opened: Open, network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    """Its weights lie beside it, and count for its size; a file of 2 GiB stands here for one of a few bytes."""
    monkeypatch.setattr(model_files, "LARGEST_BYTES", 100)
    monkeypatch.setattr(model_files, "_SMALL_BYTES", 16)
    x = models.samples()[0]["x"]
    engine = opened(network, precision, calibration=models.samples())
    assert np.abs(engine(x) - models.run(network, x=x)).max() < 0.1
    plan = [path.name for path in (tmp_path / "plans").glob("*/plan/*")]
    assert sorted(plan) == ["plan.onnx", "plan.onnx.data"]
    again = opened(network, precision, calibration=models.samples())
    assert (again(x) == engine(x)).all()


def test_ranges_are_found_once(opened: Open, network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another option of the same precision builds anew, and runs the samples no more."""
    from pytest_infer.precision import ranges

    found = []
    real = ranges._found

    def counted(*given: Any, **more: Any) -> Any:
        found.append(given)
        return real(*given, **more)

    monkeypatch.setattr(ranges, "_found", counted)
    several: list[dict[str, Any]] = [{}, {"per_channel": False}, {"exclude_ops": ["Conv"]}, {"threads": 1}]
    for options in several:
        opened(network, "int8", calibration=models.samples(), options=options)
    assert len(found) == 1
    opened(network, "int8", calibration=models.samples(3))
    opened(network, "int8", calibration=models.samples(), options={"calibration_method": "entropy"})
    assert len(found) == 3


def test_a_device_with_memory_of_its_own(network: Path) -> None:
    """Each call copies in, runs and copies out, through buffers that stay where they are; here in the host's memory."""
    engine = _engine(network, batch=2)
    rng = np.random.default_rng(3)
    sets = [{"x": rng.standard_normal((2, 3, 8, 8), np.float32)} for _ in range(3)]
    right = [models.run(network, **one) for one in sets]
    assert engine.infer(sets[0])["y"] == pytest.approx(right[0], abs=1e-6)
    places = _places(engine)
    bound: Any = engine.bind(sets)
    for turn in range(4):
        assert bound()[0] == pytest.approx(right[turn % 3], abs=1e-6)
    assert _places(engine) == places


def test_what_was_given_out_stays(network: Path) -> None:
    """The next run writes into the same buffer, not into the arrays that the last one gave."""
    engine = _engine(network, batch=1)
    first, second = (one["x"] for one in models.samples(2))
    given = engine.infer({"x": first})["y"]
    before = given.copy()
    engine.infer({"x": second})
    assert (given == before).all()


def test_outputs_of_no_fixed_shape(tmp_path: Path) -> None:
    """They get their memory run by run."""
    nodes = [helper.make_node("NonZero", ["x"], ["at"]), helper.make_node("Neg", ["x"], ["less"])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
        [
            helper.make_tensor_value_info("at", TensorProto.INT64, [1, "found"]),
            helper.make_tensor_value_info("less", TensorProto.FLOAT, [4]),
        ],
    )
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    engine = _engine(path, batch=None)
    for x in ([0, 1, 0, 2], [3, 1, 1, 0], [0, 0, 0, 0]):
        given = engine.infer({"x": np.array(x, np.float32)})
        assert list(given) == ["at", "less"]
        assert given["at"].tolist() == [np.flatnonzero(x).tolist()]
        assert given["less"].tolist() == [-one for one in x]


def test_named_dimensions_become_numbers(tmp_path: Path) -> None:
    """What computes shapes alone is then no node any more, which a provider would leave to the CPU."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("Add", ["x", "zeros"], ["y"]),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "width"]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:])
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    dynamic = TensorSpec(name="x", dtype="float32", shape=("n", "width"))
    fix_shapes(options, [dynamic], [TensorSpec(name="x", dtype="float32", shape=(2, 3))])
    session = open_session(path, options)
    assert declared(session.get_inputs(), path)[0].shape == (2, 3)
    assert "Shape" not in {node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node}


def test_closing_gives_back(opened: Open, network: Path) -> None:
    """Nothing of the session is held any more."""
    engine = opened(network)
    engine.close()
    assert engine._loaded._session is None  # type: ignore[attr-defined]


def _engine(path: Path, batch: int | None) -> DeviceEngine:
    options = ort.SessionOptions()
    session = open_session(path, options)
    inputs = tuple(spec.resolved(batch, {}, "it") for spec in declared(session.get_inputs(), path))
    outputs = declared(session.get_outputs(), path)
    if batch is not None:
        outputs = tuple(spec.resolved(batch, {}, "it") for spec in outputs)
    return DeviceEngine(session, inputs, Proof(how="nothing"), {}, outputs=outputs, memory="cpu")


def _places(engine: DeviceEngine) -> list[int]:
    """Addresses of its buffers."""
    return [one.data_ptr() for one in (*engine._buffers.values(), *engine._kept)]
