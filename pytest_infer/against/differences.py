"""What is not the same on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pytest_infer.device.environment import differences

if TYPE_CHECKING:
    from pytest_infer.against.protocol import Ready

_TOLD_INPUTS: Final = 5
_QUESTION: Final = ("batch", "scenario")
_ANSWER: Final = ("backend", "precision", "options", "target")


def other_workload(here: Ready, there: Ready) -> str:
    """How the sides measure another thing, so that their times can't be compared; empty where they don't."""
    told = [
        f"{key}: {there.workload.get(key)} → {here.workload.get(key)}" for key in _QUESTION if _differ(key, here, there)
    ]
    then, now = _shapes(there.workload), _shapes(here.workload)
    return ", ".join(told + ([f"inputs: {_few(then)} → {_few(now)}"] if then != now else []))


def between(here: Ready, there: Ready) -> tuple[str, ...]:
    """A line for each thing that may explain a change: the model, how it runs, and what it runs on."""
    told = []
    if here.model_digest != there.model_digest:
        told.append(f"model: {_short(there.model_digest)} → {_short(here.model_digest)}")
    told += [
        f"{key}: {there.workload.get(key)} → {here.workload.get(key)}" for key in _ANSWER if _differ(key, here, there)
    ]
    return (*told, *differences(there.environment, here.environment))


def _differ(key: str, here: Ready, there: Ready) -> bool:
    return bool(here.workload.get(key) != there.workload.get(key))


def _shapes(workload: dict[str, Any]) -> list[str]:
    """Types and shapes of the inputs: their names may change."""
    inputs = workload.get("inputs", ())
    return [f"{tensor.get('dtype')}[{', '.join(map(str, tensor.get('shape', ())))}]" for tensor in inputs]


def _few(shapes: list[str]) -> str:
    return ", ".join(shapes[:_TOLD_INPUTS]) + (", ..." if len(shapes) > _TOLD_INPUTS else "") or "none"


def _short(digest: str | None) -> str:
    return "none" if digest is None else digest[:12]
