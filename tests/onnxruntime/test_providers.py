"""Providers by name, what they refuse, and that none but the asked one runs anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pytest_infer.device.fingerprint import Device
from pytest_infer.engines.onnxruntime.providers import (
    CPU,
    CUDA,
    OPENVINO,
    TENSORRT,
    TENSORRT_RTX,
    check_provider_options,
    find_provider,
    provider_options,
    refusal,
)
from pytest_infer.engines.truth import Proof, hold
from pytest_infer.errors import EngineBuildError, InferError, PrecisionError, PrecisionRefusedError, UsageError
from pytest_infer.precision import Conversion
from pytest_infer.workload import Precision
from tests.onnxruntime.conftest import CPU as CPU_DEVICE
from tests.onnxruntime.conftest import GPU
from tests.precision import models

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_infer.engines.target import InferEngine

    Open = Callable[..., InferEngine]

ort = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

AZURE = "AzureExecutionProvider"
"""A provider that ordinary builds have, and that takes no node of ordinary networks."""
TELLS = "get_provider_graph_assignment_info"
REFUSES = "fallback to CPU EP has been explicitly disabled"
needs_azure = pytest.mark.skipif(AZURE not in ort.get_available_providers(), reason=f"this build has no {AZURE}")
needs_openvino = pytest.mark.skipif(
    OPENVINO not in ort.get_available_providers(), reason="onnxruntime-openvino is not installed"
)


@pytest.mark.parametrize("variant", ["", "cpu", "CPU", "cpuexecutionprovider", CPU])
def test_names(variant: str) -> None:
    """Short and full names, whatever their case; none is the CPU's."""
    assert find_provider(variant) == CPU


@pytest.mark.parametrize(
    ("variant", "provider"), [("cuda", CUDA), ("TensorRT", TENSORRT), ("tensorrt-rtx", TENSORRT_RTX), ("trt", TENSORRT)]
)
def test_installed_ones(monkeypatch: pytest.MonkeyPatch, variant: str, provider: str) -> None:
    """What the installed build has is found."""
    monkeypatch.setattr(ort, "get_available_providers", lambda: [provider, CPU])
    assert find_provider(variant) == provider


def test_unknown_name() -> None:
    """The nearest name is offered, or what there is."""
    with pytest.raises(UsageError, match=r"backend 'onnxruntime:cdua'.*did you mean 'cuda'"):
        find_provider("cdua")
    with pytest.raises(UsageError, match=f"no such provider; here are .*{CPU}"):
        find_provider("abacus")


def test_not_in_this_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """What there is, and what would bring it."""
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CPU])
    with pytest.raises(UsageError, match=rf"has no {CUDA}, only {CPU}; .*pytest-infer\[onnxruntime-gpu\]"):
        find_provider("cuda")
    with pytest.raises(UsageError, match="onnxruntime-openvino"):
        find_provider("openvino")


@pytest.mark.parametrize(
    ("provider", "precision", "device", "told"),
    [
        (CPU, "fp16", CPU_DEVICE, "computes fp16 in fp32"),
        (CPU, "bf16", CPU_DEVICE, "no bf16 kernels"),
        (CPU, "tf32", CPU_DEVICE, "NVIDIA's matrix units"),
        (CPU, "fp8", CPU_DEVICE, "no fp8 kernels"),
        (CPU, "fp32", GPU, "does not run on this gpu; measure it with --infer-gpu=none"),
        (CUDA, "fp32", CPU_DEVICE, "runs on NVIDIA GPUs: choose one with --infer-gpu"),
        (CUDA, "int8", GPU, "computes what is quantized in float"),
        (CUDA, "fp8", GPU, "needs compute capability 8.9 or later, this GPU has 8.6"),
        (TENSORRT, "fp32", GPU, "multiplies fp32 in TF32 here"),
        (OPENVINO, "bf16", CPU_DEVICE, "computes in fp32 and int8 on CPUs"),
    ],
)
def test_refusals(provider: str, precision: str, device: Device, told: str) -> None:
    """A precision that would be computed as another one is refused, with the reason."""
    assert told in (refusal(provider, Precision(precision), device) or "")


@pytest.mark.parametrize(
    ("provider", "precision"),
    [
        (CPU, "fp32"),
        (CPU, "int8"),
        (CUDA, "fp32"),
        (CUDA, "tf32"),
        (CUDA, "fp16"),
        (TENSORRT, "tf32"),
        (TENSORRT, "int8"),
    ],
)
def test_what_is_not_refused(provider: str, precision: str) -> None:
    """What each computes in."""
    assert refusal(provider, Precision(precision), CPU_DEVICE if provider == CPU else GPU) is None


