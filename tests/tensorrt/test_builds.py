"""What TensorRT-RTX really builds, on machines without a GPU, and what its own listing says that it is."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from examples.digits import train
from examples.minilm import encoder, sentences
from examples.vision import networks
from pytest_infer.engines.base import BuildRequest
from pytest_infer.engines.tensorrt import backend as backend_module
from pytest_infer.engines.tensorrt.inspection import LISTING, listing_proof
from pytest_infer.engines.truth import Proof, hold
from pytest_infer.errors import EngineBuildError, PrecisionError, UsageError
from pytest_infer.precision import CalibrationSet, Conversion
from pytest_infer.precision.model import inputs
from pytest_infer.workload import Precision
from tests.tensorrt.conftest import gpu

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_infer.engines.tensorrt import TensorRTRTXBackend

    Built = Callable[..., Proof]

CAPABILITIES = ("8.6", "8.9", "12.0")


@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16", "bf16", "int8"])
def test_the_engine_is_in_the_asked_precision(
    built: Built, network: Path, calibration: CalibrationSet, precision: str, capability: str
) -> None:
    """Told by the layers that the builder lists, on each of three GPUs: operands, and where weights are kept."""
    proof = built(network, precision, capability, batch=2, calibration=calibration)
    assert proof.how.startswith(LISTING)
    assert proof.share(Precision(precision)) == 1
    assert proof.nodes
    kept = "fp32" if precision == "tf32" else precision
    assert proof.weights == {kept: 1}
    hold(proof, Precision(precision), network.name)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16", "int8"])
def test_digits(built: Built, tmp_path: Path, precision: str) -> None:
    """Its two convolutions and its product."""
    model = tmp_path / "digits.onnx"
    train.make(model)
    samples = CalibrationSet.spool(train.calibration(8), tmp_path / "samples", inputs(model))
    assert built(model, precision, batch=1, calibration=samples).nodes == {precision: 3}


@pytest.mark.parametrize(
    ("name", "precision", "heavy"),
    [
        ("googlenet", "bf16", 58),
        ("resnet50", "fp16", 54),
        ("squeezenet", "int8", 26),
    ],
)
def test_vision(built: Built, tmp_path: Path, name: str, precision: str, heavy: int) -> None:
    """Three networks once, each with all its convolutions; `tests/benchmarks/tensorrt_builds.py` builds all in all."""
    model = tmp_path / f"{name}.onnx"
    networks.make(name, model)
    samples = CalibrationSet.spool(networks.calibration(1), tmp_path / "samples", inputs(model))
    assert built(model, precision, batch=1, calibration=samples).nodes == {precision: heavy}


@pytest.mark.parametrize(("precision", "length"), [("fp16", 16), ("int8", 64)])
def test_an_encoder_at_a_dynamic_length(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, length: int
) -> None:
    """A transformer, its length from `shapes`; attention may become one layer, so only that all agree is told."""
    monkeypatch.setattr(encoder, "LAYERS", 2)
    model = tmp_path / "encoder.onnx"
    encoder.make(model)
    samples = CalibrationSet.spool(itertools.islice(sentences.calibration(), 2), tmp_path / "samples", inputs(model))
    shapes = {"input_ids": (length,), "attention_mask": (length,)}
    proof = built(model, precision, batch=2, shapes=shapes, calibration=samples)
    assert proof.share(Precision(precision)) == 1
    assert sum(proof.nodes.values()) >= 10


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_an_engine_that_stayed_fp32_is_caught(
    built: Built, network: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    """A conversion that did nothing: the engine is asked, not the wish."""
    monkeypatch.setattr(backend_module, "convert", lambda model, *_, **__: Conversion(path=model, converted=False))
    with pytest.raises(PrecisionError, match=f"asked for {precision}, but none of its heavy nodes computes in it"):
        hold(built(network, precision, batch=1), Precision(precision), network.name)


@pytest.mark.parametrize(
    ("precision", "capability", "kind"),
    [
        ("bf16", "8.6", ml_dtypes.bfloat16),
        ("bf16", "12.0", ml_dtypes.bfloat16),
        ("fp8", "8.9", ml_dtypes.float8_e4m3fn),
        ("fp8", "12.0", ml_dtypes.float8_e4m3fn),
    ],
)
def test_a_model_made_by_somebody_else(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, capability: str, kind: type
) -> None:
    """In bf16, or with quantize and dequantize steps in fp8: taken as it is, and told by the builder's own words."""
    monkeypatch.setattr(backend_module, "convert", lambda model, *_, **__: Conversion(path=model, converted=False))
    weight: Any = np.random.default_rng(0).standard_normal((64, 64)).astype(kind)
    weights = [numpy_helper.from_array(weight, "w")]
    if precision == "bf16":
        nodes = [
            helper.make_node("Cast", ["x"], ["a"], to=TensorProto.BFLOAT16),
            helper.make_node("MatMul", ["a", "w"], ["c"]),
            helper.make_node("Cast", ["c"], ["y"], to=TensorProto.FLOAT),
        ]
    else:
        weights += [
            numpy_helper.from_array(np.array(0.1, np.float32), "s"),
            numpy_helper.from_array(np.zeros((), kind), "z"),
        ]
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["a"]),
            helper.make_node("DequantizeLinear", ["w", "s", "z"], ["b"]),
            helper.make_node("MatMul", ["a", "b"], ["c"]),
            helper.make_node("Relu", ["c"], ["y"]),
        ]
    model = _saved(tmp_path, nodes, [16, 64], weights, opset=21)
    proof = built(model, precision, capability)
    assert (proof.how, proof.nodes, proof.weights) == (LISTING, {precision: 1}, {precision: 1})


