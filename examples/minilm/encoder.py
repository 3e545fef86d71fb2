"""A sentence encoder of MiniLM's shape: six transformer layers over any number of tokens, one vector a sentence.

Its weights are seeded, not trained: it is as fast as the trained one, and does not know what words mean. But its
vectors tell how many words two sentences share.

    python examples/minilm/encoder.py minilm.onnx
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

VERSION: Final = 1  # of what is made here; a file of another version is made anew
OPSET: Final = 17
# The shape of MiniLM-L6-H384 (Wang et al. 2020, https://arxiv.org/abs/2002.10957), its vocabulary BERT's.
LAYERS: Final = 6
HEADS: Final = 12
WIDTH: Final = 384
INNER: Final = 1536
VOCABULARY: Final = 30_522
LONGEST: Final = 512
EPSILON: Final = 1e-12  # BERT's layer normalisation
HIDDEN_SCORE: Final = -10_000.0  # of a token that the mask hides; fp16 holds it, and its exponential is zero


class Graph:
    """The nodes and the weights of a network, as they come."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self._rng = np.random.default_rng(0)

    def node(self, op: str, *sources: str, name: str = "", **attributes: Any) -> str:
        """Add a node with one output; give its name."""
        output = name or f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(sources), [output], name=output, **attributes))
        return output

    def tensor(self, name: str, value: Array) -> str:
        """Add a tensor; give its name."""
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        self.tensors.append(TensorProto(name=name, dims=value.shape, data_type=kind, raw_data=value.tobytes()))
        return name

    def numbers(self, name: str, *values: int) -> str:
        """Add whole numbers: axes, a shape; give their name."""
        return self.tensor(name, np.array(values, dtype=np.int64))

    def weight(self, name: str, *shape: int, scale: float) -> str:
        """Add a seeded weight; give its name."""
        return self.tensor(name, self._rng.standard_normal(shape, dtype=np.float32) * np.float32(scale))

    def dense(self, source: str, name: str, before: int, after: int) -> str:
        """A product and a bias; values stay as large as they are."""
        weight = self.weight(f"{name}.weight", before, after, scale=before**-0.5)
        bias = self.weight(f"{name}.bias", after, scale=0.02)
        return self.node("Add", self.node("MatMul", source, weight, name=f"{name}.product"), bias, name=name)

    def normalised(self, source: str, name: str) -> str:
        """Layer normalisation over each token's values."""
        scale = self.tensor(f"{name}.scale", np.ones(WIDTH, dtype=np.float32))
        offset = self.tensor(f"{name}.offset", np.zeros(WIDTH, dtype=np.float32))
        return self.node("LayerNormalization", source, scale, offset, name=name, axis=-1, epsilon=EPSILON)


def make(target: Path) -> None:
    """Write the encoder to the file `target`."""
    graph = Graph()
    for name, value in {
        "half": 0.5,
        "one": 1.0,
        "root_of_two": 2**0.5,
        "per_head": (WIDTH // HEADS) ** -0.5,
        "hidden_score": HIDDEN_SCORE,
    }.items():
        graph.tensor(name, np.array(value, dtype=np.float32))
    graph.numbers("split_heads", 0, 0, HEADS, WIDTH // HEADS)
    graph.numbers("join_heads", 0, 0, WIDTH)
    graph.numbers("token_axis", 1)
    visible = graph.node("Cast", "attention_mask", to=TensorProto.BOOL)
    visible = graph.node("Unsqueeze", visible, graph.numbers("head_and_query", 1, 2), name="visible")
    values = _embedded(graph)
    for layer in range(LAYERS):
        attended = _attention(graph, values, visible, f"layer{layer}.attention")
        values = graph.normalised(graph.node("Add", values, attended), f"layer{layer}.attention.normalised")
        inner = _gelu(graph, graph.dense(values, f"layer{layer}.inner", WIDTH, INNER))
        outer = graph.dense(inner, f"layer{layer}.outer", INNER, WIDTH)
        values = graph.normalised(graph.node("Add", values, outer), f"layer{layer}.normalised")
    _mean(graph, values)
    whole = helper.make_graph(
        graph.nodes,
        "minilm",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", WIDTH])],
        graph.tensors,
    )
    onnx.save(helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8), target)


def _embedded(graph: Graph) -> str:
    """Each token's word and place."""
    words = graph.node("Gather", graph.weight("words", VOCABULARY, WIDTH, scale=1), "input_ids")
    # Counted in the mask, as RoBERTa's are, and so no constant: OpenVINO 2026.4 fails on an int8 sum with a folded one.
    number = graph.node(
        "CumSum", "attention_mask", graph.tensor("along_tokens", np.array(1, dtype=np.int64)), exclusive=1
    )
    places = graph.node("Gather", graph.weight("places", LONGEST, WIDTH, scale=0.2), number)
    return graph.normalised(graph.node("Add", words, places), "embedded")


def _attention(graph: Graph, values: str, visible: str, name: str) -> str:
    """Each token looks at all that the mask shows."""
    heads = {
        part: graph.node("Transpose", graph.node("Reshape", projected, "split_heads"), perm=order)
        for part, order in {"query": [0, 2, 1, 3], "key": [0, 2, 3, 1], "value": [0, 2, 1, 3]}.items()
        for projected in [graph.dense(values, f"{name}.{part}", WIDTH, WIDTH)]
    }
    scores = graph.node("Mul", graph.node("MatMul", heads["query"], heads["key"]), "per_head")
    # Chosen, not added: an int8 range that holds a sum with -10000 has no steps left for the scores.
    shares = graph.node("Softmax", graph.node("Where", visible, scores, "hidden_score"), axis=-1)
    mixed = graph.node("Transpose", graph.node("MatMul", shares, heads["value"]), perm=[0, 2, 1, 3])
    return graph.dense(graph.node("Reshape", mixed, "join_heads"), f"{name}.output", WIDTH, WIDTH)


def _gelu(graph: Graph, values: str) -> str:
    """As exporters write it: the operator came with set 20 only."""
    error = graph.node("Erf", graph.node("Div", values, "root_of_two"))
    return graph.node("Mul", graph.node("Mul", values, graph.node("Add", error, "one")), "half")


def _mean(graph: Graph, values: str) -> None:
    """The mean over the tokens that are there, of length one."""
    there = graph.node("Cast", "attention_mask", to=TensorProto.FLOAT)
    there = graph.node("Unsqueeze", there, graph.numbers("last_axis", 2))
    total = graph.node("ReduceSum", graph.node("Mul", values, there), "token_axis", keepdims=0)
    mean = graph.node("Div", total, graph.node("ReduceSum", there, "token_axis", keepdims=0))
    graph.node("Div", mean, graph.node("ReduceL2", mean, axes=[1], keepdims=1), name="embedding")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the sentence encoder as an ONNX file.")
    parser.add_argument("target", type=Path)
    make(parser.parse_args().target)