def test_tf32_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT's provider has no option for TF32; the variable that forbids it everywhere decides."""
    old = Device(slug="gpu-y", kind="gpu", name="GPU Y", identity={"compute_capability": "7.5"})
    assert refusal(TENSORRT, Precision.FP32, old) is None
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    assert refusal(TENSORRT, Precision.FP32, GPU) is None
    assert "forbids TF32" in (refusal(CUDA, Precision.TF32, GPU) or "")


@pytest.mark.parametrize(
    ("provider", "precision", "cuda_graph", "wanted"),
    [
        (CUDA, "fp32", False, {"device_id": "0", "use_tf32": "0"}),
        (CUDA, "tf32", True, {"device_id": "0", "use_tf32": "1", "enable_cuda_graph": "1"}),
        (TENSORRT, "fp16", True, {"device_id": "0", "trt_cuda_graph_enable": "1"}),
        (TENSORRT, "int8", False, {"device_id": "0"}),
        (OPENVINO, "fp32", False, {"num_of_threads": "2"}),
    ],
)
def test_provider_options(provider: str, precision: str, *, cuda_graph: bool, wanted: dict[str, str]) -> None:
    """Precision and CUDA graph become the provider's own options; the user's are added.

    TensorRT takes its precision from the model's types: told of one, ONNX Runtime would take them for hints.
    """
    made = provider_options(provider, Precision(precision), {"mine": 1}, threads=2, cuda_graph=cuda_graph)
    assert made == {**wanted, "mine": "1"}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"provider_options": {"use_tf32": 1}}, "precision sets that"),
        ({"provider_options": {"device_id": 1}}, "--infer-gpu sets that"),
        ({"provider_options": {"load_config": '{"CPU": {"INFERENCE_PRECISION_HINT": "bf16"}}'}}, "precision sets that"),
        ({"provider_options": {"trt_fp16_enable": 1}}, "precision sets that"),
        ({"provider_options": {"device_type": "GPU"}}, "another device would stand under its name; .*openvino:GPU"),
        ({"provider_options": "fast"}, "a dict of the provider's options"),
        ({"config": {"mlas.enable_gemm_fastmath_arm64_bfloat16": "1"}}, "precision sets that; leave it out"),
        ({"cuda_graph": True}, "has no CUDA graphs"),
        ({"cuda_graph": 1}, "True or False"),
        ({"allow_fallback": True}, "what others fall back to"),
        ({"thread": 2}, "did you mean 'threads'"),
        ({"whatever": 2}, "it takes allow_fallback, calibration_method, config, cuda_graph, exclude_nodes"),
        ({"threads": 0}, "a whole number of at least 1"),
        ({"graph_optimization": "most"}, "choose all, extended, basic, disabled"),
        ({"calibration_method": "median"}, "choose minmax, entropy, percentile"),
        ({"exclude_ops": "Conv"}, "a list of names"),
        ({"keep_io": 1}, "True or False"),
    ],
)
def test_wrong_options(opened: Open, network: Path, options: dict[str, Any], told: str) -> None:
    """An option that can't be right is the test's error, and the message says what there is."""
    with pytest.raises(UsageError, match=told):
        opened(network, options=options)


