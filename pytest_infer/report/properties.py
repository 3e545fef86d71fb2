"""The numbers of a result as `user_properties`, and so in JUnit XML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.metrics import METRICS

if TYPE_CHECKING:
    from pytest_infer.result import Result


def properties(result: Result) -> list[tuple[str, str | float]]:
    """Name and value of each, names begin with `infer_` and end with the unit."""
    middle = f"{result.measurement.name}_" if result.measurement.name else ""
    pairs: list[tuple[str, str | float]] = [(f"infer_{middle}outcome", str(result.outcome))]
    for name, value in sorted(result.measurement.metrics.items()):
        unit = METRICS[name].unit.replace("/", "_per_").lower() if name in METRICS else "ratio"
        pairs.append((f"infer_{middle}{name}_{unit}", value))
    pairs += [(f"infer_{middle}{name}", value) for name, value in sorted(result.measurement.accuracy.items())]
    for change in result.changes:
        prefix = f"infer_{middle}{change.metric}_" + ("anchor_" if change.against == "anchor" else "")
        pairs.append((f"{prefix}change", change.estimate))
        if change.detectable is not None:
            pairs.append((f"{prefix}detectable", change.detectable))
    return pairs
