"""The run path against a recording stand-in for TensorRT and CUDA: order, addresses, shapes. No GPU result."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pytest_infer.device.launch import Launch
from pytest_infer.engines.tensorrt.engine import open_engine
from pytest_infer.engines.truth import hold
from pytest_infer.errors import EngineBuildError, MeasurementError, PrecisionError
from pytest_infer.workload import Precision, TensorSpec
from tests.tensorrt.stand_in import UNTOLD, Cuda, Engine, Mode, doubling, library, nonzero, opened

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_a_run_copies_in_enqueues_copies_out_and_waits() -> None:
    """In that order, on one stream, each once; the stand-in does nothing before it is waited for."""
    cuda = Cuda()
    engine = opened(doubling(cuda))
    cuda.words()
    assert np.array_equal(engine.infer({"x": X})["y"], X * 2)
    assert cuda.words() == ["copy_in", "execute", "copy_out", "synchronize"]


def test_tensors_are_bound_once_to_memory_of_their_size() -> None:
    """Shapes and addresses are set when the engine is loaded; copies go to those addresses, whole."""
    cuda = Cuda()
    inner = doubling(cuda)
    engine = opened(inner)
    context = inner.contexts[0]
    assert cuda.log[:2] == [("allocate", context.addresses["x"], X.nbytes), ("allocate", context.addresses["y"], 24)]
    cuda.words()
    engine.bind([{"x": X}])()
    assert cuda.log[0] == ("copy_in", context.addresses["x"], X.nbytes)
    assert cuda.log[2] == ("copy_out", context.addresses["y"], X.nbytes)


def test_bound_runs_go_through_the_sets_in_turn() -> None:
    """Each call runs the next set, from memory that was pinned when it was bound; running allocates nothing."""
    cuda = Cuda()
    inner = doubling(cuda)
    run = opened(inner).bind([{"x": X + 1}, {"x": X + 2}, {"x": X + 3}])
    pinned = len(cuda.hosts)
    cuda.words()
    for _ in range(4):
        run()
    assert [x[0, 0] for x in inner.seen] == [1, 2, 3, 1]
    assert "allocate" not in cuda.words()
    assert len(cuda.hosts) == pinned


def test_arrays_of_the_caller_are_not_looked_at_again() -> None:
    """What was bound is what runs."""
    cuda = Cuda()
    inner = doubling(cuda)
    given = X.copy()
    run = opened(inner).bind([{"x": given}])
    given[:] = -1
    run()
    assert np.array_equal(cuda.memory[inner.contexts[0].addresses["y"]].view(np.float32).reshape(2, 3), X * 2)


def test_outputs_are_the_callers_own() -> None:
    """The next run does not change what the last one gave."""
    engine = opened(doubling(Cuda()))
    first = engine.infer({"x": X})["y"]
    engine.infer({"x": X + 1})
    assert np.array_equal(first, X * 2)


@pytest.mark.parametrize("batch", [1, 5])
def test_a_dynamic_dimension_is_what_the_profile_says(batch: int) -> None:
    """The engine takes exactly the shape that it was built for, and its buffers have that size."""
    cuda = Cuda()
    inner = doubling(cuda, (batch, 3))
    engine = opened(inner)
    assert engine.inputs == (TensorSpec(name="x", dtype="float32", shape=(batch, 3)),)
    assert inner.contexts[0].shapes == {"x": (batch, 3)}
    assert engine.infer({"x": np.ones((batch, 3), np.float32)})["y"].shape == (batch, 3)


def test_an_output_whose_shape_depends_on_the_data() -> None:
    """It comes as large as it is, call by call; its memory is asked for by TensorRT, grows, and is used again."""
    cuda = Cuda()
    engine = opened(nonzero(cuda))
    x = np.zeros((4, 2), np.float32)
    for places in ([], [(3, 1)], [(0, 0), (1, 1), (3, 0)], [(2, 0)]):
        x[...] = 0
        for place in places:
            x[place] = 1
        found = engine.infer({"x": x})
        assert found["places"].tolist() == [list(place) for place in places]
        assert found["count"] == len(places)
    cuda.words()
    engine.infer({"x": x})
    assert "allocate" not in cuda.words()


def test_two_contexts_run_at_the_same_time() -> None:
    """Scenario offline: each has a stream and memory of its own; both are enqueued before one is waited for."""
    cuda = Cuda()
    inner = doubling(cuda)
    engine = opened(inner, contexts=2)
    assert engine.in_flight == 2
    first, second = (set(context.addresses.values()) for context in inner.contexts)
    assert not first & second
    run = engine.bind([{"x": X + 1}, {"x": X + 2}])
    cuda.words()
    run()
    handles = [entry[1] for entry in cuda.log if entry[0] == "execute"]
    assert len(set(handles)) == 2
    assert cuda.words() == ["copy_in", "execute", "copy_out"] * 2 + ["synchronize"] * 2
    assert [x[0, 0] for x in inner.seen] == [1, 2]


def test_a_captured_graph_stands_behind_each_run() -> None:
    """One inference runs plainly first, as TensorRT wants it; from then on it is one launch, between the copies."""
    cuda = Cuda()
    inner = doubling(cuda)
    engine = opened(inner, graph=True)
    loading = cuda.words()
    assert loading[-6:] == ["copy_in", "execute", "copy_out", "synchronize", "execute", "captured"]
    assert engine.proof.graph_captured is True
    assert np.array_equal(engine.infer({"x": X})["y"], X * 2)
    assert cuda.words() == ["copy_in", "launch", "copy_out", "synchronize"]
    run = engine.bind([{"x": X}, {"x": X + 1}])
    cuda.words()
    run()
    run()
    assert cuda.words() == ["copy_in", "launch", "copy_out", "synchronize"] * 2
    assert [x[0, 0] for x in inner.seen[-2:]] == [0, 1]


def test_each_context_has_its_graph() -> None:
    """One graph a lane serves every set of inputs: they all go through the lane's own memory."""
    cuda = Cuda()
    engine = opened(doubling(cuda), contexts=2, graph=True)
    assert engine.proof.graph_captured is True
    assert cuda.words().count("captured") == 2
    run = engine.bind([{"x": X}, {"x": X + 1}])
    cuda.words()
    run()
    assert cuda.words() == ["copy_in", "launch", "copy_out"] * 2 + ["synchronize"] * 2


