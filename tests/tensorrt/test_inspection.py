"""What inspectors and listings say, in the forms that TensorRT 8.6 to 10 and TensorRT-RTX write, read into proofs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_infer.engines.tensorrt.inspection import BY_FLAG, inspector_proof, listing_proof
from pytest_infer.engines.truth import hold
from pytest_infer.errors import PrecisionError
from pytest_infer.workload import Precision

FP16 = "Channel major FP16 format where channel % 8 == 0"
FP32 = "Row major linear FP32"
INT8 = "Thirty-two wide channel vectorized row major Int8 format"


def layer(kind: str, *inputs: str, weights: str = "", name: str = "layer", tactic: str = "") -> dict[str, Any]:
    """A layer as TensorRT's inspector writes it."""
    found: dict[str, Any] = {
        "Name": name,
        "LayerType": kind,
        "Inputs": [{"Name": "x", "Dimensions": [1, 64, 8, 8], "Format/Datatype": text} for text in inputs],
        "Outputs": [{"Name": "y", "Dimensions": [1, 64, 8, 8], "Format/Datatype": FP32}],
        "TacticName": tactic,
    }
    if weights:
        found["Weights"] = {"Type": weights, "Count": 36864}
    return found


def rtx(kind: str, inputs: str, constants: list[tuple[str, list[int]]], name: str = "layer") -> dict[str, Any]:
    """A layer as TensorRT-RTX writes it."""
    return {
        "Name": name,
        "LayerType": kind,
        "Inputs": [{"Name": "x", "Dimensions": [2, 64], "Datatype": inputs, "Format": "(Linear) Row major"}],
        "Constants": [{"Name": "w", "Dimensions": dims, "Datatype": text} for text, dims in constants],
    }


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (layer("CaskConvolution", FP16, weights="Half"), "fp16"),
        (layer("CaskConvolution", FP32, weights="Float"), "fp32"),
        (layer("CaskConvolution", "BFloat16", weights="BFloat16"), "bf16"),
        (layer("CaskGemmConvolution", INT8, INT8, weights="Int8"), "int8"),
        (layer("CaskConvolution", INT8, FP32, weights="Int8"), "int8"),  # the second is a residual
        (layer("gemm", "FP8", weights="FP8"), "fp8"),
        (layer("gemm", FP16, weights="Int8"), "fp16"),  # weights alone are quantized: it multiplies in fp16
        (layer("CaskConvolution", INT8, FP32), "int8"),
        (layer("gemm", "Half", "Half", "Float"), "fp16"),
        (layer("gemm", "Int8", "Half"), "fp16"),
        (layer("kgen", "Half", "Half", name="_gemm_mha_v2_myl0_6"), "fp16"),
        (layer("fusion", "Int8", weights="Int8", tactic="sm80_xmma_gemm_i8f32_i8i32_f32_by_fusion_tactic"), "int8"),
        (rtx("correlation", "Int8", [("Int8", [64, 4, 3, 3]), ("Float", [1, 64, 1, 1])]), "int8"),
        (rtx("gemm", "Half", [("Half", [64, 10]), ("Float", [1]), ("Float", [1])]), "fp16"),
        (rtx("runtime_fusion", "Half", [("Half", [1, 10]), ("Half", [64, 10])], name="__myl_FcAdd_myl0_5"), "fp16"),
        (rtx("kgen", "Float", [("Float", [64, 10])], name="__myl_ReshMulSumAdd_myl0_4"), "fp32"),
        (layer("gemm", "Complex"), "unknown"),
        (layer("CaskConvolution"), "unknown"),
    ],
)
def test_the_operands_of_a_heavy_layer_tell(found: dict[str, Any], kind: str) -> None:
    """Not what comes out, nor scales and biases; types that can't be read are no proof."""
    assert inspector_proof(json.dumps({"Layers": [found]}), tf32=False).nodes == {kind: 1}


@pytest.mark.parametrize(
    "found",
    [
        layer("Reformat", FP16),
        layer("CaskPooling", INT8),
        layer("PointWiseV2", FP32),
        layer("kgen", "Float", name="__myl_MulMeanMulSumAdd_myl0_3"),
        layer("kgen", "Int8", name="__myl_MulMinMaxRounCast_myl0_0"),
        rtx("kgen", "Int8", [("Int8", [2, 1, 8, 8])], name="__myl_CastConc_myl0_0"),
        layer("signal"),
    ],
)
def test_light_layers_do_not_count(found: dict[str, Any]) -> None:
    """An int8 engine has reformats in fp32, and that is as it should be."""
    assert not inspector_proof(json.dumps({"Layers": [found]}), tf32=False).nodes


