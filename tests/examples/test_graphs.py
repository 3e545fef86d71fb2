"""The examples' ONNX networks in other frameworks: the same inputs under the same names, and the same outputs."""

from __future__ import annotations

import importlib
import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from examples.digits import train
from examples.graphs import runtime
from examples.minilm import encoder, sentences
from examples.vision import networks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]

NETWORKS: dict[str, tuple[Callable[[Path], None], Callable[[], Arrays]]] = {
    "digits": (train.make, lambda: {"picture": train.pictures(8)}),
    "minilm": (encoder.make, lambda: sentences.tokens(sentences.SENTENCES, 16)),
    "resnet50": (partial(networks.make, "resnet50"), lambda: {"image": networks.images(1)}),
    "squeezenet": (partial(networks.make, "squeezenet"), lambda: {"image": networks.images(1)}),
}


@pytest.fixture(scope="session", params=NETWORKS)
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Arrays]:
    """One of the examples' networks, and inputs for it."""
    make, inputs = NETWORKS[request.param]
    path = tmp_path_factory.mktemp("networks") / f"{request.param}.onnx"
    make(path)
    return path, inputs()


def test_torch(network: tuple[Path, Arrays]) -> None:
    """The module takes the network's inputs by name, and computes what ONNX Runtime computes."""
    torch = pytest.importorskip("torch", reason="the torch backend's extra")
    from examples.graphs import torch_graph

    path, inputs = network
    module = torch_graph.load(path)
    assert list(inspect.signature(module.forward).parameters) == list(inputs)
    with torch.inference_mode():
        outputs = module(**{name: torch.tensor(array) for name, array in inputs.items()}).numpy()
    assert_close(outputs, runtime.load(path)(**inputs))


def test_jax(network: tuple[Path, Arrays]) -> None:
    """The function takes the network's inputs by name, and computes what ONNX Runtime computes."""
    jax = pytest.importorskip("jax", reason="the jax backend's extra")
    from examples.graphs import jax_graph

    path, inputs = network
    function = jax.jit(jax_graph.load(path))
    assert list(inspect.signature(function).parameters) == list(inputs)
    assert_close(np.asarray(function(**inputs)), runtime.load(path)(**inputs))


def test_jax_narrow(network: tuple[Path, Arrays]) -> None:
    """Asked for bfloat16, every product and convolution is in it; inputs and outputs stay as they are."""
    jax = pytest.importorskip("jax", reason="the jax backend's extra")
    from examples.graphs import jax_graph

    path, inputs = network
    function = jax_graph.load(path, "bfloat16")
    heavy = [
        equation
        for equation in jax.make_jaxpr(function)(**inputs).eqns
        if equation.primitive.name in {"conv_general_dilated", "dot_general"}
    ]
    assert heavy
    assert {str(operand.aval.dtype) for equation in heavy for operand in equation.invars} == {"bfloat16"}
    assert jax.eval_shape(function, **inputs).dtype == np.float32


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_unknown(framework: str, tmp_path: Path) -> None:
    """A network with an operation that nobody wrote down is refused by name, when it is loaded."""
    pytest.importorskip(framework, reason=f"the {framework} backend's extra")
    path = tmp_path / "wave.onnx"
    value = partial(helper.make_tensor_value_info, elem_type=TensorProto.FLOAT, shape=[1])
    graph = helper.make_graph([helper.make_node("Sin", ["x"], ["y"])], "wave", [value("x")], [value("y")])
    onnx.save(helper.make_model(graph), path)
    with pytest.raises(NotImplementedError, match=r"wave\.onnx computes with Sin"):
        importlib.import_module(f"examples.graphs.{framework}_graph").load(path)


def assert_close(outputs: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> None:
    """The same shape, and the same values but for the order of sums."""
    assert outputs.shape == expected.shape
    assert outputs == pytest.approx(expected, abs=1e-4 * float(np.abs(expected).max()))
