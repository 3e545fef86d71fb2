"""Truth before time: what an engine proved to be, held against what was asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.errors import PrecisionError
from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Collection

PROOF_VERSION: Final = 1
"""Part of a plan's identity, for plans keep their proofs: raise it whenever the same plan would be proved otherwise."""
_WIDE: Final = frozenset({Precision.FP32, Precision.TF32})
"""What a network in a narrower type may keep some of its nodes in: what was left out of the conversion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What an engine was found to be, by looking at it and not at what it was asked to be.

    Attributes:
        how: what was looked at: `optimised graph`, `inspector`, `profile`, `HLO`.
        nodes: heavy nodes (convolutions, products, attention, recurrences) by the arithmetic that they compute in.
        weights: share of the weights' numbers by the type they are kept in; empty where nobody can tell.
        placement: nodes by who runs them (an execution provider, a device); empty where there is only one.
        provider: who alone may run them; None where that is no question.
        graph_captured: whether a CUDA graph stands behind each run; None where none was asked for.
    """

    how: str
    nodes: Mapping[str, int] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    placement: Mapping[str, int] = field(default_factory=dict)
    provider: str | None = None
    graph_captured: bool | None = None

    def share(self, precision: str) -> float:
        """The share of heavy nodes that compute in `precision`; 1 where there are none."""
        total = sum(self.nodes.values())
        return self.nodes.get(precision, 0) / total if total else 1.0

    def plain(self) -> dict[str, Any]:
        """JSON values, as a plan's facts keep them; `Proof(**...)` reads them back."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {key: dict(value) if isinstance(value, Mapping) else value for key, value in values.items()}


def hold(proof: Proof, precision: str, model: str, *, beside: Collection[str] = ()) -> dict[str, Any]:
    """The facts for the report, if the engine is what was asked for.

    Args:
        proof: what it was found to be.
        precision: what was asked, or what the model itself is in.
        model: named in errors.
        beside: what other nodes may compute in, since the model has them so.

    Raises:
        PrecisionError: no heavy node computes in `precision` (or there is none, and it is not fp32), one computes in
            another type, a node runs elsewhere, or the CUDA graph was not captured.
    """
    seen = ", ".join(f"{count} in {kind}" for kind, count in sorted(proof.nodes.items()))
    allowed = {precision, *beside} if precision == Precision.FP32 else {precision, *_WIDE, *beside}
    strays = {kind: count for kind, count in proof.nodes.items() if kind not in allowed}
    if not proof.nodes and precision != Precision.FP32 and not proof.weights.get(precision):
        raise PrecisionError(
            f"{model}: asked for {precision}, but it has no heavy node (a convolution, a product, attention, a "
            f"recurrence), and nothing in it is seen to compute in {precision} (by {proof.how}); measure it in fp32"
        )
    if proof.nodes and not proof.nodes.get(precision, 0):
        raise PrecisionError(
            f"{model}: asked for {precision}, but none of its heavy nodes computes in it ({seen}; by {proof.how}); "
            "measuring it would put another precision's time under this name"
        )
    if strays:
        raise PrecisionError(
            f"{model}: asked for {precision}, but {seen} (by {proof.how}); measuring it would put another precision's "
            "time under this name"
        )
    elsewhere = {name: count for name, count in proof.placement.items() if name != proof.provider}
    if proof.provider is not None and elsewhere:
        told = ", ".join(f"{count} on {name}" for name, count in sorted(elsewhere.items()))
        raise PrecisionError(
            f"{model}: asked for {proof.provider}, but of its nodes {told}; allow it with "
            "options={'allow_fallback': True}, which becomes part of what the measurement means"
        )
    if proof.graph_captured is False:
        raise PrecisionError(
            f"{model}: a CUDA graph was asked for and none was captured (by {proof.how}); drop cuda_graph, or mend it"
        )
    facts: dict[str, Any] = {
        "precision": str(precision),
        f"{precision}_share": round(proof.share(precision), 4),
        "proof": proof.how,
    }
    if proof.weights:
        facts["weights"] = {kind: round(share, 4) for kind, share in sorted(proof.weights.items())}
    if proof.placement:
        facts["placement"] = dict(sorted(proof.placement.items()))
    if proof.graph_captured is not None:
        facts["cuda_graph"] = proof.graph_captured
    return facts
