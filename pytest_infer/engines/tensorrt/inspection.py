"""What TensorRT tells of the engine that it built, read into a proof: types of operands and weights, names of kernels.

Three sources, the best one first; `Proof.how` says which it was:

- `inspector`: the engine inspector over the loaded engine, as JSON. Loading needs a GPU.
- `builder's layer listing`: the same facts as text, which a builder with detailed verbosity logs at its end. It is all
  that a machine without a GPU can see of a plan: TensorRT-RTX builds there, and refuses to load.
- `types of the network`: the strongly typed network that was built, where an engine names no heavy layer. (The product
  of a few numbers becomes part of a generated kernel.)

Facts behind the reading, found with TensorRT-RTX 1.7 and in listings of TensorRT 8.6 to 10 that people published:

- Heavy layers are called `correlation`, `gemm`, `CaskConvolution`, `CaskGemmConvolution`, `CaskJitConv`. Layers made of
  several operations (`runtime_fusion`, `kgen`, `fusion`) have the product in their own name: `__myl_FcAddDivErf`,
  `__myl_CorrMulAddRelu`, `_gemm_mha_v2`, and `__myl_ReshMulSumAdd` where a vector meets a matrix.
- TensorRT-RTX writes `Datatype: Half`, TensorRT `Format/Datatype: Channel major FP16 format where channel % 8 == 0`.
- An int8 convolution has an Int8 input, Int8 weights, Float scales and often a Float output: its operands tell, not
  what comes out.
- TF32 is no type: operands are Float. TensorRT's kernels have it in their names (`..._tf32f32_...`). TensorRT-RTX
  chooses kernels on the GPU and names none when it builds: there the builder's flag is all there is.
"""

from __future__ import annotations

import collections
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.engines.truth import Proof
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

INSPECTOR: Final = "inspector"
LISTING: Final = "builder's layer listing"
NETWORK: Final = "types of the network"
BY_FLAG: Final = ", TF32 by the builder's flag"
UNKNOWN: Final = "unknown"
"""What a heavy layer computes in whose types can't be read: it holds no proof, and must not pass for one."""

_HEAVY: Final = re.compile(r"corr|conv|gemm|matmul|matrixmultiply|attention|mha", re.IGNORECASE)
_FUSED: Final = re.compile(r"kgen|fusion", re.IGNORECASE)
_PRODUCT: Final = re.compile(r"gemm|mha|xmma|attention|Corr|Conv|Fc[A-Z_]")
_CONVOLUTION: Final = re.compile(r"corr|conv", re.IGNORECASE)
_CASTS_FIRST: Final = re.compile(r"__myl_Cast")
_TELLING: Final = re.compile(r"xmma|cudnn|cutlass|sgemm")  # kernels that would say tf32 if they computed in it
_HEAVY_LAYERS: Final = frozenset({"CONVOLUTION", "DECONVOLUTION", "MATRIX_MULTIPLY", "EINSUM"})

_TYPES: Final = (
    (re.compile(r"bfloat16|bf16", re.IGNORECASE), Precision.BF16),
    (re.compile(r"fp8|float8", re.IGNORECASE), Precision.FP8),
    (re.compile(r"half|fp16", re.IGNORECASE), Precision.FP16),
    (re.compile(r"\bint8\b", re.IGNORECASE), Precision.INT8),
    (re.compile(r"float|fp32", re.IGNORECASE), Precision.FP32),
)
_NARROW_FIRST: Final = (Precision.INT8, Precision.FP8, Precision.FP16, Precision.BF16, Precision.FP32)

_LINE: Final = re.compile(
    r"^Name: (?P<name>.*?), LayerType: (?P<kind>\w*), Inputs: \[(?P<inputs>.*?)\], "
    r"(?:Constants: \[(?P<constants>.*?)\], )?Outputs: \[.*?TacticName: (?P<tactic>[^,]*)",
    re.MULTILINE,
)
_TENSOR: Final = re.compile(r"\{ Name: .*?Dimensions: \[(?P<dims>[-\d,]*)\].*?Datatype: (?P<type>[^},]*)")
_WEIGHTS: Final = re.compile(r'Weights: \{"Type": "(?P<type>\w+)", "Count": (?P<count>\d+)\}')


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tensor:
    """An operand: its type where it is one of ours, how many numbers it has, and whether it is more than a vector."""

    type: Precision | None
    count: int
    matrix: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """One layer of a built engine."""

    name: str
    kind: str
    tactic: str
    inputs: Sequence[_Tensor]
    constants: Sequence[_Tensor]

    @property
    def heavy(self) -> bool:
        """Whether it computes a convolution, a product or attention."""
        if _FUSED.search(self.kind):
            vector = "MulSum" in self.name and self.weights  # a matrix by a vector
            return bool(vector or _PRODUCT.search(self.name) or _PRODUCT.search(self.tactic))
        return bool(_HEAVY.search(self.kind))

    @property
    def weights(self) -> list[_Tensor]:
        """Its constants, less scales and biases."""
        return [one for one in self.constants if one.matrix and one.type is not None]

    def operands(self) -> Precision | None:
        """The type that it multiplies in: the weights' where an input has it, too, else the widest of the operands.

        A fused layer that begins with a cast (`__myl_CastReshMulSumAddCast`) has made its inputs the weights' type.
        """
        cast = _FUSED.search(self.kind) and _CASTS_FIRST.match(self.name)
        types = [] if cast else [one.type for one in self.inputs if one.type is not None]
        if self.weights:
            weight = max(self.weights, key=lambda one: one.count).type
            return weight if weight in types or not types else _widest([*types, weight])
        return types[0] if types and _CONVOLUTION.search(self.kind) else _widest(types[:2])