def test_a_graph_is_captured_on_zeros() -> None:
    """The run before it has no inputs yet, and leftovers in memory are no token ids that a table has."""
    cuda = Cuda()
    inner = doubling(cuda)
    opened(inner, graph=True)
    assert not inner.seen[0].any()


def test_a_graph_that_can_not_be_captured_is_no_proof() -> None:
    """The engine says so with the reason, and is refused where every proof is held against what was asked."""
    engine = opened(nonzero(Cuda()), graph=True)
    assert engine.proof.graph_captured is False
    assert "the shape of places depends on the data" in engine.proof.how
    with pytest.raises(PrecisionError, match="CUDA graph was asked for and none was captured"):
        hold(engine.proof, Precision.FP32, "model.onnx")


def test_a_run_in_parts() -> None:
    """What a device timer sees: copies before and behind the inference, which can be enqueued again by itself."""
    cuda = Cuda()
    inner = doubling(cuda)
    run = opened(inner).bind([{"x": X}, {"x": X + 1}])
    assert isinstance(run, Launch)
    assert run.stream is next(iter(cuda.streams.values()))
    cuda.words()
    with run.active():
        run.begin()
        assert cuda.words() == ["copy_in"]
        run.submit()
        run.submit()
        assert cuda.words() == ["execute"] * 2
        run.finish()
        assert cuda.words() == ["copy_out", "synchronize"]
    assert [x[0, 0] for x in inner.seen] == [0, 0]


def test_no_graph_without_being_asked() -> None:
    """Then nothing is claimed."""
    assert opened(doubling(Cuda())).proof.graph_captured is None


def test_a_refused_run_tells_tensorrts_own_reason() -> None:
    """`execute_async_v3` only says False; its logger says why."""
    inner = doubling(Cuda())
    engine = opened(inner)
    run = engine.bind([{"x": X}])
    logger = engine._lanes[0]._library.logger
    inner.contexts[0].refuses = lambda: logger.log(SimpleNamespace(name="ERROR"), "tensor x has no address")
    with pytest.raises(MeasurementError, match="tensor x has no address"):
        run()


def test_a_plan_that_can_not_be_loaded_tells_tensorrts_own_reason() -> None:
    """Not None, and not a crash later."""
    with pytest.raises(EngineBuildError, match=r"model\.onnx.*\n.*the plan is of another GPU"):
        open_engine(library(None), Cuda(), b"", built=UNTOLD, where="model.onnx", contexts=1, graph=False)


