"""fp16 and bf16: which nodes compute in 16 bits, where casts are, and that the result is right and valid ONNX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from pytest_infer.errors import EngineBuildError, PrecisionError, UsageError
from pytest_infer.precision import Conversion, ConversionOptions, convert, recognise
from pytest_infer.precision.model import inputs
from pytest_infer.precision.rounding import rounded
from pytest_infer.workload import Precision
from tests.precision import models

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HALVES = [Precision.FP16, Precision.BF16]
NUMBER = {Precision.FP16: TensorProto.FLOAT16, Precision.BF16: TensorProto.BFLOAT16}


def halved(model: Path, precision: Precision, **options: Any) -> Conversion:
    """The model in `precision`, checked to be valid and strongly typed."""
    target = model.with_name(f"{precision}-{len(list(model.parent.iterdir()))}.onnx")
    made = convert(model, precision, target, calibration=None, options=ConversionOptions(**options))
    onnx.checker.check_model(made.path, full_check=True)
    return made


def computed(model: Path, **given: Any) -> list[Any]:
    """All outputs, by ONNX's own reference implementation."""
    return [np.asarray(one, np.float32) for one in ReferenceEvaluator(onnx.load(model)).run(None, given)]


@pytest.mark.parametrize("precision", HALVES)
def test_arithmetic_and_weights(network: Path, precision: Precision) -> None:
    """Both are in 16 bits, inputs and outputs stay in fp32, and the outputs are what they were."""
    made = halved(network, precision)
    assert (made.nodes, made.left) == ({"Conv": 1, "MatMul": 1}, {})
    assert recognise(made.path) is precision
    assert [spec.dtype for spec in inputs(made.path)] == ["float32"]
    graph = onnx.load(made.path).graph
    assert {tensor.data_type for tensor in graph.initializer} == {NUMBER[precision]}
    assert [node.op_type for node in graph.node].count("Cast") == 2
    x = models.samples()[0]["x"]
    assert np.abs(computed(made.path, x=x)[0] - models.run(network, x=x)).max() < 0.02


@pytest.mark.parametrize("precision", HALVES)
def test_inputs_and_outputs_where_it_is_asked(network: Path, precision: Precision) -> None:
    """Then nothing is cast at all."""
    made = halved(network, precision, keep_io=False)
    graph = onnx.load(made.path).graph
    assert {one.type.tensor_type.elem_type for one in (*graph.input, *graph.output)} == {NUMBER[precision]}
    assert "Cast" not in {node.op_type for node in graph.node}


def test_bf16_raises_the_operator_set_to_where_convolutions_have_it(network: Path) -> None:
    """fp16 needs no other one."""
    assert onnx.load(halved(network, Precision.FP16).path).opset_import[0].version == 17
    raised = onnx.load(halved(network, Precision.BF16).path)
    assert raised.opset_import[0].version == 22
    assert raised.ir_version >= 10


@pytest.mark.parametrize("excluded", [{"exclude_ops": ("Conv",)}, {"exclude_nodes": ("first",)}])
def test_what_is_excluded_stays_in_fp32(tmp_path: Path, excluded: dict[str, Any]) -> None:
    """By type or by name: its weights too, with casts around; what comes after it goes on in 16 bits."""
    network = models.convolution(tmp_path / "named.onnx")
    model = onnx.load(network)
    model.graph.node[0].name = "first"
    onnx.save(model, network)
    made = halved(network, Precision.FP16, **excluded)
    assert (made.nodes, made.left) == ({"MatMul": 1}, {"Conv": 1})
    types = {tensor.name: tensor.data_type for tensor in onnx.load(made.path).graph.initializer}
    assert (types["kernel"], types["matrix"]) == (TensorProto.FLOAT, TensorProto.FLOAT16)
    x = models.samples()[0]["x"]
    assert np.abs(computed(made.path, x=x)[0] - models.run(network, x=x)).max() < 0.01