def test_the_cpu_for_cuda(opened: Open, network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that says it has CUDA and can't load it runs everything on the CPU; that is an error, not a time.

    ONNX Runtime's own behaviour where CUDA's libraries are missing: here it is the name alone that is missing.
    """
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])
    with pytest.raises(InferError, match=f"{CUDA} could not be loaded, and {CPU} would run instead|{REFUSES}"):
        opened(network, backend="onnxruntime:cuda", device=GPU)


def test_libraries_of_pips_packages(
    opened: Open, network: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """An NVIDIA provider is let find them before a session opens, in silence; for the CPU nothing is loaded."""
    asked = []

    def preload() -> None:
        asked.append("CUDA")
        print("Failed to load libcudart.so.12")  # noqa: T201 - as it does

    monkeypatch.setattr(ort, "preload_dlls", preload, raising=False)
    opened(network)
    assert not asked
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])
    with pytest.raises(InferError):
        opened(network, backend="onnxruntime:cuda", device=GPU)
    assert asked == ["CUDA"]
    assert "libcudart" not in capfd.readouterr().out


def test_the_openvino_provider_may_be_told_of_the_cpu() -> None:
    """That is where it is measured."""
    check_provider_options({"device_type": "CPU", "num_streams": 1})


@needs_azure
def test_a_provider_that_takes_no_node(opened: Open, network: Path) -> None:
    """It is there, and the CPU runs everything: an error also where some of the nodes may run elsewhere."""
    if not hasattr(ort.InferenceSession, TELLS):
        pytest.skip("this ONNX Runtime does not tell who runs what")
    for options in ({}, {"allow_fallback": True}):
        with pytest.raises(PrecisionError, match=rf"{AZURE} was asked for and runs none of its nodes: \d on {CPU}"):
            opened(network, backend="onnxruntime:azure", options=options)


@needs_azure
def test_an_older_runtime_refuses_by_itself(opened: Open, network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the interface that tells who runs what, no session with a node on the CPU opens."""
    monkeypatch.delattr(ort.capi.onnxruntime_inference_collection.Session, TELLS, raising=False)
    with pytest.raises(EngineBuildError, match=REFUSES):
        opened(network, backend="onnxruntime:azure")


def test_a_node_elsewhere() -> None:
    """One node on another provider is an error; allowed, it is told."""
    proof = Proof(how="profile", nodes={"fp16": 3}, placement={CUDA: 3, CPU: 1}, provider=CUDA)
    with pytest.raises(PrecisionError, match=rf"asked for {CUDA}, but of its nodes 1 on {CPU}; .*allow_fallback"):
        hold(proof, Precision.FP16, "net.onnx")
    allowed = Proof(how="profile", nodes={"fp16": 3}, placement={CUDA: 3, CPU: 1})
    assert hold(allowed, Precision.FP16, "net.onnx")["placement"] == {CPU: 1, CUDA: 3}


@needs_openvino
def test_openvino(opened: Open, network: Path) -> None:
    """A second real provider: it runs every node, in what was asked, and says so."""
    x = models.samples()[0]["x"]
    engine = opened(network, backend="onnxruntime:openvino", options={"threads": 1})
    assert np.abs(engine(x) - models.run(network, x=x)).max() < 1e-5
    assert engine.facts["placement"] == {OPENVINO: 6}
    assert engine.facts["proof"] == f"types of the model that {OPENVINO} was given"
    assert engine.facts["provider_options"] == {"num_of_threads": "1"}
    quantized = opened(network, "int8", backend="onnxruntime:openvino", calibration=models.samples())
    assert quantized.facts["int8_share"] == 1
    assert np.abs(quantized(x) - models.run(network, x=x)).max() < 0.1
    with pytest.raises(PrecisionRefusedError, match="use backend openvino"):
        opened(network, "bf16", backend="onnxruntime:openvino")


@needs_openvino
def test_what_openvino_leaves_to_the_cpu(opened: Open, tmp_path: Path) -> None:
    """One operator that it lacks splits the network: an error, or told where it is allowed."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("Hardmax", ["m"], ["h"]),
        helper.make_node("MatMul", ["h", "w"], ["y"]),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 2]) for name in "xy"]
    weights = [numpy_helper.from_array(np.eye(2, dtype=np.float32), "w")]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], weights)
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    with pytest.raises(PrecisionError, match=rf"asked for {OPENVINO}, but of its nodes \d on {CPU}"):
        opened(path, backend="onnxruntime:openvino")
    placed = opened(path, backend="onnxruntime:openvino", options={"allow_fallback": True}).facts["placement"]
    assert set(placed) == {OPENVINO, CPU}


@needs_openvino
def test_an_option_that_openvino_does_not_take(opened: Open, network: Path) -> None:
    """The provider is then left out in silence, and the CPU would be measured in its name."""
    with pytest.raises(PrecisionError, match=f"{OPENVINO} could not be loaded, and {CPU} would run instead"):
        opened(network, backend="onnxruntime:openvino", options={"provider_options": {"num_streams": "many"}})


@needs_openvino
def test_an_fp32_model_that_openvino_is_to_run_in_int8(
    opened: Open, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that compiles the model shows no nodes; then the model tells."""
    from pytest_infer.engines.onnxruntime import backend

    monkeypatch.setattr(backend, "convert", lambda model, *_, **__: Conversion(path=model, converted=False))
    with pytest.raises(PrecisionError, match=r"asked for int8, but none .*2 in fp32; by types of the model that"):
        opened(network, "int8", backend="onnxruntime:openvino", calibration=models.samples())