@pytest.mark.parametrize(
    ("tactic", "flag", "kind", "how"),
    [
        ("sm80_xmma_fprop_implicit_gemm_tf32f32_tf32f32_f32_nhwckrsc_nhwc", True, "tf32", "inspector"),
        ("sm80_xmma_fprop_implicit_gemm_tf32f32_tf32f32_f32_nhwckrsc_nhwc", False, "tf32", "inspector"),
        ("sm80_xmma_fprop_implicit_gemm_f32f32_f32f32_f32_nhwckrsc_nhwc", True, "fp32", "inspector"),
        ("__myelin_CASK_STUB", True, "tf32", f"inspector{BY_FLAG}"),
        ("__myelin_CASK_STUB", False, "fp32", "inspector"),
    ],
)
def test_tf32_is_told_by_kernels_and_else_by_the_flag(tactic: str, flag: bool, kind: str, how: str) -> None:  # noqa: FBT001 - a parameter
    """A kernel's name counts more than what the builder allowed."""
    found = layer("CaskConvolution", FP32, weights="Float", tactic=tactic)
    proof = inspector_proof(json.dumps({"Layers": [found]}), tf32=flag)
    assert (proof.nodes, proof.how) == ({kind: 1}, how)


def test_tf32_does_not_pass_for_fp32() -> None:
    """Nor fp32 for tf32."""
    found = [layer("CaskConvolution", FP32, weights="Float", tactic="sm80_xmma_fprop_tf32f32_tf32f32_f32")]
    proof = inspector_proof(json.dumps({"Layers": found}), tf32=True)
    hold(proof, Precision.TF32, "model.onnx")
    with pytest.raises(PrecisionError):
        hold(proof, Precision.FP32, "model.onnx")


def test_what_can_not_be_read_does_not_pass() -> None:
    """A proof that proves nothing is refused."""
    found = [layer("gemm", FP16, weights="Half"), layer("gemm", "Complex")]
    with pytest.raises(PrecisionError, match="1 in unknown"):
        hold(inspector_proof(json.dumps({"Layers": found}), tf32=False), Precision.FP16, "model.onnx")


def test_weights_count_by_their_type() -> None:
    """In numbers, over the heavy layers."""
    found = [layer("gemm", FP16, weights="Half"), rtx("gemm", "Float", [("Float", [64, 192]), ("Float", [192])])]
    weights = inspector_proof(json.dumps({"Layers": found}), tf32=False).weights
    assert weights == {"fp16": pytest.approx(0.75), "fp32": pytest.approx(0.25)}


@pytest.mark.parametrize("text", ["", "not JSON", "{}", "[]", '{"Layers": ["conv1", "relu1"], "Bindings": []}'])
def test_an_inspector_without_details_has_no_nodes(text: str) -> None:
    """Names alone tell nothing."""
    assert not inspector_proof(text, tf32=False).nodes


def test_a_listing_of_tensorrt_is_read_line_by_line() -> None:
    """As TensorRT 9 logs it."""
    tensor = "{{ Name: {}, Location: Device, Dimensions: [6,128,60,92], Format/Datatype: {} }}".format
    wide = "Channel major FP32 format where channel % 4 == 0"
    listing = (
        "Engine Layer Information:\n"
        f"Name: a + b, LayerType: CaskGemmConvolution, Inputs: [ {tensor('x', wide)}, {tensor('r', wide)}], Outputs: [ "
        f"{tensor('y', wide)}], ParameterType: Convolution, Kernel: [1,1], Weights: "
        '{"Type": "Float", "Count": 65536}, Bias: {"Type": "Float", "Count": 512}, HasResidual: 1, '
        "TacticName: sm80_xmma_gemm_f32f32_tf32f32_f32_nn_n, TacticValue: 0x2, StreamId: 0\n"
        f"Name: c, LayerType: Reformat, Inputs: [ {tensor('y', 'Row major linear FP16 format')}], Outputs: [ "
        f"{tensor('z', 'Half')}], TacticName: , StreamId: 0\n"
    )
    proof = listing_proof(listing, tf32=True)
    assert proof.nodes == {"tf32": 1}
    assert proof.weights == {"fp32": 1}
