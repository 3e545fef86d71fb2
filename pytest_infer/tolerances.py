"""How near to its reference an engine must be where the user set no accuracy budget: a net for what is broken.

A relative error e of an output vector, in a direction of its own, leaves a cosine of about 1 - e**2 / 2.

- fp16, tf32 and bf16: e = 64 u, with u half the distance of a number of that type to the next one. Errors of
  independent roundings grow as the square root of their number (Higham and Mary, "A new approach to probabilistic
  rounding error analysis", SIAM J. Sci. Comput. 41(5), 2019): 64 is the root of 4096 of them, one after the other.
- fp32: two libraries differ by their algorithms, not by rounding alone. The limit is e = 2**-10, twice the u of TF32
  and fp16: what computes in one of these by mistake shows.
- int8, fp8: their steps follow the samples, so no bound is the type's own. The limits are below the lowest that seven
  networks kept (digits, a sentence encoder, five vision networks of seeded weights, which are harder than trained ones;
  ranges by minmax): 0.94 for int8, 0.86 for fp8, signed and symmetric.

MLPerf's rule for a quantized network, 99 % of its accuracy in fp32, needs labels: `max_top1_drop=0.01` says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """The smallest cosine similarity to the reference's outputs, and where the number comes from."""

    min_cosine: float
    source: str


def _of_roundings(u: float, power: int) -> Tolerance:
    return Tolerance(min_cosine=1 - (64 * u) ** 2 / 2, source=f"4096 independent roundings to 2^-{power}")


DEFAULTS: Final[Mapping[Precision, Tolerance]] = {
    Precision.FP32: Tolerance(min_cosine=1 - 2**-21, source="an error of 2^-10, twice the rounding of TF32"),
    Precision.TF32: _of_roundings(2**-11, 11),
    Precision.FP16: _of_roundings(2**-11, 11),
    Precision.BF16: _of_roundings(2**-8, 8),
    Precision.INT8: Tolerance(min_cosine=0.9, source="below the lowest of seven networks, 0.94"),
    Precision.FP8: Tolerance(min_cosine=0.8, source="below the lowest of seven networks, 0.86"),
}
"""By precision; the sources in full are this module's docstring."""


def default_inaccuracies(figures: Mapping[str, float], precision: str | None) -> tuple[str, ...]:
    """The sentence that says that `figures` fall below the default of `precision`, if they do.

    Args:
        figures: of the accuracy, by name; without a reference there is no `cosine` among them.
        precision: None for what has none, a callable.
    """
    if precision is None or "cosine" not in figures:
        return ()
    tolerance = DEFAULTS[Precision(precision)]
    if figures["cosine"] >= tolerance.min_cosine:
        return ()
    told = (
        f"cosine {figures['cosine']:.7g} is below {tolerance.min_cosine:.7g}, the default tolerance for {precision} "
        f"({tolerance.source}); set one of your own: min_cosine=..., or any other accuracy budget"
    )
    return (told,)
