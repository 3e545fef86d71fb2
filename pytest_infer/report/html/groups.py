"""One test function at several batches and precisions: what belongs together, and what tells its series apart."""

from __future__ import annotations

import collections
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.workload import Precision

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_infer.report.json_report import JsonResult

ORDER: Final = {str(precision): rank for rank, precision in enumerate(Precision)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One measurement of a group.

    Attributes:
        traits: what may tell it from the others, by name: device, backend, scenario, target, and the user's parameters.
        latency: its 95 % interval is `interval`, in ms; `throughput` in samples/s.
    """

    test: str
    batch: int | None
    precision: str
    traits: dict[str, str]
    latency: float
    interval: tuple[float, float] | None
    p99: float | None
    throughput: float | None
    accuracy: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Points of one test function (and one of its measurements), by batch and precision as people list them."""

    title: str
    points: tuple[Point, ...]

    @property
    def batches(self) -> tuple[int, ...]:
        """The batches, smallest first."""
        return tuple(sorted({point.batch for point in self.points if point.batch is not None}))

    @property
    def precisions(self) -> tuple[str, ...]:
        """The precisions, widest first."""
        return tuple(sorted({point.precision for point in self.points if point.precision}, key=ORDER.__getitem__))

    def _telling(self) -> list[str]:
        """The traits that tell points apart, without those that say again what others before them said."""
        found: list[str] = []
        apart = 1
        for trait in self.points[0].traits:
            now = len({tuple(point.traits[name] for name in (*found, trait)) for point in self.points})
            if now > apart:
                found.append(trait)
                apart = now
        return found

    def series(self, *, precision: bool = False, batch: bool = False) -> dict[str, list[Point]]:
        """Points by what tells them apart beside the axis: the traits that vary, and the precision or the batch."""
        varying = self._telling()
        found: dict[str, list[Point]] = {}
        for point in self.points:
            parts = [point.precision] if precision and len(self.precisions) > 1 else []
            parts += [f"batch {point.batch}"] if batch and point.batch is not None and len(self.batches) > 1 else []
            parts += [point.traits[trait] for trait in varying if point.traits[trait]]
            found.setdefault(" · ".join(parts) or self.title.rpartition("::")[2], []).append(point)
        return found


def families(results: Iterable[JsonResult]) -> tuple[Family, ...]:
    """The functions that were measured at several batches or precisions, in the order of the run."""
    found: dict[str, list[Point]] = collections.defaultdict(list)
    for result in results:
        point = _point(result)
        if point is not None:
            title = f"{result.nodeid.partition('[')[0]} {result.name}".rstrip()
            found[title].append(point)
    all_of_them = (Family(title=title, points=tuple(sorted(points, key=_listed))) for title, points in found.items())
    return tuple(family for family in all_of_them if len(family.batches) > 1 or len(family.precisions) > 1)


def _point(result: JsonResult) -> Point | None:
    """The measurement as a point; None without a latency."""
    latency = result.metrics.get("latency")
    if not latency:
        return None
    workload = result.workload
    batch, precision = workload.get("batch"), workload.get("precision")
    return Point(
        test=result.nodeid,
        batch=batch if isinstance(batch, int) else None,
        precision=precision if precision in ORDER else "",
        traits={
            "device": result.device,
            "backend": str(workload.get("backend", "")),
            "scenario": str(workload.get("scenario", "")),
            "target": str(workload.get("target", "")).rpartition("/")[2],
            "parameters": _parameters(result.nodeid, workload),
        },
        latency=latency,
        interval=result.intervals.get("latency"),
        p99=result.metrics.get("p99_latency"),
        throughput=result.metrics.get("throughput"),
        accuracy=result.accuracy,
    )


def _parameters(nodeid: str, workload: dict[str, Any]) -> str:
    """The user's own parameters: an id without the parts that backend, precision and batch give it."""
    inside = nodeid.partition("[")[2].removesuffix("]")
    ours = {str(workload.get("backend")), str(workload.get("precision")), f"b{workload.get('batch')}"}
    return "-".join(part for part in inside.split("-") if part not in ours)


def _listed(point: Point) -> tuple[int, int]:
    return ORDER.get(point.precision, -1), point.batch or 0