def test_a_type_that_numpy_lacks_is_named() -> None:
    """An output in bf16 can't be handed out."""
    cuda = Cuda()
    engine = Engine(
        cuda, [("x", Mode.INPUT, "FLOAT", (1,), (1,)), ("y", Mode.OUTPUT, "BF16", (1,), (1,))], lambda values: values
    )
    with pytest.raises(EngineBuildError, match="'y' goes in or out as BF16"):
        opened(engine)


def test_empty_tensors_are_not_copied() -> None:
    """A tensor of no elements has no bytes to copy, and still an address."""
    cuda = Cuda()
    inner = doubling(cuda, (2, 0))
    engine = opened(inner)
    cuda.words()
    assert engine.infer({"x": np.zeros((2, 0), np.float32)})["y"].shape == (2, 0)
    assert cuda.words() == ["execute", "synchronize"]


def test_the_inspector_is_what_proves() -> None:
    """Its layers count; where it names no heavy one, the network's promise does."""
    inner = doubling(Cuda())
    promised: dict[str, Any] = {**UNTOLD, "network": {"how": "types of the network", "nodes": {"fp16": 1}}}
    arguments: dict[str, Any] = {"where": "model.onnx", "contexts": 1, "graph": False}
    proof = open_engine(library(inner), inner.cuda, b"", built=promised, **arguments).proof
    assert (proof.how, proof.nodes) == ("types of the network", {"fp16": 1})
    inner.layers = [{"Name": "c", "LayerType": "gemm", "Inputs": [{"Datatype": "Float", "Dimensions": [2, 3]}]}]
    proof = open_engine(library(inner), inner.cuda, b"", built=promised, **arguments).proof
    assert (proof.how, proof.nodes) == ("inspector", {"fp32": 1})


def test_device_memory_counts_contexts_weights_and_buffers() -> None:
    """In MB; without a figure for the weights, the plan's size stands for them."""
    cuda = Cuda()
    inner = doubling(cuda)
    arguments: dict[str, Any] = {"built": UNTOLD, "where": "model.onnx", "graph": False}
    one = open_engine(library(inner), cuda, bytes(2_000_000), contexts=1, **arguments)
    two = open_engine(library(inner), cuda, bytes(2_000_000), contexts=2, **arguments)
    assert one.costs == {"device_memory": pytest.approx(1 + 2 + 48e-6)}
    assert two.costs == {"device_memory": pytest.approx(2 + 2 + 96e-6)}


def test_a_closed_engine_says_so() -> None:
    """After it waited for the GPU."""
    cuda = Cuda()
    engine = opened(doubling(cuda))
    cuda.words()
    engine.close()
    assert cuda.words() == ["synchronize"]
    with pytest.raises(MeasurementError, match="closed"):
        engine.infer({"x": X})


def test_pinned_memory_goes_with_what_was_bound() -> None:
    """A measurement's sets are given back as soon as it drops its callable, garbage collector or not."""
    cuda = Cuda()
    engine = opened(nonzero(cuda))
    run = engine.bind([{"x": np.ones((4, 2), np.float32)}])
    run()
    hosts = [weakref.ref(host) for host in cuda.hosts[-3:]]
    cuda.hosts.clear()
    gc.disable()
    try:
        del run
        assert [host() for host in hosts] == [None] * 3
    finally:
        gc.enable()


def test_inputs_and_outputs_come_in_the_models_order() -> None:
    """Which the engine's own need not be; what the model does not name comes last."""
    cuda = Cuda()
    one = ((2,), (2,))
    inner = Engine(
        cuda,
        [
            ("later", Mode.OUTPUT, "FLOAT", *one),
            ("mask", Mode.INPUT, "FLOAT", *one),
            ("x", Mode.INPUT, "FLOAT", *one),
            ("more", Mode.OUTPUT, "FLOAT", *one),
            ("scores", Mode.OUTPUT, "FLOAT", *one),
        ],
        lambda values: {"scores": values["x"], "later": values["mask"], "more": values["x"] + values["mask"]},
    )
    built = {**UNTOLD, "inputs": ["x", "mask"], "outputs": ["scores", "later"]}
    engine = open_engine(library(inner), cuda, b"", built=built, where="model.onnx", contexts=1, graph=False)
    assert [spec.name for spec in engine.inputs] == ["x", "mask"]
    assert engine.outputs == ("scores", "later", "more")
    given = {"x": np.array([1, 2], np.float32), "mask": np.array([3, 4], np.float32)}
    assert [value.tolist() for value in engine.infer(given).values()] == [[1, 2], [3, 4], [4, 6]]