def test_a_weight_that_both_take_is_there_twice(tmp_path: Path) -> None:
    """Once in each type: no node casts it at every run."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"], name="narrow"),
        helper.make_node("MatMul", ["m", "w"], ["y"], name="wide"),
    ]
    path = _saved(tmp_path, nodes, {"x": [2, 2]}, {"y": [2, 2]}, w=np.array([[1, 2], [3, 4]]))
    graph = onnx.load(halved(path, Precision.BF16, exclude_nodes=("wide",)).path).graph
    assert sorted(tensor.data_type for tensor in graph.initializer) == [TensorProto.FLOAT, TensorProto.BFLOAT16]
    assert len(graph.node) == 4  # two casts: in, and between the two


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"exclude_ops": ("Convv",)}, r"exclude_ops.*network\.onnx has no operator 'Convv'; did you mean 'Conv'"),
        ({"exclude_nodes": ("x",)}, r"exclude_nodes.*has no node 'x'; it has none with a name"),
    ],
)
@pytest.mark.parametrize("precision", HALVES)
def test_excluding_what_is_not_there(network: Path, precision: Precision, options: Any, told: str) -> None:
    """A name that is nowhere excludes nothing, and is told with the nearest."""
    with pytest.raises(UsageError, match=told):
        halved(network, precision, **options)


def test_excluding_everything(network: Path) -> None:
    """What is left is not called fp16."""
    with pytest.raises(PrecisionError, match="none of its Conv, MatMul comes out in fp16: they are excluded"):
        halved(network, Precision.FP16, exclude_ops=("Conv", "MatMul"))


@pytest.mark.parametrize("precision", HALVES)
def test_numbers_that_16_bits_can_not_hold(tmp_path: Path, precision: Precision) -> None:
    """A mask stays finite and an epsilon stays above zero."""
    nodes = [helper.make_node("Add", ["x", "mask"], ["m"]), helper.make_node("Add", ["m", "tiny"], ["y"])]
    path = _saved(
        tmp_path, nodes, {"x": [1, 2]}, {"y": [1, 2]}, mask=np.array([-3.4e38, 0]), tiny=np.array([1e-45, 1e-12])
    )
    stored = {one.name: numpy_helper.to_array(one) for one in onnx.load(halved(path, precision).path).graph.initializer}
    assert np.isfinite(stored["mask"].astype(np.float32)).all()
    assert (stored["tiny"].astype(np.float32) > 0).all()


def test_rounding() -> None:
    """To the nearest, ties to even; infinities and what is no number stay; small ones become zero where they may."""
    given = np.array([1, 1 + 2**-9, 1 + 2**-8, 1 + 3 * 2**-8, np.inf, -np.inf, 1e39], np.float64)
    right = np.array([1, 1, 1, 1 + 2**-6, np.inf, -np.inf, (2 - 2**-7) * 2.0**127])
    assert (rounded(given, "bfloat16").astype(np.float64) == right).all()
    assert np.isnan(rounded(np.array([np.nan]), "float16").astype(np.float32)).all()
    assert rounded(np.array([500.0, -1e-9]), "float8_e4m3fn").astype(np.float32).tolist() == [448, 0]
    assert float(rounded(np.array(-1e-12), "float16", nothing=False)) == -(2.0**-24)


@pytest.mark.parametrize("precision", HALVES)
def test_what_is_made_of_token_numbers_stays_exact(tmp_path: Path, precision: Precision) -> None:
    """Positions beyond 256 are computed in fp32 until they meet the network's own values."""
    nodes = [
        helper.make_node("Cast", ["ids"], ["position"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["position", "one"], ["scaled"]),
        helper.make_node("Cast", ["scaled"], ["back"], to=TensorProto.INT64),
        helper.make_node("Gather", ["words", "ids"], ["rows"]),
        helper.make_node("MatMul", ["rows", "w"], ["y"]),
    ]
    path = _saved(
        tmp_path,
        nodes,
        {"ids": [3]},
        {"back": [3], "y": [3, 2]},
        kinds={"ids": TensorProto.INT64, "back": TensorProto.INT64},
        one=np.ones(1),
        words=np.ones((600, 2)),
        w=np.eye(2),
    )
    made = halved(path, precision)
    back, _ = computed(made.path, ids=np.array([257, 511, 599]))
    assert back.tolist() == [257, 511, 599]
    types = {tensor.name: tensor.data_type for tensor in onnx.load(made.path).graph.initializer}
    assert (types["one"], types["words"]) == (TensorProto.FLOAT, NUMBER[precision])


@pytest.mark.parametrize("precision", HALVES)
def test_branches_and_loops(tmp_path: Path, precision: Precision) -> None:
    """Graphs inside nodes compute in 16 bits, too: what they take from outside is cast, and their ends stay."""
    then = helper.make_graph(
        [helper.make_node("MatMul", ["r", "w"], ["t"])], "then", [], [helper.make_tensor_value_info("t", 1, [2, 2])]
    )
    otherwise = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.full((2, 2), 2, np.float32))),
         helper.make_node("Mul", ["r", "c"], ["o"])],
        "otherwise", [], [helper.make_tensor_value_info("o", 1, [2, 2])],
    )  # fmt: skip
    body = helper.make_graph(
        [helper.make_node("MatMul", ["s", "w"], ["next"]), helper.make_node("Identity", ["go"], ["on"])],
        "body",
        [helper.make_tensor_value_info(*one) for one in (("i", 7, []), ("go", 9, []), ("s", 1, [2, 2]))],
        [helper.make_tensor_value_info(*one) for one in (("on", 9, []), ("next", 1, [2, 2]))],
    )
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("If", ["which"], ["b"], then_branch=then, else_branch=otherwise),
        helper.make_node("Loop", ["three", "", "b"], ["y"], body=body),
    ]
    kinds = {"which": TensorProto.BOOL}
    w = np.array([[0.5, 0.25], [1, 0.5]])
    path = _saved(tmp_path, nodes, {"x": [2, 2], "which": []}, {"y": [2, 2]}, kinds=kinds, w=w)
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(np.array(3), "three"))
    onnx.save(model, path)
    made = halved(path, precision)
    assert (made.nodes, made.left) == ({"MatMul": 2}, {})
    for which in (True, False):
        given = {"x": np.array([[1, -2], [3, 4]], np.float32), "which": np.array(which)}
        assert computed(made.path, **given)[0] == pytest.approx(computed(path, **given)[0], rel=0.02)