def listing_proof(listing: str, *, tf32: bool) -> Proof:
    """The proof in what a builder logged; no nodes where it names no heavy layer.

    Args:
        listing: the text.
        tf32: whether the builder's flag was set.
    """
    layers = []
    for line in _LINE.finditer(listing):
        constants = [_tensor(m["type"], m["dims"].split(",")) for m in _TENSOR.finditer(line["constants"] or "")]
        constants += [_counted(m["type"], int(m["count"])) for m in _WEIGHTS.finditer(line[0])]
        inputs = [_tensor(m["type"], m["dims"].split(",")) for m in _TENSOR.finditer(line["inputs"])]
        layers.append(
            _Layer(name=line["name"], kind=line["kind"], tactic=line["tactic"], inputs=inputs, constants=constants)
        )
    return _proof(LISTING, layers, tf32=tf32)


def inspector_proof(information: str, *, tf32: bool) -> Proof:
    """The proof in what an engine inspector says, as JSON; arguments as `listing_proof`'s."""
    layers = []
    for one in _layers(information):
        constants = [_tensor(_type_text(t), t.get("Dimensions", [])) for t in one.get("Constants", [])]
        if isinstance(weights := one.get("Weights"), dict):
            constants.append(_counted(weights.get("Type", ""), int(weights.get("Count", 0))))
        layers.append(
            _Layer(
                name=str(one.get("Name", "")),
                kind=str(one.get("LayerType", "")),
                tactic=str(one.get("TacticName", "")),
                inputs=[_tensor(_type_text(t), t.get("Dimensions", [])) for t in one.get("Inputs", [])],
                constants=constants,
            )
        )
    return _proof(INSPECTOR, layers, tf32=tf32)


def network_proof(network: Any, *, tf32: bool) -> Proof:
    """The proof in a parsed, strongly typed network; what is dequantized for a product counts as its type before."""
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    quantized = {
        layer.get_output(0).name: layer.get_input(0).dtype.name for layer in layers if layer.type.name == "DEQUANTIZE"
    }
    nodes: collections.Counter[str] = collections.Counter()
    for layer in layers:
        if layer.type.name not in _HEAVY_LAYERS:
            continue
        operands = [layer.get_input(index) for index in range(min(2, layer.num_inputs))]
        types = [_type(quantized.get(one.name, one.dtype.name)) for one in operands if one is not None]
        kind = _widest([one for one in types if one is not None])
        nodes[Precision.TF32 if tf32 and kind is Precision.FP32 else kind or UNKNOWN] += 1
    return Proof(how=NETWORK + BY_FLAG * (Precision.TF32 in nodes), nodes=_plain(nodes))


def _layers(information: str) -> list[dict[str, Any]]:
    """The layers in an inspector's JSON; none where it only has their names, or is no JSON."""
    try:
        layers = json.loads(information, strict=False)["Layers"]  # names may hold control characters
    except (ValueError, KeyError, TypeError):
        return []
    return [one for one in layers if isinstance(one, dict)]


def _proof(how: str, layers: Iterable[_Layer], *, tf32: bool) -> Proof:
    nodes: collections.Counter[str] = collections.Counter()
    weights: collections.Counter[str] = collections.Counter()
    by_flag = False
    for layer in layers:
        if not layer.heavy:
            continue
        kind: str = layer.operands() or UNKNOWN
        if kind == Precision.FP32 and "tf32" in layer.tactic:
            kind = Precision.TF32
        elif kind == Precision.FP32 and tf32 and not _TELLING.search(layer.tactic):
            kind, by_flag = Precision.TF32, True
        nodes[kind] += 1
        for one in layer.weights:
            weights[str(one.type)] += one.count
    shares = {kind: count / weights.total() for kind, count in weights.items()}
    return Proof(how=how + BY_FLAG * by_flag, nodes=_plain(nodes), weights=shares)


def _plain(nodes: Mapping[str, int]) -> dict[str, int]:
    return {str(kind): count for kind, count in nodes.items()}


def _type(text: str) -> Precision | None:
    return next((precision for pattern, precision in _TYPES if pattern.search(text)), None)


def _type_text(tensor: Mapping[str, Any]) -> str:
    return str(tensor.get("Datatype") or tensor.get("Format/Datatype") or "")


def _tensor(text: str, dims: Sequence[Any]) -> _Tensor:
    sizes = [abs(int(size)) for size in dims if str(size)]
    return _Tensor(type=_type(text), count=math.prod(sizes), matrix=sum(size > 1 for size in sizes) > 1)


def _counted(text: str, count: int) -> _Tensor:
    return _Tensor(type=_type(text), count=count, matrix=count > 0)


def _widest(types: Sequence[Precision | None]) -> Precision | None:
    return max((one for one in types if one is not None), key=_NARROW_FIRST.index, default=None)