def test_the_profile_is_fixed_to_what_is_measured(built: Built, network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Minimum, optimum and maximum are the asked shape, as the library itself tells."""
    told: list[str] = []

    def heard(listing: str, *, tf32: bool) -> Proof:
        told.append(listing)
        return listing_proof(listing, tf32=tf32)

    monkeypatch.setattr("pytest_infer.engines.tensorrt.builder.listing_proof", heard)
    built(network, batch=3)
    assert "MinShape: [3,3,8,8], OptShape: [3,3,8,8], MaxShape: [3,3,8,8]" in told[0]


def test_external_data_are_found(built: Built, network: Path, tmp_path: Path) -> None:
    """A model whose weights lie in a file of their own is read from where it lies."""
    apart = tmp_path / "apart.onnx"
    onnx.save(onnx.load(network), apart, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert built(apart, batch=1).nodes["fp32"]


def test_products_that_vanish_in_a_kernel_are_told_by_the_network(built: Built, tmp_path: Path) -> None:
    """A product of a few numbers becomes part of a generated kernel; then the network's types are all there is."""
    weight = numpy_helper.from_array(np.ones((2, 1), np.float32), "w")
    model = _saved(tmp_path, [helper.make_node("MatMul", ["x", "w"], ["y"])], ["batch", 2], [weight])
    proof = built(model, "fp16", batch=1)
    assert (proof.how, proof.nodes) == ("types of the network", {"fp16": 1})


def test_what_can_not_be_read_tells_the_parsers_reason(built: Built, tmp_path: Path) -> None:
    """The operator and its node, not None."""
    model = _saved(tmp_path, [helper.make_node("Warp", ["x"], ["y"], name="odd", domain="mine")], [1, 4])
    with pytest.raises(EngineBuildError, match=r"(?s)model\.onnx: tensorrt-rtx .* can't read it.*odd.*Warp"):
        built(model)


def test_what_can_not_be_built_tells_the_loggers_reason(built: Built, network: Path) -> None:
    """`build_serialized_network` gives None; the logger knows why."""
    with pytest.raises(
        EngineBuildError, match=r"(?s)network\.onnx: tensorrt-rtx .* can't build it.*within workspace limit"
    ):
        built(network, batch=1, options={"workspace_mb": 0.001})


def test_shapes_that_do_not_fit_together_tell_the_loggers_reason(built: Built, tmp_path: Path) -> None:
    """A network that is right in itself, at sizes that are not."""
    nodes = [helper.make_node("Add", ["x", "z"], ["y"], name="sum")]
    model = _saved(tmp_path, nodes, ["a", 4], more={"z": ["b", 4]})
    with pytest.raises(EngineBuildError, match=r"sum: broadcast dimensions must be conformable"):
        built(model, shapes={"x": (2, 4), "z": (3, 4)})


def test_a_dimension_that_nobody_set_is_named(built: Built, tmp_path: Path) -> None:
    """Before TensorRT says that a profile is missing."""
    model = _saved(tmp_path, [helper.make_node("Relu", ["x"], ["y"])], ["batch", "length"])
    with pytest.raises(UsageError, match=r"dynamic dimensions 1 \('length'\)"):
        built(model, batch=1)


def test_an_input_whose_values_are_a_shape_is_refused(built: Built, tmp_path: Path) -> None:
    """TensorRT would want its values when it builds."""
    nodes = [helper.make_node("Expand", ["x", "shape"], ["y"])]
    model = _saved(tmp_path, nodes, [1, 4], more={"shape": [2]}, kinds={"shape": TensorProto.INT64})
    with pytest.raises(UsageError, match="'shape' are a shape"):
        built(model)


def test_progress_is_told_step_by_step(built: Built, backend: TensorRTRTXBackend, network: Path) -> None:
    """By the library's own phases."""
    told: list[str] = []
    backend.tell = told.append
    built(network, batch=1)
    assert told[-1].startswith("Building engine (")


def test_ctrl_c_ends_a_build(built: Built, backend: TensorRTRTXBackend, network: Path) -> None:
    """TensorRT would print what a callback raises and go on; it stops, and the interrupt is raised."""
    told: list[str] = []

    def interrupt(line: str) -> None:
        told.append(line)
        raise KeyboardInterrupt

    backend.tell = interrupt
    with pytest.raises(KeyboardInterrupt):
        built(network, batch=1)
    assert len(told) == 1


def test_nothing_is_printed(built: Built, network: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What the library says is kept for errors."""
    built(network, batch=1)
    assert capfd.readouterr() == ("", "")


def test_a_library_without_timings_keeps_no_cache_of_them(built: Built, network: Path, tmp_path: Path) -> None:
    """TensorRT-RTX times nothing while it builds; its caches are shells, and so deprecated."""
    built(network, batch=1)
    assert not (tmp_path / "cache" / "pytest-infer" / "timings").exists()


def _saved(
    folder: Path,
    nodes: list[onnx.NodeProto],
    shape: list[Any],
    weights: list[onnx.TensorProto] | None = None,
    more: dict[str, list[Any]] | None = None,
    kinds: dict[str, int] | None = None,
    opset: int = 17,
) -> Path:
    """A model from `x` (of that shape) and `more` inputs to `y`."""
    graph = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info(name, (kinds or {}).get(name, TensorProto.FLOAT), size)
            for name, size in {"x": shape, **(more or {})}.items()
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        weights or [],
    )
    domains = [helper.make_opsetid("", opset), helper.make_opsetid("mine", 1)]
    onnx.save(helper.make_model(graph, opset_imports=domains, ir_version=10), folder / "model.onnx")
    return folder / "model.onnx"


def test_names_are_kept_in_the_models_order(backend: TensorRTRTXBackend, tmp_path: Path) -> None:
    """An engine need not keep it: the plan tells."""
    nodes = [helper.make_node("Add", ["x", "b"], ["y"]), helper.make_node("Sub", ["x", "b"], ["a"])]
    model = onnx.load(_saved(tmp_path, nodes, [1, 4], more={"b": [1, 4]}))
    model.graph.output.append(helper.make_tensor_value_info("a", TensorProto.FLOAT, None))
    onnx.save(model, tmp_path / "model.onnx")
    (tmp_path / "plan").mkdir()
    facts = backend.build(BuildRequest(model=tmp_path / "model.onnx", device=gpu()), tmp_path / "plan")
    assert (list(facts["inputs"]), list(facts["outputs"])) == (["x", "b"], ["y", "a"])