def test_functions_are_laid_out(tmp_path: Path) -> None:
    """Newer exporters write layers as functions of the model."""
    function = helper.make_function(
        "mine",
        "Twice",
        ["a", "b"],
        ["c"],
        [helper.make_node("MatMul", ["a", "b"], ["c"])],
        [helper.make_opsetid("", 17)],
    )
    path = _saved(
        tmp_path,
        [helper.make_node("Twice", ["x", "w"], ["y"], domain="mine")],
        {"x": [2, 2]},
        {"y": [2, 2]},
        w=np.eye(2),
    )
    model = onnx.load(path)
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("mine", 1))
    onnx.save(model, path)
    assert halved(path, Precision.FP16).nodes == {"MatMul": 1}


def test_operators_that_onnx_does_not_know_stay_in_fp32(tmp_path: Path) -> None:
    """So does what comes after them, since nothing tells its type; if that is all, it is an error."""
    nodes = [
        helper.make_node("FusedGelu", ["x"], ["g"], domain="mine"),
        helper.make_node("MatMul", ["g", "w"], ["y"]),
    ]
    path = _saved(tmp_path, nodes, {"x": [2, 2]}, {"y": [2, 2]}, w=np.eye(2))
    model = onnx.load(path)
    model.opset_import.append(helper.make_opsetid("mine", 1))
    onnx.save(model, path)
    with pytest.raises(PrecisionError, match=r"none of its MatMul comes out in fp16: .*nothing tells the types"):
        convert(path, Precision.FP16, tmp_path / "out.onnx", calibration=None)
    model.graph.value_info.append(helper.make_tensor_value_info("g", TensorProto.FLOAT, [2, 2]))
    onnx.save(model, path)
    made = convert(path, Precision.FP16, tmp_path / "out.onnx", calibration=None)
    assert made.nodes == {"MatMul": 1}
    assert onnx.load(made.path).graph.node[0].input[0] == "x"


def test_an_input_that_is_an_output(tmp_path: Path) -> None:
    """And a weight that is one: ends keep their type, whoever takes them."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    path = _saved(tmp_path, nodes, {"x": [2, 2]}, {"y": [2, 2], "w": [2, 2]}, w=np.eye(2))
    made = halved(path, Precision.BF16)
    ends = onnx.load(made.path).graph.output
    assert [end.type.tensor_type.elem_type for end in ends] == [TensorProto.FLOAT] * 2
    assert computed(made.path, x=np.ones((2, 2), np.float32))[1].tolist() == np.eye(2).tolist()


def test_old_models_list_their_weights_among_the_inputs(tmp_path: Path) -> None:
    """They are weights all the same."""
    path = _saved(tmp_path, [helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": [2, 2]}, {"y": [2, 2]}, w=np.eye(2))
    model = onnx.load(path)
    model.ir_version = 3
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [2, 2]))
    onnx.save(model, path)
    made = halved(path, Precision.FP16)
    assert [value.name for value in onnx.load(made.path).graph.input] == ["x"]


def test_an_operator_set_that_can_not_be_raised(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way out is told: another export, or a newer onnx."""

    def fails(*_: Any) -> Any:
        raise RuntimeError("no adapter")

    monkeypatch.setattr(onnx.version_converter, "convert_version", fails)
    with pytest.raises(EngineBuildError, match=r"operator set 17, bf16 .* need 22 .*no adapter.*opset_version=22"):
        halved(network, Precision.BF16)
    monkeypatch.setattr(onnx.defs, "onnx_opset_version", lambda: 21)
    with pytest.raises(EngineBuildError, match=r"need operator set 22, and the installed onnx .* knows 21"):
        halved(network, Precision.BF16)


def _saved(
    folder: Path,
    nodes: list[onnx.NodeProto],
    takes: dict[str, list[int]],
    gives: dict[str, list[int]],
    kinds: Mapping[str, int] | None = None,
    **weights: Any,
) -> Path:
    def values(shapes: dict[str, list[int]]) -> list[onnx.ValueInfoProto]:
        return [
            helper.make_tensor_value_info(name, (kinds or {}).get(name, TensorProto.FLOAT), shape)
            for name, shape in shapes.items()
        ]

    tensors = [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "g", values(takes), values(gives), tensors)
    path = folder / "network.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path
