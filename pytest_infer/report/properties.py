"""The numbers of a result as `user_properties`, and so in JUnit XML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_infer.metrics import METRICS

if TYPE_CHECKING:
    from pytest_infer.result import Result


def properties(result: Result) -> list[tuple[str, str | float]]:
    """Name and value of each, names begin with `infer_` and end with the unit; changes are fractions."""
    whose = re.sub(r"[^\w.#-]+", "_", result.measurement.name)
    middle = f"{whose}_" if whose else ""
    pairs: list[tuple[str, str | float]] = [(f"infer_{middle}outcome", str(result.outcome))]
    if result.measurement.device:
        pairs.append((f"infer_{middle}device", result.measurement.device))
    for name, value in sorted(result.measurement.metrics.items()):
        unit = METRICS[name].unit.replace("/", "_per_").lower() if name in METRICS else "ratio"
        pairs.append((f"infer_{middle}{name}_{unit}", value))
    pairs += [(f"infer_{middle}{name}", value) for name, value in sorted(result.measurement.accuracy.items())]
    for change in result.changes:
        prefix = f"infer_{middle}{change.metric}_" + ("anchor_" if change.against == "anchor" else "")
        pairs += [
            (f"{prefix}change", change.estimate),
            (f"{prefix}change_low", change.low),
            (f"{prefix}change_high", change.high),
        ]
        if change.detectable is not None:
            pairs.append((f"{prefix}detectable", change.detectable))
    return pairs
